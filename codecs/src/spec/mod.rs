//! Specs: loaded, wholly checked and compiled to a plan at start.
//!
//! A spec is a table (`codecs/<institution>/spec.toml`); this module turns it into plans and holds no institution's names.

mod check;
mod field;
mod load;
mod message;
mod names;
mod origin;
pub(crate) mod plan;
mod text;

#[cfg(test)]
mod tests;

pub use origin::Origin;
pub use text::Confidence;

use crate::error::SpecError;
use crate::format::Format;
use crate::payment::{Operation, Reason, Role};
use plan::{Code, EnvelopePlan, Habits, Http, Limits, Plan, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All specs by codec name (`nps`, `platform`, ...).
#[derive(Debug, Default)]
pub struct Specs {
    specs: BTreeMap<String, Arc<Spec>>,
}

impl Specs {
    /// The specs built into the binary: every folder `codecs/*/spec.toml`, found by `build.rs`.
    pub fn embedded() -> Result<Self, SpecError> {
        let mut specs = Self::default();
        for (codec, text) in crate::embedded::SPECS {
            specs.insert(codec, text)?;
        }
        Ok(specs)
    }

    /// Loads one spec from its text, for an operator's own file or a test.
    pub fn insert(&mut self, codec: &str, text: &str) -> Result<(), SpecError> {
        let spec = load::load(codec, text)?;
        self.specs.insert(codec.to_owned(), Arc::new(spec));
        Ok(())
    }

    pub fn spec(&self, codec: &str) -> Option<&Arc<Spec>> {
        self.specs.get(codec)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Spec>> {
        self.specs.values()
    }
}

/// One institution's compiled spec.
#[derive(Clone, Debug)]
pub struct Spec {
    pub codec: String,
    pub name_zh: String,
    pub name_en: String,
    /// Where the spec as a whole comes from, and how sure that is.
    pub source: String,
    pub confidence: Confidence,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) http: Option<Http>,
    pub(crate) envelope: EnvelopePlan,
    pub(crate) habits: Habits,
    /// Finds frame fields before the message's code is known.
    pub(crate) frame: Tree,
    pub(crate) frame_count: usize,
    pub(crate) code_field: usize,
    pub(crate) codes: Vec<Code>,
    pub(crate) origins: Vec<Origin>,
    messages: Vec<MessageSpec>,
    by_code: BTreeMap<String, usize>,
}

/// One message type of a spec.
#[derive(Clone, Debug)]
pub struct MessageSpec {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// The operation, or the first of `operations()`.
    pub operation: Operation,
    pub role: Role,
    /// Message code of the reply, for requests.
    pub reply: Option<String>,
    pub direction: Direction,
    pub source: String,
    pub confidence: Confidence,
    pub(crate) operations: Vec<Operation>,
    /// Number of frame fields, which come first in the plan.
    pub(crate) frame_count: usize,
    pub(crate) plan: Plan,
}

impl MessageSpec {
    /// Every operation that this message can carry; a field's value selects among several.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether the message is a request without a body (its target says everything).
    pub(crate) fn is_bodyless(&self) -> bool {
        self.plan.target.as_ref().is_some_and(|target| target.method == "GET")
    }

    fn carries(&self, operation: Operation, role: Role) -> bool {
        self.role == role && self.operations.contains(&operation)
    }
}

/// Who sends a message, seen from the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Inbound,
    Outbound,
    Both,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Both => "both",
        }
    }
}

/// What `hangu check` warns about, such as `signature = "none"` or a vendor switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecWarning {
    pub place: String,
    pub detail: String,
}

impl Spec {
    /// The message type with this code.
    pub fn message(&self, code: &str) -> Option<&MessageSpec> {
        self.by_code.get(code).and_then(|&at| self.messages.get(at))
    }

    /// The message type that carries an operation in a role; the first that fits in the spec's order.
    /// (321 is the request of credit and of refund; the plan resolves by operation.)
    pub fn message_for(&self, operation: Operation, role: Role) -> Option<&MessageSpec> {
        self.messages
            .iter()
            .find(|message| !message.plan.alternative && message.carries(operation, role))
    }

    pub fn messages(&self) -> impl Iterator<Item = &MessageSpec> {
        self.messages.iter()
    }

    /// The institution's codes for failures: code, its own name for it, and our reason.
    pub fn codes(&self) -> impl Iterator<Item = (&str, &str, Reason)> {
        self.codes
            .iter()
            .map(|row| (row.code.as_str(), row.name_zh.as_str(), row.reason))
    }

    /// Where each part comes from, and how sure that is.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    pub fn warnings(&self) -> Vec<SpecWarning> {
        check::warnings(self)
    }

    /// The same spec with sealing switched, for a link whose counterparty differs from the profile.
    /// Switching it on does nothing for a spec that describes no envelope.
    #[must_use]
    pub fn with_sealing(&self, on: bool) -> Self {
        let mut spec = self.clone();
        if let Some(sealing) = &mut spec.envelope.sealing {
            sealing.on = on;
        }
        spec
    }

    pub(crate) fn seals(&self) -> bool {
        self.envelope.sealing.as_ref().is_some_and(|sealing| sealing.on)
    }
}
