//! Which publication waits under which delivery tag, and what becomes of it.
//!
//! Pure bookkeeping of one publish channel: it knows neither the client nor the network. Every waiter gets exactly one
//! word, and a waiter that is dropped gets the word that is true at that moment.

use crate::mq::Published;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// A publication's claim on the bounds of unconfirmed messages; dropped, it makes room.
#[derive(Debug)]
pub(super) struct Room {
    _count: Option<OwnedSemaphorePermit>,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(count: Option<OwnedSemaphorePermit>, bytes: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            _count: count,
            _bytes: bytes,
        }
    }
}

/// One publication that waits for the broker's word.
#[derive(Debug)]
pub(super) struct Waiter {
    word: Option<oneshot::Sender<Published>>,
    fate: Fate,
    _room: Room,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Fate {
    /// Not handed to the client: certainly not taken.
    Unsent,
    /// It may be anywhere between the client and the broker's disk.
    Sent,
    /// Given back by the broker: certainly not taken.
    Returned(String),
    /// One of several with the same message id was given back, and nothing says which.
    Doubtful,
}

impl Waiter {
    pub(super) fn new(word: oneshot::Sender<Published>, room: Room) -> Self {
        Self {
            word: Some(word),
            fate: Fate::Unsent,
            _room: room,
        }
    }

    fn resolve(mut self, word: Published) {
        self.speak(word);
    }

    fn speak(&mut self, word: Published) {
        if let Some(sender) = self.word.take() {
            // Nobody listens any more when the publisher gave up; the message keeps its room until here.
            drop(sender.send(word));
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let word = match std::mem::replace(&mut self.fate, Fate::Sent) {
            Fate::Unsent => Published::Refused("connection lost before it was sent".to_owned()),
            Fate::Returned(reason) => Published::Refused(reason),
            Fate::Sent | Fate::Doubtful => Published::Unknown("connection lost before the confirm".to_owned()),
        };
        self.speak(word);
    }
}

/// The waiters of one publish channel, from its opening to its end.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    tags: u64,
    waiting: BTreeMap<u64, Entry>,
    /// A confirm arrived on this channel: it is alive.
    heard: bool,
    /// Why the broker takes nothing on this connection, for as long as it says so.
    blocked: Option<String>,
    abandoned: bool,
}

#[derive(Debug)]
struct Entry {
    waiter: Waiter,
    queue: String,
    message_id: String,
    since: Instant,
}

impl Confirms {
    /// Gives the next delivery tag: the broker counts publications on a channel from 1 in order of arrival
    /// (RabbitMQ, publisher confirms). The caller must send at once, and nothing in between.
    pub(super) fn enter(&self, mut waiter: Waiter, queue: &str, message_id: &str) -> Option<u64> {
        let mut table = self.lock();
        if table.abandoned {
            return None;
        }
        waiter.fate = Fate::Sent;
        table.tags += 1;
        let tag = table.tags;
        let entry = Entry {
            waiter,
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            since: Instant::now(),
        };
        table.waiting.insert(tag, entry);
        Some(tag)
    }

    pub(super) fn acked(&self, tag: u64, multiple: bool) {
        for waiter in self.settle(tag, multiple) {
            let word = match &waiter.fate {
                // An unroutable message is acknowledged too, after its return.
                Fate::Returned(reason) => Published::Refused(reason.clone()),
                Fate::Doubtful => Published::Unknown("one of several with this message id was returned".to_owned()),
                Fate::Sent | Fate::Unsent => Published::Confirmed,
            };
            waiter.resolve(word);
        }
    }

    pub(super) fn nacked(&self, tag: u64, multiple: bool) {
        for waiter in self.settle(tag, multiple) {
            waiter.resolve(Published::Refused("the broker refused it (nack)".to_owned()));
        }
    }

    /// A return carries no delivery tag, so it is paired by queue and message id.
    pub(super) fn returned(&self, queue: &str, message_id: Option<&str>, reason: &str) {
        let mut table = self.lock();
        let same = |entry: &&mut Entry| {
            let settled = matches!(entry.waiter.fate, Fate::Returned(_));
            !settled && entry.queue == queue && Some(entry.message_id.as_str()) == message_id
        };
        let mut entries: Vec<&mut Entry> = table.waiting.values_mut().filter(same).collect();
        match entries.as_mut_slice() {
            [only] if only.waiter.fate == Fate::Sent => only.waiter.fate = Fate::Returned(reason.to_owned()),
            several => several.iter_mut().for_each(|entry| entry.waiter.fate = Fate::Doubtful),
        }
    }

    /// Ends the channel: everything that waits gets its last word, and nothing enters any more.
    pub(super) fn abandon(&self) {
        let waiting = {
            let mut table = self.lock();
            table.abandoned = true;
            std::mem::take(&mut table.waiting)
        };
        drop(waiting);
    }

    pub(super) fn block(&self, reason: String) {
        self.lock().blocked = Some(reason);
    }

    /// The broker reads again: whoever waited through the block has a full time to be confirmed in.
    pub(super) fn unblock(&self) {
        let mut table = self.lock();
        table.blocked = None;
        for entry in table.waiting.values_mut() {
            entry.since = Instant::now();
        }
    }

    pub(super) fn blocked(&self) -> Option<String> {
        self.lock().blocked.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(super) fn heard(&self) -> bool {
        self.lock().heard
    }

    /// How long the oldest publication has waited.
    pub(super) fn oldest_age(&self) -> Duration {
        let oldest = self.lock().waiting.first_key_value().map(|(_, entry)| entry.since);
        oldest.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn settle(&self, tag: u64, multiple: bool) -> Vec<Waiter> {
        let mut table = self.lock();
        table.heard = true;
        if !multiple {
            return table.waiting.remove(&tag).map(|entry| entry.waiter).into_iter().collect();
        }
        // Tag 0 with `multiple` means everything outstanding (AMQP 0-9-1, basic.ack).
        let later = if tag == 0 {
            BTreeMap::new()
        } else {
            table.waiting.split_off(&tag.saturating_add(1))
        };
        let settled = std::mem::replace(&mut table.waiting, later);
        settled.into_values().map(|entry| entry.waiter).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
