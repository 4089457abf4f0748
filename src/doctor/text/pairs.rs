//! `k=v&k=v`: which pairs, in which order, with which values.

use crate::doctor::coding::Escaping;
use crate::doctor::proof::{Attempt, Before, By, Way};
use crate::doctor::seen::Seen;
use codecs::examined::{SignedAs, SignedPairs};

/// Keys without a value are signed too.
pub(in crate::doctor) fn empty_signed<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let all = pairs.sorted(|key, _| !pairs.is_excluded(key));
    over("pairs without a value too", pairs.text(&all))
}

/// A key is signed that the spec leaves out, such as `sign_type`.
pub(in crate::doctor) fn excluded_signed<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let kept = |key: &str, value: &str, added: &str| !value.is_empty() && (key == added || !pairs.is_excluded(key));
    let added = pairs.0.excluded.iter().filter(|key| **key != pairs.0.signature);
    let with = |added: &String| {
        let chosen = pairs.sorted(|key, value| kept(key, value, added));
        over(format!("the pair of {added} too"), pairs.text(&chosen))
    };
    added.flat_map(with).collect()
}

/// The key that names the algorithm is not signed.
pub(in crate::doctor) fn type_unsigned<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    without(seen, |key| TYPES.contains(&key))
}

/// One key is not signed: it was added afterwards, or the sender leaves it out.
pub(in crate::doctor) fn uncovered<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    without(seen, |key| !TYPES.contains(&key))
}

fn without<'a>(seen: &Seen<'a>, fits: impl Fn(&str) -> bool) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let usual = pairs.usual();
    let left_out = usual.iter().map(|(key, _)| *key).filter(|key| fits(key));
    let text = |left_out: &str| {
        let chosen: Vec<Pair<'_>> = usual.iter().copied().filter(|(key, _)| *key != left_out).collect();
        over(format!("without the pair of {}", named(left_out)), pairs.text(&chosen))
    };
    left_out.flat_map(text).collect()
}

/// In the order of the message; with or without the pairs that have no value, or the very body but for its signature.
pub(in crate::doctor) fn unsorted<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let full = pairs.chosen(|key, value| !value.is_empty() && !pairs.is_excluded(key));
    let all = pairs.chosen(|key, _| !pairs.is_excluded(key));
    let body = std::str::from_utf8(&seen.wire.body).unwrap_or_default();
    let is_signature = |pair: &&str| pair.split_once('=').is_some_and(|(key, _)| key == pairs.0.signature);
    let raw: Vec<&str> = body.split('&').filter(|pair| !is_signature(pair)).collect();
    [
        over("the order of the message", pairs.text(&full)),
        over("the order of the message, pairs without a value too", pairs.text(&all)),
        over(
            "the body as it stands, without its signature",
            raw.join("&") + &pairs.0.suffix,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Sorted without regard to case.
pub(in crate::doctor) fn caseless<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let mut chosen = pairs.usual();
    chosen.sort_by_key(|(key, _)| key.to_ascii_lowercase());
    over("the order of the keys without regard to case", pairs.text(&chosen))
}

/// Joined in another way.
pub(in crate::doctor) fn separator<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let usual = pairs.usual();
    let written: Vec<String> = usual.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let suffix = &pairs.0.suffix;
    let texts = [
        ("nothing between the pairs", written.concat() + suffix),
        ("an & behind the last pair", format!("{}&{suffix}", written.join("&"))),
        ("an & before the first pair", format!("&{}{suffix}", written.join("&"))),
        ("a line feed between the pairs", written.join("\n") + suffix),
        ("commas between the pairs", written.join(",") + suffix),
        ("a bar between the pairs", written.join("|") + suffix),
    ];
    texts.into_iter().flat_map(|(what, text)| over(what, text)).collect()
}

/// Values without their keys.
pub(in crate::doctor) fn values_only<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let values: Vec<&str> = pairs.usual().into_iter().map(|(_, value)| value).collect();
    let join = |by: &str| values.join(by) + &pairs.0.suffix;
    ["", "&", "|", ","]
        .into_iter()
        .flat_map(|by| over(format!("values alone, joined by `{by}`"), join(by)))
        .collect()
}

/// Another end, or none, before the key; or no key there at all.
pub(in crate::doctor) fn suffix<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let text = |end: &str| ending(&pairs.usual(), end);
    let ends = ["", "&", "&key=", "&secret=", "key="]
        .into_iter()
        .filter(|end| *end != pairs.0.suffix);
    let mut attempts: Vec<Attempt<'a>> = ends
        .flat_map(|end| {
            over(
                format!("`{end}` behind the pairs in place of `{}`", pairs.0.suffix),
                text(end),
            )
        })
        .collect();
    if Way::of(seen.scheme).is_some_and(|way| way.by == By::HmacSha256Key) {
        attempts.push(Attempt {
            text: Some(text("").into_bytes()),
            ..Attempt::way("no key behind the pairs", Before::Nothing, By::HmacSha256)
        });
    }
    attempts
}

/// Values in quotes.
pub(in crate::doctor) fn quoted<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    written(seen, "values in double quotes", |value| format!("\"{value}\""))
}

/// Values as they are escaped on the way.
pub(in crate::doctor) fn escaped<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let escape = |(what, escaping): (&str, Escaping)| written(seen, what, |value| escaping.escape(value));
    let mut attempts: Vec<Attempt<'a>> = ESCAPINGS.into_iter().flat_map(escape).collect();
    if let Some(pairs) = pairs(seen) {
        let all = pairs.sorted(|key, _| !pairs.is_excluded(key));
        let pair = |(key, value): Pair<'_>| format!("{key}={}", Escaping::FORM.escape(value));
        let text: Vec<String> = all.into_iter().map(pair).collect();
        attempts.extend(over(
            "values percent-encoded, pairs without a value too",
            text.join("&") + &pairs.0.suffix,
        ));
    }
    attempts
}

fn written<'a>(seen: &Seen<'a>, what: &str, write: impl Fn(&str) -> String) -> Vec<Attempt<'a>> {
    let Some(pairs) = pairs(seen) else { return Vec::new() };
    let pair = |(key, value): Pair<'_>| format!("{key}={}", write(value));
    let text: Vec<String> = pairs.usual().into_iter().map(pair).collect();
    over(what, text.join("&") + &pairs.0.suffix)
}

fn over<'a>(what: impl Into<String>, text: String) -> Vec<Attempt<'a>> {
    vec![Attempt::text(what, text)]
}

type Pair<'p> = (&'p str, &'p str);

struct Pairs(SignedPairs);

fn pairs(seen: &Seen<'_>) -> Option<Pairs> {
    match seen.message.signed_as() {
        SignedAs::Pairs(pairs) => Some(Pairs(pairs)),
        SignedAs::Fields
        | SignedAs::Http
        | SignedAs::Document
        | SignedAs::Member(_)
        | SignedAs::Lines { .. }
        | SignedAs::Other => None,
    }
}

impl Pairs {
    fn is_excluded(&self, key: &str) -> bool {
        self.0.excluded.iter().any(|excluded| excluded == key)
    }

    fn chosen(&self, fits: impl Fn(&str, &str) -> bool) -> Vec<Pair<'_>> {
        let pairs = self.0.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        pairs.filter(|(key, value)| fits(key, value)).collect()
    }

    fn sorted(&self, fits: impl Fn(&str, &str) -> bool) -> Vec<Pair<'_>> {
        let mut chosen = self.chosen(fits);
        chosen.sort_by_key(|(key, _)| *key);
        chosen
    }

    /// As the spec has them.
    fn usual(&self) -> Vec<Pair<'_>> {
        self.sorted(|key, value| !value.is_empty() && !self.is_excluded(key))
    }

    fn text(&self, pairs: &[Pair<'_>]) -> String {
        ending(pairs, &self.0.suffix)
    }
}

fn ending(pairs: &[Pair<'_>], end: &str) -> String {
    let written: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    written.join("&") + end
}

/// A key as it may be shown: its sender chose it.
fn named(key: &str) -> String {
    let is_plain = key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if is_plain {
        key.to_owned()
    } else {
        "an unusual key".to_owned()
    }
}

const TYPES: [&str; 4] = ["sign_type", "signType", "signMethod", "sign_method"];

const ESCAPINGS: [(&str, Escaping); 5] = [
    ("values percent-encoded as in the form", Escaping::FORM),
    (
        "values percent-encoded, a blank as %20",
        Escaping {
            space: "%20",
            ..Escaping::FORM
        },
    ),
    (
        "values percent-encoded, a blank as %20, ~ as it is",
        Escaping {
            space: "%20",
            upper: true,
            kept: "-._~",
        },
    ),
    (
        "values percent-encoded as JavaScript does",
        Escaping {
            space: "%20",
            upper: true,
            kept: "-_.!~*'()",
        },
    ),
    (
        "values percent-encoded in lower case",
        Escaping {
            upper: false,
            ..Escaping::FORM
        },
    ),
];
