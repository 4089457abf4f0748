//! The log checked by whoever doubts it: with no secret, no folder and no trust in the machine that wrote it.
//!
//! Three things are given, of which the log alone is not enough: the officers' public keys tell a store founded by others, and
//! a checkpoint held outside tells a log that was cut short or rewritten.

use super::change::{Genesis, Officer, Witness, read};
use super::offline::Statement;
use super::record::{Broken, Kind, Log};
use super::state::State;

/// What an audit found; good if there are no findings.
pub struct Audit {
    /// The state, if the log is valid.
    pub state: Option<State>,
    pub records: u64,
    pub head: String,
    pub findings: Vec<Finding>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Finding {
    /// Altered, deleted, inserted or moved records, signatures that do not hold, rules that were broken.
    #[error("{0}")]
    Broken(#[from] Broken),
    #[error("{0} bytes behind the last record were never written whole")]
    Torn(usize),
    #[error("the store was founded by other officers than the given ones: {0}")]
    OtherOfficers(String),
    #[error("is no checkpoint: {0}")]
    NoCheckpoint(String),
    #[error("the checkpoint is of another store")]
    OtherStore,
    #[error("the checkpoint's signature by {0} does not hold")]
    CheckpointSignature(String),
    #[error("the log has {records} records, and the checkpoint of record {checkpoint} saw more: it was cut short")]
    Truncated { records: u64, checkpoint: u64 },
    #[error("record {0} is not the one that the checkpoint saw: the log was rewritten, or is another branch")]
    Forked(u64),
}

/// Checks the bytes of a log; against the officers that are known to have founded it and a checkpoint, where given.
pub fn audit(bytes: &[u8], officers: Option<&[Officer]>, checkpoint: Option<&Statement>) -> Audit {
    let log = match Log::read(bytes) {
        Ok(log) => log,
        Err(broken) => return failed(broken, 0, String::new()),
    };
    let state = match State::of(&log) {
        Ok(state) => state,
        Err(broken) => return failed(broken, log.length(), log.head()),
    };
    let torn = (log.torn_bytes() > 0).then(|| Finding::Torn(log.torn_bytes()));
    let officers = officers.and_then(|officers| of_officers(&log, officers));
    let checkpoint = checkpoint.and_then(|checkpoint| of_checkpoint(&log, &state, checkpoint).err());
    Audit {
        records: log.length(),
        head: log.head(),
        findings: torn.into_iter().chain(officers).chain(checkpoint).collect(),
        state: Some(state),
    }
}

fn failed(broken: Broken, records: u64, head: String) -> Audit {
    Audit {
        state: None,
        records,
        head,
        findings: vec![Finding::Broken(broken)],
    }
}

fn of_officers(log: &Log, officers: &[Officer]) -> Option<Finding> {
    let first = log.records().first().and_then(|record| read::<Genesis>(&record.content).ok());
    let named = |officers: &[Officer]| {
        let mut named: Vec<_> = officers
            .iter()
            .map(|one| (one.name.clone(), one.public_key.clone()))
            .collect();
        named.sort();
        named
    };
    let founders = first.map(|genesis| named(&genesis.officers)).unwrap_or_default();
    let names = founders.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    (founders != named(officers)).then_some(Finding::OtherOfficers(names))
}

fn of_checkpoint(log: &Log, state: &State, checkpoint: &Statement) -> Result<(), Finding> {
    if checkpoint.kind != Kind::Checkpoint {
        return Err(Finding::NoCheckpoint(format!("it is a {}", checkpoint.kind.name())));
    }
    let witness: Witness = read(&checkpoint.content).map_err(|refusal| Finding::NoCheckpoint(refusal.to_string()))?;
    if witness.store != state.store() {
        return Err(Finding::OtherStore);
    }
    let Some(head) = log.head_at(witness.number) else {
        return Err(Finding::Truncated {
            records: log.length(),
            checkpoint: witness.number,
        });
    };
    if head != witness.head {
        return Err(Finding::Forked(witness.number));
    }
    holds(log, checkpoint, &witness)
}

/// Signed by who was an officer when it was made.
fn holds(log: &Log, checkpoint: &Statement, witness: &Witness) -> Result<(), Finding> {
    let refused = || Finding::CheckpointSignature(witness.officer.clone());
    let then = State::until(log, witness.number).map_err(Finding::Broken)?;
    let text = Kind::Checkpoint.signed_text(&checkpoint.content);
    match checkpoint.signatures.as_slice() {
        [signed] if signed.officer == witness.officer => then.holds(signed, &text).map_err(|_| refused()),
        _ => Err(refused()),
    }
}
