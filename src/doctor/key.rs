//! Another key, or the right key at a wrong time.

use super::Refused;
use super::proof::Attempt;
use super::seen::{Seen, signs};
use keys::key::{Side, Status, Usage};
use keys::store::Held;
use std::cmp::Ordering;

/// The key is known, but the message writes its serial number in another form.
pub(super) fn serial_form<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(named) = seen.signer.as_deref().filter(|_| seen.key.is_none()) else {
        return Vec::new();
    };
    let same =
        |held: &Held| held.entry.link == seen.case.link && signs(held, seen.scheme) && same_number(&held.entry.serial, named);
    under(seen, same)
}

/// Another key of the same signer.
pub(super) fn other_serial<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    under(seen, |held| held.entry.link == seen.case.link && signs(held, seen.scheme))
}

/// The signer's key for sealing.
pub(super) fn sealing<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let seals = |held: &Held| (held.entry.side, held.entry.usage) == (Side::Theirs, Usage::Seal);
    under(seen, |held| held.entry.link == seen.case.link && seals(held))
}

/// A key of ours: a message of ours came back, or the keys were given to both sides.
pub(super) fn own<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    under(seen, |held| held.entry.side == Side::Ours)
}

/// The key of another link.
pub(super) fn other_link<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    under(seen, |held| {
        held.entry.link != seen.case.link && held.entry.side != Side::Ours
    })
}

fn under<'a>(seen: &Seen<'a>, fits: impl Fn(&Held) -> bool) -> Vec<Attempt<'a>> {
    let is_named = |held: &Held| seen.key.is_some_and(|key| key.entry.id == held.entry.id);
    let journal = |held: &Held| held.entry.usage == Usage::Journal;
    let others = seen
        .case
        .held
        .iter()
        .filter(|held| !is_named(held) && !journal(held) && fits(held));
    let attempt = |held: &'a Held| Attempt {
        key: Some(held),
        ..Attempt::new(described(held))
    };
    others.map(attempt).collect()
}

fn described(held: &Held) -> String {
    let entry = &held.entry;
    format!(
        "key {} of link {}, serial {}, {}",
        entry.id,
        entry.link,
        entry.serial,
        entry.status.name()
    )
}

/// The signature holds, but the key's time is over.
pub(super) fn expired(refused: &Refused<'_>) -> Option<String> {
    let held = signer_at(refused, Ordering::Greater)?;
    Some(format!("{}; it was valid until {}", described(held), held.entry.not_after))
}

/// The signature holds, but the key's time has not come.
pub(super) fn early(refused: &Refused<'_>) -> Option<String> {
    let held = signer_at(refused, Ordering::Less)?;
    Some(format!("{}; it is valid from {}", described(held), held.entry.not_before))
}

/// The signature holds, but our keyring says that the key is not in use.
pub(super) fn status(refused: &Refused<'_>) -> Option<String> {
    let seen = refused
        .seen
        .filter(|seen| refused.rejection.code == "key.unusable" && seen.holds())?;
    seen.key.map(described)
}

/// The key under which the signature holds, if our clock stands so to its validity.
fn signer_at<'a>(refused: &Refused<'a>, clock: Ordering) -> Option<&'a Held> {
    let seen = refused
        .seen
        .filter(|seen| refused.rejection.code == "key.expired" && seen.holds())?;
    let held = seen.key?;
    let now = refused.case.now;
    let stands = if now > held.entry.not_after {
        Ordering::Greater
    } else if now < held.entry.not_before {
        Ordering::Less
    } else {
        Ordering::Equal
    };
    (stands == clock && held.entry.status != Status::Revoked).then_some(held)
}

/// Made longer ago than the spec allows; nothing else is wrong.
pub(super) fn too_old(refused: &Refused<'_>) -> Option<String> {
    outside_window(refused, Ordering::Less)
}

/// Made in what our clock calls the future; nothing else is wrong.
pub(super) fn too_new(refused: &Refused<'_>) -> Option<String> {
    outside_window(refused, Ordering::Greater)
}

fn outside_window(refused: &Refused<'_>, side: Ordering) -> Option<String> {
    let case = refused.case;
    let made_at = refused
        .seen
        .filter(|_| refused.rejection.code == "signature.window")?
        .made_at?;
    let fits = made_at.cmp(&case.now) == side && case.receive_as(case.wire, case.link, case.spec, made_at).is_ok();
    fits.then(|| {
        format!(
            "made at {made_at}, {} s away from our clock",
            (case.now - made_at).abs().whole_seconds()
        )
    })
}

/// Whether two serial numbers are one: case, colons and leading zeros apart, or one decimal and the other hex.
fn same_number(left: &str, right: &str) -> bool {
    let (left, right) = (plain(left), plain(right));
    let hexed = |text: &str| decimal_to_hex(text);
    left == right || hexed(&left).as_ref() == Some(&right) || hexed(&right).as_ref() == Some(&left)
}

fn plain(serial: &str) -> String {
    let digits = serial.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>();
    let lower = digits.to_ascii_lowercase();
    lower.trim_start_matches("0x").trim_start_matches('0').to_owned()
}

fn decimal_to_hex(text: &str) -> Option<String> {
    let mut nibbles: Vec<u32> = Vec::new();
    for c in text.chars() {
        let mut carry = c.to_digit(10)?;
        for nibble in &mut nibbles {
            carry += *nibble * 10;
            *nibble = carry & 15;
            carry >>= 4;
        }
        while carry > 0 {
            nibbles.push(carry & 15);
            carry >>= 4;
        }
    }
    nibbles.iter().rev().map(|nibble| char::from_digit(*nibble, 16)).collect()
}
