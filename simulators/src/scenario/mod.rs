//! Scenarios: TOML files that say who sends what, what must come, and how the counterparties behave meanwhile.
//!
//! A file is wholly checked before anything is sent. Read in this order; nothing here knows the gateway.

// The language: its table, what a file says, how it is read.
mod check;
mod check_parties;
pub mod conduct;
pub mod language;
pub mod library;
mod read;
pub mod rotate;
mod section;

// A run: what is seen of it, its steps, what it left, how that is shown.
mod books;
mod direct;
mod expect;
mod kept;
mod reply;
pub mod report;
mod run;
mod send;
mod span;
pub mod tape;
mod verdict;

#[cfg(test)]
mod tests;

pub use books::Gateway;
pub use run::{Institution, Stage, run};
pub use span::Span;
pub use verdict::{Check, Done, Shown, Verdict};

use crate::fault::Fault;
use codecs::payment::{Attribute, Operation, Reason, Role};
use conduct::How;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One scenario, ready to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    pub name: String,
    /// The name as the file gives it, without what `each` adds.
    pub file_name: String,
    /// What `hangu sim run` is told to run it: a shipped one's name, or its file.
    pub source: String,
    pub about_zh: String,
    pub about_en: String,
    pub institution: String,
    pub operation: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub line: usize,
    /// The step in a few words of the language itself.
    pub text: String,
    pub act: Act,
}

/// The one verb of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    Send(Box<Send>),
    Expect(Box<Expect>),
    Reply(Box<Reply>),
    Wait { milliseconds: u64 },
    Announce(Announce),
    Rotate(rotate::Rotate),
    Books(Books),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyName {
    Centre,
    Platform,
    /// The one that the scenario is about, where it has a link of its own.
    Institution,
}

impl PartyName {
    pub const ALL: [Self; 3] = [Self::Centre, Self::Platform, Self::Institution];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Platform => "platform",
            Self::Institution => "institution",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.name() == name)
    }
}

/// Whose account a payment is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Customer {
    Plain,
    Poor,
    Frozen,
    Unknown,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Send {
    pub operation: Operation,
    pub by: PartyName,
    pub name: Option<String>,
    pub of: Option<String>,
    pub again: Option<String>,
    pub is_fresh: bool,
    pub customer: Customer,
    /// In yuan, or a reference.
    pub amount: Option<String>,
    pub set: BTreeMap<Attribute, String>,
    pub fault: Option<Fault>,
    /// A field that is changed after the message was signed.
    pub corrupt: Option<Attribute>,
    pub outcome: Option<String>,
}

/// What kind of message is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    Role(Role),
    /// An answer that is no signed message.
    Unsigned,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expect {
    pub awaited: Awaited,
    /// `None`: whoever sent `to`.
    pub at: Option<PartyName>,
    pub is_sent: bool,
    pub to: Option<String>,
    pub about: Option<String>,
    pub operation: Option<Operation>,
    pub code: Option<String>,
    /// `success`, `failed` or `processing`.
    pub outcome: Option<String>,
    pub reason: Option<Reason>,
    pub fields: BTreeMap<Attribute, String>,
    pub within_ms: u64,
    pub is_none: bool,
    pub after: Option<String>,
    pub same_as: Option<String>,
    pub name: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub party: PartyName,
    pub how: How,
    pub operation: Option<Operation>,
    pub about: Option<String>,
    pub amount: Option<String>,
    pub institution: Option<String>,
    pub account: Option<String>,
    pub nth: Option<u64>,
    pub reason: Reason,
    pub after_ms: u64,
    pub dies: bool,
}

/// Which day an announcement names, counted from the first one of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Days from the day that stands; `None` names that day again.
    pub days: Option<i64>,
    /// `None` leaves the status as it is.
    pub stops: Option<bool>,
    pub is_stale: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Books {
    pub executed: BTreeMap<String, u64>,
    /// Steps at which messages were refused, sorted; `None` does not look.
    pub refused: Option<Vec<String>>,
}

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize)]
pub struct Flaw {
    pub file: String,
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl Scenario {
    /// Reads and wholly checks a file; one scenario for each combination of `each`.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, Vec<Flaw>> {
        read::scenarios(file, text)
    }
}
