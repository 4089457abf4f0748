//! The keyring in use while it is replaced: what may go out under it, and whether it is as new as those of the others.
//!
//! A step of a message takes the keyring once and ends with it; the next step takes the one that stands then, so that a key
//! that was revoked meanwhile is not used again. Nothing that was kept of envelopes goes from one keyring to the next.

use super::state::print;
use super::traffic::Seen;
use super::{Gateway, LinkParts, Trouble};
use crate::clock::{BEIJING, Random, from_millis, millis};
use crate::journal::{MessageRecord, Millis};
use crate::pipeline::{self, Names, Received, Rejection, Signed, Under};
use crate::record;
use codecs::wire::Wire;
use keys::error::KeyError;
use keys::key::{Side, Status, Usage};
use keys::keyring::{JOURNAL_LINK, Keyring};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Why a keyring is not taken in place of the one in use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    #[error("the journal was written under other keys: its oldest journal key must stay in the folder, and must not be revoked")]
    OtherJournal,
    #[error("nothing could be made durable under it: {0}")]
    NoJournalKey(KeyError),
}

/// What the gateway knows of its keyring beside the keys.
pub(super) struct InUse {
    /// When this keyring came into use.
    since: AtomicI64,
    /// From when on another instance's keyring makes this one too old to serve.
    outdated_from: AtomicI64,
    /// Why the folder as it stands is not in use.
    refused: Mutex<Option<String>>,
}

impl Gateway {
    /// Puts another keyring in place, if the journal can be kept under it; the same one again changes nothing. True if it was
    /// another one.
    pub fn adopt(&self, keyring: Keyring) -> Result<bool, Unfit> {
        let in_use = self.keyring();
        let known = print(&in_use).map_err(Unfit::NoJournalKey)?;
        if print(&keyring).map_err(Unfit::NoJournalKey)? != known {
            return Err(Unfit::OtherJournal);
        }
        keyring.journal(self.clock.now()).map_err(Unfit::NoJournalKey)?;
        self.in_use.refuse(None);
        if keyring.version() == in_use.version() {
            return Ok(false);
        }
        self.replace_keyring(Arc::new(self.config.reusing(keyring).with_working_of(&in_use)));
        Ok(true)
    }

    /// Notes why the keyring that could be had is not in use.
    pub fn refuse_keyring(&self, reason: String) {
        self.counters.keyring_refused();
        self.in_use.refuse(Some(reason));
    }

    /// Why the folder's keyring is not the one in use, if it is not.
    pub fn keyring_refused(&self) -> Option<String> {
        self.in_use.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another keyring in place; messages in hand finish their step with the one that it began with.
    pub fn replace_keyring(&self, keyring: Arc<Keyring>) {
        self.in_use.since.store(millis(self.clock.now()), Ordering::Relaxed);
        self.keyring.store(keyring);
        self.counters.keyring_replaced();
    }

    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.load_full()
    }

    /// What this instance saw of every key, an earlier life of it included.
    pub fn key_traffic(&self) -> Vec<Seen> {
        self.traffic.all()
    }

    /// Whether another instance's keyring knows of a promotion that has come and that this one's does not: then this one
    /// neither takes nor sends.
    pub fn is_outdated(&self) -> bool {
        millis(self.clock.now()) >= self.in_use.outdated_from.load(Ordering::Relaxed)
    }

    pub(super) fn check_current(&self) -> Result<(), Trouble> {
        if self.is_outdated() { Err(Trouble::Outdated) } else { Ok(()) }
    }

    /// What the others' keyrings say: the instants of their latest promotions.
    pub(super) fn compare_promotions(&self, others: impl Iterator<Item = Millis>) {
        let ours = self.keyring.load().promoted().map_or(0, millis);
        let first = others.filter(|theirs| *theirs > ours).min();
        self.in_use
            .outdated_from
            .store(first.unwrap_or(Millis::MAX), Ordering::Relaxed);
    }

    /// The same, where a device that did not do its part is trouble of ours and no refusal of the message.
    pub(super) fn received(
        &self,
        link: &LinkParts,
        wire: &Wire,
        at: Millis,
    ) -> Result<Result<Received, Box<Rejection>>, Trouble> {
        match self.receive(link, wire, at) {
            Err(rejection) if rejection.is_of_device() => Err(Trouble::Device(rejection.detail)),
            received => Ok(received),
        }
    }

    /// A message through the pipeline under the keyring of this moment.
    pub(super) fn receive(&self, link: &LinkParts, wire: &Wire, at: Millis) -> Result<Received, Box<Rejection>> {
        let keyring = self.keyring.load();
        let received = aside(&keyring, || pipeline::receive(wire, link.view(&keyring), from_millis(at)))?;
        for key in &received.under {
            if let Some(mark) = &key.working {
                keyring.take_into_use(&link.name, &key.serial, mark);
            }
        }
        self.traffic.received(&link.name, &received.under, millis(self.clock.now()));
        Ok(received)
    }

    /// The answer to a terminal's sign-in; `None` where a message is none.
    pub(super) fn sign_in(&self, link: &LinkParts, wire: &Wire) -> Option<Result<Wire, Box<Rejection>>> {
        let (keyring, local) = (self.keyring.load(), self.clock.now().to_offset(BEIJING));
        let answer = pipeline::sign_in(wire, link.view(&keyring), local, &mut Random(&*self.entropy))?;
        if answer.is_ok() {
            tracing::info!(link = link.name, "a terminal signed in");
        }
        Some(answer)
    }

    /// Stored bytes of ours, unless a key that they stand under may not be used any more: those are never sent.
    pub(super) fn outgoing(&self, message: &MessageRecord) -> Result<Option<Wire>, Trouble> {
        self.check_current()?;
        let wire = record::open(&self.keyring.load(), message)?;
        let link = self.link(&message.link)?;
        Ok(self.may_go_out(link, message, &wire).then_some(wire))
    }

    /// Whether stored bytes of ours may be sent.
    pub(super) fn may_go_out(&self, link: &LinkParts, message: &MessageRecord, wire: &Wire) -> bool {
        let keyring = self.keyring.load();
        // A party that signed in again knows no key from before, and its message names none.
        if link.spec.has_key_for_each() && keyring.held_sealers(&link.name).next().is_some() {
            return pipeline::holds(wire, link.view(&keyring), self.clock.now());
        }
        if self.is_of_this_keyring(message) {
            return true;
        }
        match pipeline::named(wire, link.view(&keyring)) {
            Names::Keys(under) => {
                let may = self.may_be_used(&keyring, link, &under);
                if may {
                    self.traffic.sent(&link.name, &under, millis(self.clock.now()));
                }
                may
            }
            // Which key it was cannot be told, so none may have been revoked.
            Names::Nothing => !keyring.infos().any(|info| {
                info.link == link.name && info.usage != Usage::Seal && info.side != Side::Theirs && info.status == Status::Revoked
            }),
        }
    }

    /// Whether what was signed a moment ago may still be sent.
    pub(super) fn is_still_good(&self, link: &LinkParts, signed: &Signed) -> bool {
        self.may_be_used(&self.keyring.load(), link, signed.under())
    }

    fn may_be_used(&self, keyring: &Keyring, link: &LinkParts, under: &[Under]) -> bool {
        let now = self.clock.now();
        under.iter().all(|key| {
            if let Some(mark) = &key.working {
                let held = keyring.working(&link.name, &key.serial, now);
                return held.iter().any(|held| held.mark == *mark);
            }
            keyring.infos().any(|info| {
                let is_named = info.link == link.name && info.side == key.side && info.usage == key.usage;
                is_named && info.serial == key.serial && info.status.is_live() && info.is_valid(now)
            })
        })
    }

    /// Written within seconds and under the keyring in use, also by an instance that took it a little later than this one.
    fn is_of_this_keyring(&self, message: &MessageRecord) -> bool {
        let age = millis(self.clock.now()).saturating_sub(message.at);
        let since = self.in_use.since.load(Ordering::Relaxed);
        age < FRESH_MS && message.at > since.saturating_add(APART_MS)
    }

    /// Notes the journal key that keeps a message.
    pub(super) fn note_sealed(&self, message: &MessageRecord) {
        self.traffic.journal(JOURNAL_LINK, &message.record.key, message.at);
    }
}

/// Runs a step of the pipeline. Where keys lie in devices it may wait for one: then the runtime's thread is given up for the
/// time, so that no other task waits too.
pub(super) fn aside<T>(keyring: &Keyring, step: impl FnOnce() -> T) -> T {
    let is_shared = || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if !keyring.placements().is_empty() && is_shared() {
        tokio::task::block_in_place(step)
    } else {
        step()
    }
}

impl InUse {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            since: AtomicI64::new(now),
            outdated_from: AtomicI64::new(Millis::MAX),
            refused: Mutex::default(),
        }
    }

    fn refuse(&self, reason: Option<String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// Bytes this young are not read for the keys that they name, if their keyring is still in use.
const FRESH_MS: i64 = 5_000;
/// How much later another instance may have taken the same keyring.
const APART_MS: i64 = 10_000;
