//! The exact bytes of one member's value in a JSON object, as they were received: never parsed and written again.

use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The value's bytes without white space around them; `None` when the object has no such member.
pub(crate) fn text<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let members: BTreeMap<Key<'_>, &RawValue> = serde_json::from_slice(body).ok()?;
    let value = members.into_iter().find(|(key, _)| key.0 == name).map(|(_, value)| value);
    value.map(|value| value.get().as_bytes())
}

/// A key, borrowed where it holds no escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
