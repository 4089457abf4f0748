//! Why a record does not count: one variant for each rule, so that a test can tell them apart.

use super::change::Role;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Form(String),
    #[error("the log starts with `{0}`, which is no version that this program reads")]
    Version(String),
    #[error("has the number {0}: records were taken out, put in or moved")]
    Number(u64),
    #[error("does not follow on the record before: one of the two was altered")]
    Chain,
    #[error("is older than the record before")]
    Clock,
    #[error("the first record, and only it, founds the store")]
    Genesis,
    #[error("needs the signatures of exactly {0}")]
    Signers(String),
    #[error("the signature of {0} does not hold")]
    Signature(String),
    #[error("nobody named {0} is an officer")]
    UnknownOfficer(String),
    #[error("{officer} is not {}", .role.name())]
    Role { officer: String, role: Role },
    #[error("is meant for another store")]
    OtherStore,
    #[error("was made over another state of the log than the one it stands in")]
    Follows,
    #[error("there is no proposal {0}")]
    UnknownProposal(u64),
    #[error("proposal {number} is closed: {ending}")]
    Closed { number: u64, ending: &'static str },
    #[error("approves other content than proposal {0} has")]
    Altered(u64),
    #[error("{0} cannot approve what {0} proposed")]
    SelfApproval(String),
    #[error("{officer} has approved proposal {number} already")]
    Duplicate { officer: String, number: u64 },
    #[error("proposal {number} expired at {at}")]
    Expired { number: u64, at: String },
    #[error("a proposal is open for at most {0} days")]
    OpenTooLong(i64),
    #[error("{0}")]
    Officers(String),
    #[error("there is no key {0}")]
    UnknownKey(String),
    #[error("key {id} {rule}")]
    Key { id: String, rule: String },
    #[error("key {id} cannot go from {from} to {to}")]
    Transition {
        id: String,
        from: &'static str,
        to: &'static str,
    },
    #[error("the instant {0} has come, or comes before every instance knows of it; propose a later one")]
    Passed(String),
    #[error("{0} would be a second primary key beside {1}")]
    SecondPrimary(String, String),
    #[error("a proposal must change something")]
    Nothing,
    #[error("the master key {0}")]
    Master(String),
    #[error("trust anchor {0}")]
    Anchor(String),
    #[error("the share of {0} does not open under this key")]
    Share(String),
    #[error("the checkpoint does not name the head of the log before it")]
    Checkpoint,
}
