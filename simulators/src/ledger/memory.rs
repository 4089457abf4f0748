//! A ledger that remembers so many payments: older ones leave for a shelf. Balances and agreements stay.

#[cfg(test)]
mod tests;

use super::{Answer, Ledger};
use crate::report::{BookEntry, Gone, Shelf, Window, business_key};
use codecs::payment::{Attribute, Operation, Payment};
use std::collections::VecDeque;

pub(super) struct Memory {
    window: Window,
    gone: Gone,
    /// Idempotency keys, oldest first.
    requests: VecDeque<String>,
}

impl Ledger {
    /// From now on so many payments are remembered that are over.
    pub fn remember(&mut self, size: usize, shelf: Box<dyn Shelf>) {
        self.memory = Some(Memory {
            window: Window::new(size, shelf),
            gone: Gone::default(),
            requests: VecDeque::new(),
        });
    }

    /// Puts everything that is still remembered onto the shelf, and closes it.
    pub fn shelve(&mut self) -> Result<(), String> {
        let book = self.book();
        let Some(memory) = &mut self.memory else { return Ok(()) };
        for (key, entry) in &book.entries {
            memory.window.put(key, entry);
        }
        memory.window.close()
    }

    /// Payments of which something but a digest is known.
    pub fn remembered(&self) -> usize {
        self.done.len()
    }

    /// The answer to a request that was answered long before.
    pub(super) fn forgotten(&self, key: &str) -> Option<Answer> {
        let outcome = self.memory.as_ref()?.gone.outcome(key)?;
        Some(Answer::new(outcome).again())
    }

    /// The same for a query of it.
    pub(super) fn forgotten_original(&self, query: &Payment) -> Option<Answer> {
        let id = query.text(Attribute::OriginalEndToEndId)?;
        let key = |operation: &Operation| business_key(*operation, Some(id), "", None);
        Operation::ALL.iter().find_map(|operation| self.forgotten(&key(operation)))
    }

    /// Remembers a payment, and lets go of old ones.
    pub(super) fn shed(&mut self, key: &str) {
        let Some(mut memory) = self.memory.take() else { return };
        for old in memory.window.enter(key) {
            let is_open = self.done.get(&old).is_some_and(|done| !done.answer.outcome.is_final());
            if is_open {
                memory.window.stay(old);
            } else if let Some(entry) = self.forget(&old) {
                memory.window.put(&old, &entry);
                memory.gone.note(&old, &entry.outcome);
            }
        }
        self.memory = Some(memory);
    }

    pub(super) fn forget_requests(&mut self, key: &str) {
        let Some(memory) = &mut self.memory else { return };
        memory.requests.push_back(key.to_owned());
        let over = memory.requests.len().saturating_sub(memory.window.size());
        for old in memory.requests.drain(..over) {
            self.keys.remove(&old);
        }
    }

    fn forget(&mut self, key: &str) -> Option<BookEntry> {
        let done = self.done.remove(key)?;
        for (ids, id) in [
            (&mut self.by_msg_id, &done.book.msg_id),
            (&mut self.by_end_to_end_id, &done.book.end_to_end_id),
        ] {
            if ids.get(id).is_some_and(|named| named == key) {
                ids.remove(id);
            }
        }
        let numbers = self.by_reference.remove(key).unwrap_or_default();
        for number in &numbers {
            self.entries.remove(number);
        }
        Some(BookEntry {
            executions: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
            ..done.book
        })
    }
}
