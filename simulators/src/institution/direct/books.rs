//! An institution's own books: what it asked for or was asked for, and how that ended.

use crate::report::{Book, BookEntry, Gone, Shelf, Window, business_key, has_effect};
use codecs::payment::{Attribute, Operation, Outcome, Payment};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Books {
    entries: BTreeMap<String, Booked>,
    window: Option<Window>,
    gone: Gone,
}

/// A request and what is known of it.
#[derive(Clone)]
pub(super) struct Booked {
    pub(super) request: Payment,
    pub(super) outcome: Outcome,
    pub(super) bank_tx_id: String,
    executions: u32,
}

impl Books {
    /// Notes a request of the institution's own.
    pub(super) fn begin(&mut self, request: &Payment) {
        let booked = Booked {
            request: request.clone(),
            outcome: Outcome::Unknown,
            bank_tx_id: String::new(),
            executions: 0,
        };
        let key = key(request);
        self.entries.entry(key.clone()).or_insert(booked);
        self.shed(&key);
    }

    /// A final outcome is never replaced.
    pub(super) fn end(&mut self, request: &Payment, outcome: &Outcome) {
        if let Some(booked) = self
            .entries
            .get_mut(&key(request))
            .filter(|booked| !booked.outcome.is_final())
        {
            booked.outcome = outcome.clone();
        }
    }

    /// Executes a request of the bank's once, whatever is repeated.
    pub(super) fn execute(&mut self, request: &Payment, outcome: Outcome, bank_tx_id: String) -> Booked {
        let executions = u32::from(outcome == Outcome::Success && request.operation.moves_money());
        let booked = Booked {
            request: request.clone(),
            outcome,
            bank_tx_id,
            executions,
        };
        let key = key(request);
        if let Some(outcome) = self.gone.outcome(&key) {
            return Booked {
                outcome,
                executions: 0,
                ..booked
            };
        }
        let booked = self.entries.entry(key.clone()).or_insert(booked).clone();
        self.shed(&key);
        booked
    }

    /// From now on so many payments are remembered that are over.
    pub(super) fn remember(&mut self, size: usize, shelf: Box<dyn Shelf>) {
        self.window = Some(Window::new(size, shelf));
    }

    /// Puts everything that is still remembered onto the shelf, and closes it.
    pub(super) fn shelve(&mut self) -> Result<(), String> {
        let book = self.book();
        let Some(window) = &mut self.window else { return Ok(()) };
        for (key, entry) in &book.entries {
            window.put(key, entry);
        }
        window.close()
    }

    fn shed(&mut self, key: &str) {
        let Some(window) = &mut self.window else { return };
        for old in window.enter(key) {
            if self.entries.get(&old).is_some_and(|booked| !booked.outcome.is_final()) {
                window.stay(old);
            } else if let Some(booked) = self.entries.remove(&old).filter(|old| has_effect(old.request.operation)) {
                let entry = booked.entry();
                window.put(&old, &entry);
                self.gone.note(&old, &entry.outcome);
            }
        }
    }

    /// What a query asks for: the money under the name that it gives.
    pub(super) fn asked_for(&self, query: &Payment) -> Option<&Booked> {
        let id = query.text(Attribute::OriginalEndToEndId)?;
        self.entries
            .values()
            .find(|booked| booked.request.operation.moves_money() && name(&booked.request) == id)
    }

    /// What was booked under an end-to-end id.
    pub(super) fn named(&self, id: &str) -> Option<&Booked> {
        self.entries.values().find(|booked| name(&booked.request) == id)
    }

    /// How often requests of the bank's under this id were executed.
    pub(super) fn executions(&self, id: &str) -> u64 {
        let named = self.entries.values().filter(|booked| name(&booked.request) == id);
        named.map(|booked| u64::from(booked.executions)).sum()
    }

    pub(super) fn book(&self) -> Book {
        let entry = |(key, booked): (&String, &Booked)| (key.clone(), booked.entry());
        Book {
            entries: self
                .entries
                .iter()
                .filter(|(_, booked)| has_effect(booked.request.operation))
                .map(entry)
                .collect(),
        }
    }
}

impl Booked {
    fn entry(&self) -> BookEntry {
        BookEntry {
            end_to_end_id: name(&self.request).to_owned(),
            original: original(&self.request),
            executions: self.executions,
            ..BookEntry::of(&self.request, &self.outcome)
        }
    }
}

fn key(request: &Payment) -> String {
    business_key(request.operation, Some(name(request)), "", original(request).as_deref())
}

/// What a cancel is about. Institutions have no message ids: the end-to-end id names it.
fn original(request: &Payment) -> Option<String> {
    let id = request.text(Attribute::OriginalEndToEndId);
    id.filter(|_| request.operation == Operation::Cancel).map(ToOwned::to_owned)
}

/// The end-to-end id; for what carries none, the agreement that it ends.
fn name(request: &Payment) -> &str {
    let named = [Attribute::EndToEndId, Attribute::Agreement];
    named
        .into_iter()
        .find_map(|attribute| request.text(attribute))
        .unwrap_or_default()
}
