//! JSON over HTTP: one object, strings and whole numbers, no duplicate keys; the target or the body names the message.

mod inside; // an object that was sealed whole
mod read;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub(in crate::format) use inside::{read as inside_read, write as inside_write};
pub(in crate::format) use read::Reading;
pub(crate) use read::read;
pub(in crate::format) use tree::parse;
pub(in crate::format) use write::Node;
pub(crate) use write::write;

/// How a spec's messages stand in JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonPlan {
    pub(crate) named_by: JsonNames,
    pub(crate) reject_unknown: bool,
}

impl JsonPlan {
    pub(crate) fn by_member(&self) -> bool {
        self.named_by == JsonNames::Member
    }
}

/// What names a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JsonNames {
    /// The field of the message code.
    Field,
    /// The member that is a message's root.
    Member,
    /// The target of a request; an answer is named by the request that it answers.
    Target,
}
