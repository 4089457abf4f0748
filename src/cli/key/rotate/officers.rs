//! A rotation in a guarded store: each step is a proposal by one officer, which others approve.

use super::{Outcome, Rotation};
use crate::cli::key::words::{failure, told};
use crate::cli::output::{Exit, Failure};
use hangu::clock::{Clock, Random};
use hangu::secret::{read_public, read_secret};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::guarded::{Change as Guarded, Ending, FileDisk, GuardedError, GuardedKey, Proposing, State, Terms, Writer};
use keys::guarded::{fresh, import, read};
use keys::key::{Side, Usage};
use keys::rotation::Proposed;
use keys::store::{Change, Changes, Encoding, NewKey};
use std::cell::RefCell;
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// What became of a proposal while it was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Approval {
    /// It ended, most often by taking effect.
    Ended(Ending),
    /// It waits on.
    Missing,
}

impl Approval {
    pub(super) fn is_in_force(self) -> bool {
        self == Self::Ended(Ending::Applied)
    }
}

/// Proposals about the keys of a rotation that may still be approved.
pub(super) fn proposed(state: &State, shelf: (&str, Side, Usage), now: OffsetDateTime) -> Vec<Proposed> {
    let open = state.open_about(shelf, now);
    open.map(|open| Proposed {
        number: open.number,
        needed: state.needed(open),
    })
    .collect()
}

impl Rotation<'_> {
    /// Statuses that change, proposed over the very state of the log that the plan was made from.
    pub(super) fn propose(&self, state: &State, change: &Change) -> Result<Outcome, Failure> {
        let changes = std::slice::from_ref(change);
        let steps = state.steps(changes).map_err(|refusal| self.failed(refusal.into()))?;
        let officer = self.args.signer.open(&told(&steps))?;
        let (mut rng, terms) = (Random(&SystemEntropy), self.terms());
        let proposing = Proposing {
            folder: &self.config.keys.folder,
            officer: &officer,
            terms,
            head: state.head(),
            rng: RefCell::new(&mut rng),
        };
        let applied = proposing.apply(changes).map_err(|error| self.failed(error))?;
        Ok(Outcome::Changed(change.clone(), applied))
    }

    /// A successor, made here or given in a file, proposed as a key that does not work yet.
    pub(super) fn propose_key(&self, state: &State, new: &NewKey, announced: Option<String>) -> Result<Outcome, Failure> {
        let (master, mut rng) = (self.config.keys.master()?, Random(&SystemEntropy));
        let from = self.args.from.as_ref().map(|file| given(file, new.entry.side)).transpose()?;
        let key = match announced.map(zeroize::Zeroizing::new).or(from) {
            None => fresh(state, &master, new, &mut rng),
            Some(text) => import(state, &master, &new.entry, &text, Encoding::Hex, &mut rng),
        };
        let key = key.map_err(|error| self.failed(error))?;
        let officer = self.args.signer.open(&told(&Guarded::Key(Box::new(key.change.clone()))))?;
        let mut writer = self.writer()?;
        let number = writer.propose_key(&officer, &key, self.terms(), &mut rng);
        Ok(made(&key, number.map_err(|error| self.failed(error))?))
    }

    /// The last step was only proposed: to take it back is to withdraw it.
    pub(super) fn withdraw(&self, number: u64) -> Result<Outcome, Failure> {
        let officer = self.args.signer.open("")?;
        let mut writer = self.writer()?;
        let withdrawn = writer.withdraw(&officer, number, SystemClock.now(), &mut Random(&SystemEntropy));
        withdrawn.map_err(|error| self.failed(error))?;
        Ok(Outcome::Withdrawn(number))
    }

    /// Looks at the log again and again until a proposal ended, or the time is over.
    pub(super) fn await_approval(&self, number: u64) -> Result<Approval, Failure> {
        let end = SystemClock.now() + Duration::seconds(self.args.wait_s);
        loop {
            let (_, state) = read(&self.config.keys.folder).map_err(|error| self.failed(error))?;
            if let Some(ending) = state.ending(number) {
                return Ok(Approval::Ended(ending));
            }
            if SystemClock.now() >= end {
                return Ok(Approval::Missing);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn writer(&self) -> Result<Writer<'static>, Failure> {
        Writer::open(&self.config.keys.folder, &FileDisk).map_err(|error| self.failed(error))
    }

    fn terms(&self) -> Terms {
        let now = SystemClock.now();
        Terms {
            now,
            expires: now + Duration::days(self.args.open_days),
        }
    }

    fn failed(&self, error: GuardedError) -> Failure {
        failure(&self.config.keys.folder, error)
    }
}

fn made(key: &GuardedKey, number: u64) -> Outcome {
    Outcome::ProposedKey {
        told: told(&Guarded::Key(Box::new(key.change.clone()))),
        number,
        public: key.change.material.public.clone(),
    }
}

/// A counterparty's public key or certificate, or a secret that was agreed on.
fn given(file: &Path, side: Side) -> Result<zeroize::Zeroizing<String>, Failure> {
    let text = if side == Side::Theirs {
        read_public(file).map(zeroize::Zeroizing::new)
    } else {
        read_secret(file)
    };
    text.map_err(|detail| Failure::new(Exit::Usage, "--from", detail))
}

const LOOK: std::time::Duration = std::time::Duration::from_millis(200);
