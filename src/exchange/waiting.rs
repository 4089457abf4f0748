//! Who waits for whom within this instance. The journal holds the truth; this only wakes up.

use crate::journal::ExchangeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Tasks that wait for word of an exchange. Entries go with their waiters, so there are no more than tasks in flight.
#[derive(Default)]
pub(super) struct Waiting(Arc<Mutex<Waiters>>);

type Waiters = BTreeMap<ExchangeId, watch::Sender<Option<Instant>>>;

/// One task's place; given up when dropped.
pub(super) struct Waiter {
    waiters: Arc<Mutex<Waiters>>,
    id: ExchangeId,
    word: Option<watch::Receiver<Option<Instant>>>,
}

impl Waiting {
    /// Registers before the state is read, so that a change in between is not missed.
    pub(super) fn register(&self, id: ExchangeId) -> Waiter {
        let word = lock(&self.0)
            .entry(id)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe();
        Waiter {
            waiters: self.0.clone(),
            id,
            word: Some(word),
        }
    }

    /// Tells whoever waits when the counterparty's answer arrived. An exchange that nobody waits for is no matter.
    pub(super) fn wake(&self, id: ExchangeId, arrived: Instant) {
        if let Some(sender) = lock(&self.0).get(&id) {
            sender.send_replace(Some(arrived));
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

impl Waiter {
    /// Waits for word, at most so long. Word proves nothing: whoever hears it reads the journal.
    pub(super) async fn word(&mut self, limit: Duration) -> Option<Instant> {
        let word = self.word.as_mut()?;
        tokio::time::timeout(limit, word.changed()).await.ok()?.ok()?;
        *word.borrow_and_update()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = lock(&self.waiters);
        self.word = None;
        if waiters.get(&self.id).is_some_and(|sender| sender.receiver_count() == 0) {
            waiters.remove(&self.id);
        }
    }
}

/// Exchanges that a task of this instance has in hand, so that the sweeper leaves them alone.
#[derive(Default)]
pub(super) struct Hands(Arc<Mutex<BTreeSet<ExchangeId>>>);

/// Holds an exchange until dropped.
pub(super) struct Hold {
    hands: Arc<Mutex<BTreeSet<ExchangeId>>>,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_waiter_hears_and_leaves_nothing_behind() {
        let waiting = Waiting::default();
        let (mut first, mut second, mut other) = (waiting.register(1), waiting.register(1), waiting.register(2));
        let arrived = Instant::now();
        waiting.wake(1, arrived);
        waiting.wake(3, arrived);
        let second_long = Duration::from_secs(1);
        assert_eq!(first.word(second_long).await, Some(arrived));
        assert_eq!(second.word(second_long).await, Some(arrived));
        assert_eq!(other.word(second_long).await, None);
        drop(first);
        assert_eq!(waiting.len(), 2);
        drop((second, other));
        assert_eq!(waiting.len(), 0);
    }
}
