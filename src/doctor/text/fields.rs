//! `value|value|`: which slots, and what ends them.

use crate::doctor::proof::Attempt;
use crate::doctor::seen::Seen;
use codecs::examined::SignedAs;

/// No separator behind the last value.
pub(in crate::doctor) fn last_separator<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "no | behind the last value", |slots| slots.join("|"))
}

/// Absent values left out in place of an empty slot.
pub(in crate::doctor) fn absent_left_out<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "no slot for an absent value", |slots| {
        let there = slots.iter().filter(|slot| !slot.is_empty());
        ended(there.copied())
    })
}

/// Amounts without their currency.
pub(in crate::doctor) fn no_currency<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "amounts without CNY", |slots| {
        let bare = slots.iter().map(|slot| match slot.strip_prefix("CNY") {
            Some(amount) if amount.starts_with(|c: char| c.is_ascii_digit()) => amount,
            Some(_) | None => slot,
        });
        ended(bare)
    })
}

fn changed<'a>(seen: &Seen<'a>, what: &str, change: impl Fn(&[&str]) -> String) -> Vec<Attempt<'a>> {
    let text = std::str::from_utf8(&seen.text).ok().and_then(|text| text.strip_suffix('|'));
    match text.filter(|_| seen.message.signed_as() == SignedAs::Fields) {
        Some(text) => vec![Attempt::text(what, change(&text.split('|').collect::<Vec<_>>()))],
        None => Vec::new(),
    }
}

fn ended<'t>(slots: impl Iterator<Item = &'t str>) -> String {
    slots.fold(String::new(), |text, slot| text + slot + "|")
}
