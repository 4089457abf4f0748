//! What an officer signs away from the store, carried as a file: approvals, withdrawals, checkpoints.

use super::change::{Verdict, write};
use super::error::GuardedError;
use super::officer::OfficerKey;
use super::record::{Kind, Signed, Stamp};
use super::refusal::Refusal;
use super::state::State;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A content with its signature, ready to become a record. Its place in the log is not signed; what it is about is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub kind: Kind,
    pub content: String,
    pub signatures: Vec<Signed>,
}

impl Statement {
    /// An approval of an open proposal; the state comes from a verified log, perhaps a copy of it.
    pub fn approval(
        state: &State,
        officer: &OfficerKey,
        number: u64,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, GuardedError> {
        Self::signed(Kind::Approval, verdict(state, officer, number, now)?, officer, rng)
    }

    pub fn withdrawal(
        state: &State,
        officer: &OfficerKey,
        number: u64,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, GuardedError> {
        Self::signed(Kind::Withdrawal, verdict(state, officer, number, now)?, officer, rng)
    }

    pub fn to_text(&self) -> Result<String, Refusal> {
        write(self)
    }

    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        serde_json::from_str(text.trim_ascii()).map_err(|error| Refusal::Form(format!("is no signed statement: {error}")))
    }

    pub(super) fn signed(
        kind: Kind,
        content: String,
        officer: &OfficerKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, GuardedError> {
        let signature = officer.sign(kind, &content, rng)?;
        Ok(Self {
            kind,
            content,
            signatures: vec![signature],
        })
    }
}

fn verdict(state: &State, officer: &OfficerKey, number: u64, now: OffsetDateTime) -> Result<String, Refusal> {
    write(&Verdict {
        store: state.store().to_owned(),
        officer: officer.name().to_owned(),
        proposal: number,
        hash: state.proposal(number)?.hash.clone(),
        at: Stamp::new(now),
    })
}
