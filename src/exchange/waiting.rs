//! Who waits for whom within this instance. The journal holds the truth; this only wakes up.

use crate::journal::ExchangeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Tasks that wait for an exchange to get its outcome.
#[derive(Default)]
pub(super) struct Waiting(Mutex<BTreeMap<ExchangeId, Vec<oneshot::Sender<Instant>>>>);

impl Waiting {
    /// Registers before the state is read, so that a change in between is not missed. The receiver learns when the
    /// counterparty's answer arrived.
    pub(super) fn register(&self, id: ExchangeId) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = lock(&self.0);
        if waiters.len() >= SWEEP_AT {
            forget(&mut waiters);
        }
        let list = waiters.entry(id).or_default();
        list.retain(|waiter| !waiter.is_closed());
        list.push(sender);
        receiver
    }

    pub(super) fn wake(&self, id: ExchangeId, arrived: Instant) {
        for waiter in lock(&self.0).remove(&id).unwrap_or_default() {
            // A waiter that gave up needs no word.
            let _woken = waiter.send(arrived).is_ok();
        }
    }

    /// Forgets an exchange whose waiters have all given up.
    pub(super) fn sweep(&self) {
        forget(&mut lock(&self.0));
    }
}

/// Exchanges that a task of this instance has in hand, so that the sweeper leaves them alone.
#[derive(Default)]
pub(super) struct Hands(std::sync::Arc<Mutex<BTreeSet<ExchangeId>>>);

/// Holds an exchange until dropped.
pub(super) struct Hold {
    hands: std::sync::Arc<Mutex<BTreeSet<ExchangeId>>>,
    id: ExchangeId,
}

impl Hands {
    /// `None` if another task has it.
    pub(super) fn take(&self, id: ExchangeId) -> Option<Hold> {
        lock(&self.0).insert(id).then(|| Hold {
            hands: self.0.clone(),
            id,
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.hands).remove(&self.id);
    }
}

fn forget(waiters: &mut BTreeMap<ExchangeId, Vec<oneshot::Sender<Instant>>>) {
    waiters.retain(|_, list| {
        list.retain(|waiter| !waiter.is_closed());
        !list.is_empty()
    });
}

/// Entries of waiters that gave up are cleared away from this many on.
const SWEEP_AT: usize = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
