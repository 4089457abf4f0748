//! JSON over HTTP: one object, strings and whole numbers, no duplicate keys; the target or the body names the message.

mod read;
mod tree;
mod write;

pub(in crate::format) use read::Reading;
pub(crate) use read::read;
pub(in crate::format) use tree::parse;
pub(in crate::format) use write::Node;
pub(crate) use write::write;

/// How a spec's messages stand in JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonPlan {
    /// The member that is a message's root names the message, not a field.
    pub(crate) by_member: bool,
    pub(crate) reject_unknown: bool,
}
