//! The tape of a run: everything that the parties sent and got, in order, with its time.

use crate::witness::{Seen, Witness};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// One thing that was seen.
#[derive(Clone)]
pub struct Event {
    /// Since the tape was started.
    pub at_ms: u64,
    pub at_us: u64,
    pub seen: Seen,
    /// An expectation was met by it.
    pub(super) is_taken: bool,
}

pub struct Tape {
    started: Instant,
    events: Mutex<Vec<Event>>,
    length: watch::Sender<usize>,
}

impl Default for Tape {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            events: Mutex::default(),
            length: watch::Sender::new(0),
        }
    }
}

impl Tape {
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes the first event that fits and was not taken before.
    pub(super) fn take(&self, fits: impl Fn(usize, &Event) -> bool) -> Option<(usize, Event)> {
        let mut events = self.lock();
        let found = events
            .iter()
            .enumerate()
            .position(|(place, event)| !event.is_taken && fits(place, event))?;
        let event = events.get_mut(found)?;
        event.is_taken = true;
        Some((found, event.clone()))
    }

    /// Returns when there is more than was seen, or when the time is over.
    pub async fn more_than(&self, seen: usize, deadline: Instant) {
        let mut length = self.length.subscribe();
        // The sender lives as long as the tape, so only the time can end the wait otherwise.
        drop(tokio::time::timeout_at(deadline, length.wait_for(|length| *length > seen)).await);
    }

    pub fn length(&self) -> usize {
        *self.length.borrow()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Tape {
    fn saw(&self, seen: Seen) {
        let at_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut events = self.lock();
        events.push(Event {
            at_ms: at_us / 1000,
            at_us,
            seen,
            is_taken: false,
        });
        self.length.send_replace(events.len());
    }
}
