//! A journal around the real synchronous core: writes become durable at one moment within a wait, so that a crash falls before
//! it, or after it and before the answer; now and then it refuses, or does not know what became of a commit.
//!
//! The planted one lies: it answers first and becomes durable later.

use super::world::{World, lock};
use async_trait::async_trait;
use hangu::journal::sqlite::Store;
use hangu::journal::{Found, Journal, JournalError, Read, Write, Written};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// The journal, shared by all lives of a gateway.
pub(crate) struct FakeJournal {
    world: Arc<World>,
    store: Mutex<Store>,
    /// Of the planted journal: every write with the moment from which it survives a crash.
    unsafe_log: Option<Mutex<Vec<(Instant, Write)>>>,
}

impl FakeJournal {
    pub(crate) fn new(world: Arc<World>, lies: bool) -> Self {
        Self {
            world,
            store: Mutex::new(Store::memory().unwrap()),
            unsafe_log: lies.then(Mutex::default),
        }
    }

    /// What a crash does to it: nothing, unless it lied.
    pub(crate) fn crash(&self) {
        let Some(log) = &self.unsafe_log else { return };
        let now = Instant::now();
        let mut log = lock(log);
        let durable = log.iter().position(|(at, _)| *at > now).unwrap_or(log.len());
        log.truncate(durable);
        let mut store = Store::memory().unwrap();
        for (_, write) in log.iter() {
            drop(store.apply(write));
        }
        *lock(&self.store) = store;
    }

    /// A look at what is stored, for the oracle.
    pub(crate) fn look(&self, read: &Read) -> Found {
        lock(&self.store).query(read).unwrap()
    }

    fn apply(&self, write: &Write) -> Result<Written, JournalError> {
        if let Some(log) = &self.unsafe_log {
            let at = Instant::now() + LIE;
            lock(log).push((at, write.clone()));
        }
        lock(&self.store).apply(write)
    }
}

#[async_trait]
impl Journal for FakeJournal {
    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        self.world.pause(4).await;
        if self.world.fault(1) {
            return Err(JournalError::Refused("no space left".to_owned()));
        }
        if self.world.fault(1) {
            if self.world.below(2) == 0 {
                drop(self.apply(&write));
            }
            return Err(JournalError::Unknown("input/output error at commit".to_owned()));
        }
        let written = self.apply(&write);
        self.world.pause(4).await;
        written
    }

    async fn read(&self, read: Read) -> Result<Found, JournalError> {
        self.world.pause(1).await;
        if self.world.fault(1) {
            return Err(JournalError::Refused("the reader is busy".to_owned()));
        }
        let found = lock(&self.store).query(&read);
        self.world.point().await;
        found
    }

    async fn close(&self) {}
}

/// How long the planted journal's answer runs ahead of the truth.
const LIE: Duration = Duration::from_millis(400);
