//! JSON over HTTP: one object, strings and whole numbers, no duplicate keys; the target or the body names the message.

mod read;
mod tree;
mod write;

pub(crate) use read::{peek, read};
pub(crate) use write::write;

/// How a spec's messages stand in JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonPlan {
    pub(crate) reject_unknown: bool,
}
