//! A header that holds several values: a word, then `name="value"` pairs with commas between, in any order.

use std::collections::BTreeSet;

/// The pairs, and the word as `scheme`; `None` where the header has another form or a name stands twice.
pub(super) fn read(header: &str) -> Option<Vec<(&str, &str)>> {
    let (word, rest) = header.split_once(' ')?;
    let mut parts = vec![(SCHEME, word)];
    for pair in rest.split(',') {
        let (name, value) = pair.trim_start_matches(' ').split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !named || value.contains(['"', '\\']) {
            return None;
        }
        parts.push((name, value));
    }
    let names: BTreeSet<&str> = parts.iter().map(|(name, _)| *name).collect();
    (names.len() == parts.len()).then_some(parts)
}

pub(crate) fn write<'p>(parts: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let (mut word, mut pairs) = ("", Vec::new());
    for (name, value) in parts {
        if name == SCHEME {
            word = value;
        } else {
            pairs.push(format!("{name}=\"{value}\""));
        }
    }
    format!("{word} {}", pairs.join(","))
}

/// How specs name the word.
const SCHEME: &str = "scheme";
