//! A terminal's sign-in: it asks for working keys, and gets them wrapped under its master key, with check values.
//!
//! It is no message of the spec's table: no payment comes of it, and neither side authenticates it. Whoever has not the master
//! key can do nothing with what is handed out.

use crate::error::{BuildError, ParseError};
use crate::field::{hex_decode, hex_encode};
use crate::format::{Format, IsoPlace as Place, IsoPlan, iso_pack, iso_unpack};
use crate::spec::Spec;
use crate::wire::Wire;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// `[iso8583.sign_in]`, compiled.
#[derive(Clone, Debug)]
pub(crate) struct SignInPlan {
    pub(crate) request: BTreeMap<Place, String>,
    pub(crate) besides: BTreeMap<Place, String>,
    pub(crate) answer: BTreeMap<Place, String>,
    pub(crate) holder: Vec<Place>,
    pub(crate) serial: Vec<Place>,
    pub(crate) time: Place,
    pub(crate) day: Place,
    pub(crate) keys: Place,
}

/// A request to sign in.
#[derive(Clone, Debug)]
pub struct SignIn<'s> {
    table: &'s IsoPlan,
    plan: &'s SignInPlan,
    texts: BTreeMap<Place, String>,
    /// Whose keys are asked for, as other messages name it.
    pub holder: String,
}

/// A wrapped key and its check value, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandedKey {
    pub wrapped: Vec<u8>,
    pub check: Vec<u8>,
}

impl Spec {
    /// Whether its terminals sign in.
    pub fn has_sign_in(&self) -> bool {
        self.sign_in_plan().is_some()
    }

    /// Reads a request to sign in; `None` for any other message, and where a spec has no such request.
    pub fn sign_in(&self, wire: &Wire) -> Option<Result<SignIn<'_>, ParseError>> {
        let (table, plan) = self.sign_in_plan()?;
        let texts = iso_unpack(table, &wire.body).ok()?;
        let is_one = plan.request.iter().all(|(place, value)| texts.get(place) == Some(value));
        is_one.then(|| read(table, plan, texts))
    }

    /// Writes a request to sign in. `serial` is what makes it unique of its terminal, in pieces with a dash between.
    pub fn ask_to_sign_in(&self, serial: &str) -> Option<Result<Wire, BuildError>> {
        let (table, plan) = self.sign_in_plan()?;
        let mut texts: BTreeMap<Place, &str> = plan.serial.iter().copied().zip(serial.split('-')).collect();
        let said = plan.request.iter().chain(&plan.besides);
        texts.extend(said.map(|(place, value)| (*place, value.as_str())));
        Some(iso_pack(table, &texts, None).map(Wire::queue))
    }

    /// The two keys of an answer: that for PINs and that for MACs.
    pub fn handed_keys(&self, asked: &Wire, answer: &Wire) -> Option<Result<[HandedKey; 2], ParseError>> {
        let (table, plan) = self.sign_in_plan()?;
        let read = || {
            let [asked, answer] = [iso_unpack(table, &asked.body)?, iso_unpack(table, &answer.body)?];
            let is_said = plan.answer.iter().all(|(place, value)| answer.get(place) == Some(value));
            if !is_said || plan.serial.iter().any(|place| asked.get(place) != answer.get(place)) {
                return Err(refused(
                    "sign_in.answer",
                    "it is no answer that hands keys out, or one to another request",
                ));
            }
            let keys = answer.get(&plan.keys).and_then(|digits| hex_decode(digits));
            let keys = keys.as_deref().and_then(taken_apart);
            keys.ok_or_else(|| refused("sign_in.keys", "it does not hold two keys with their check values"))
        };
        Some(read())
    }

    fn sign_in_plan(&self) -> Option<(&IsoPlan, &SignInPlan)> {
        match self.format_of(false) {
            Format::Iso8583(table) => Some((table, table.sign_in.as_ref()?)),
            Format::Xml(_) | Format::Json(_) | Format::Form(_) | Format::Flat(_) => None,
        }
    }
}

impl SignIn<'_> {
    /// The answer that hands keys out.
    pub fn answer(&self, pin: &HandedKey, mac: &HandedKey, at: OffsetDateTime) -> Result<Wire, BuildError> {
        let plan = self.plan;
        let keys = hex_encode(&[pin, mac].map(|key| [key.wrapped.as_slice(), &key.check].concat()).concat());
        let time = format!("{:02}{:02}{:02}", at.hour(), at.minute(), at.second());
        let day = format!("{:02}{:02}", u8::from(at.month()), at.day());
        let is_mirrored = |place: &Place| place.element().is_none() || !plan.besides.contains_key(place);
        let mirrored = self
            .texts
            .iter()
            .filter(|(place, _)| is_mirrored(place) && **place != plan.keys);
        let mut texts: BTreeMap<Place, &str> = mirrored.map(|(place, text)| (*place, text.as_str())).collect();
        texts.extend([(plan.time, time.as_str()), (plan.day, &day), (plan.keys, &keys)]);
        texts.extend(plan.answer.iter().map(|(place, value)| (*place, value.as_str())));
        iso_pack(self.table, &texts, None).map(Wire::queue)
    }
}

fn read<'s>(table: &'s IsoPlan, plan: &'s SignInPlan, texts: BTreeMap<Place, String>) -> Result<SignIn<'s>, ParseError> {
    let known =
        |place: &Place| plan.request.contains_key(place) || plan.besides.contains_key(place) || plan.serial.contains(place);
    if texts.keys().any(|place| !known(place)) {
        return Err(refused("iso.unexpected", "a sign-in has no such element"));
    }
    let piece = |place: &Place| texts.get(place).map(String::as_str);
    let whole = plan.serial.iter().all(|place| texts.contains_key(place));
    let holder = plan.holder.iter().map(piece).collect::<Option<Vec<_>>>().filter(|_| whole);
    let holder = holder.ok_or_else(|| refused("field.missing", "it does not say who signs in, or under which number"))?;
    Ok(SignIn {
        holder: holder.join("-"),
        table,
        plan,
        texts,
    })
}

/// Both keys are of one length.
fn taken_apart(bytes: &[u8]) -> Option<[HandedKey; 2]> {
    let (pin, mac) = bytes
        .split_at_checked(bytes.len() / 2)
        .filter(|(pin, mac)| pin.len() == mac.len())?;
    let key = |bytes: &[u8]| {
        let (wrapped, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        (!wrapped.is_empty()).then(|| HandedKey {
            wrapped: wrapped.to_vec(),
            check: check.to_vec(),
        })
    };
    Some([key(pin)?, key(mac)?])
}

fn refused(rule: &'static str, detail: &str) -> ParseError {
    ParseError {
        rule,
        field: None,
        offset: None,
        detail: detail.to_owned(),
    }
}

const CHECK_BYTES: usize = 4;

#[cfg(test)]
mod tests;
