//! The centre's memory: what it expects, what it has been told, and its book.

use super::answers::CounterBook;
use crate::ids::reference_key;
use crate::report::{Book, BookEntry, Shelf, Window, has_effect, key_of};
use codecs::payment::{Operation, Outcome, Payment, Reason};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Counts of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Figures {
    /// Requests put to the bank, repeats included.
    pub sent: u64,
    /// Messages from the bank that were verified and opened.
    pub verified: u64,
    pub bad_signature: u64,
    /// Refused for another reason: unreadable, not to be opened.
    pub unreadable: u64,
    /// Replies to nothing that was sent.
    pub unmatched: u64,
    /// Replies after the sender had given up.
    pub late: u64,
    /// Replies that say again what is known.
    pub repeated_replies: u64,
    /// Final replies that contradict an earlier final one.
    pub contradicted: u64,
    pub processing: u64,
    /// Final replies after "processing".
    pub final_after_processing: u64,
    /// Requests of the bank that were answered.
    pub answered: u64,
    pub acknowledged: u64,
}

/// A reply as handed to whoever waits for it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) payment: Payment,
    pub(crate) outcome: Outcome,
    /// Digest of the reply's bytes, to see whether a repeat gets the same ones.
    pub(crate) digest: [u8; 32],
    pub(crate) at: Instant,
}

/// A request that was sent: late and repeated replies find it.
struct Expectation {
    business_key: String,
    /// Whether the replies go into the book; not for echoes and queries.
    booked: bool,
    /// Those who wait, until the final reply: a run has many requests, and replies are large.
    waiting: Option<Ends>,
    /// How the final reply ended it.
    ended: Option<&'static str>,
    /// Takes the replies while a repeat or an altered repeat is out.
    probe: Option<mpsc::UnboundedSender<Reply>>,
    /// Other content went out under this key: each copy of it is refused by a reply of its own.
    altered: bool,
    given_up: bool,
}

/// Where the first reply and the final one are handed over.
struct Ends {
    first: watch::Sender<Option<Reply>>,
    last: watch::Sender<Option<Reply>>,
}

/// The two ends that a sender waits on.
pub(crate) struct Waiting {
    pub(crate) first: watch::Receiver<Option<Reply>>,
    pub(crate) last: watch::Receiver<Option<Reply>>,
    pub(crate) since: Instant,
}

pub(crate) struct State {
    keeps_books: bool,
    expectations: BTreeMap<String, Expectation>,
    entries: BTreeMap<String, BookEntry>,
    pub(super) counter: CounterBook,
    pub(super) figures: Figures,
    /// Bounds what is remembered, where it is bounded.
    window: Option<Window>,
}

impl State {
    pub(crate) fn new(keeps_books: bool) -> Self {
        Self {
            keeps_books,
            expectations: BTreeMap::new(),
            entries: BTreeMap::new(),
            counter: CounterBook::default(),
            figures: Figures::default(),
            window: None,
        }
    }

    /// Expects replies to a request, and books it as unknown.
    pub(crate) fn expect(&mut self, communication_key: &str, request: &Payment) -> Waiting {
        let booked = self.keeps_books && has_effect(request.operation);
        let business_key = if booked { key_of(request) } else { String::new() };
        if booked {
            self.entries
                .entry(business_key.clone())
                .or_insert_with(|| BookEntry::of(request, &Outcome::Unknown));
        }
        let ((first, first_end), (last, last_end)) = (watch::channel(None), watch::channel(None));
        let expectation = Expectation {
            business_key,
            booked,
            waiting: Some(Ends { first, last }),
            ended: None,
            probe: None,
            altered: false,
            given_up: false,
        };
        self.expectations.insert(communication_key.to_owned(), expectation);
        self.shed(communication_key);
        Waiting {
            first: first_end,
            last: last_end,
            since: Instant::now(),
        }
    }

    /// Expects replies to a request, unless they are expected already.
    pub(crate) fn expect_once(&mut self, communication_key: &str, request: &Payment) {
        if !self.expectations.contains_key(communication_key) {
            drop(self.expect(communication_key, request));
        }
    }

    /// Hands further replies to a request to the caller, and keeps them from the book.
    pub(crate) fn probe(&mut self, communication_key: &str) -> mpsc::UnboundedReceiver<Reply> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if let Some(expectation) = self.expectations.get_mut(communication_key) {
            expectation.probe = Some(sender);
        }
        receiver
    }

    /// Notes that other content goes out under a known key.
    pub(crate) fn alter(&mut self, communication_key: &str) {
        if let Some(expectation) = self.expectations.get_mut(communication_key) {
            expectation.altered = true;
        }
    }

    pub(crate) fn end_probe(&mut self, communication_key: &str) {
        if let Some(expectation) = self.expectations.get_mut(communication_key) {
            expectation.probe = None;
        }
    }

    /// Notes that the sender no longer waits: what comes from then on is late.
    pub(crate) fn give_up(&mut self, communication_key: &str) {
        if let Some(expectation) = self.expectations.get_mut(communication_key) {
            expectation.given_up = true;
        }
    }

    /// Books an outcome that was learnt by a query or made by a cancel.
    pub(crate) fn settle(&mut self, request: &Payment, outcome: &Outcome) {
        if let Some(entry) = self
            .entries
            .get_mut(&key_of(request))
            .filter(|entry| entry.outcome == Outcome::Unknown.name())
        {
            outcome.name().clone_into(&mut entry.outcome);
        }
    }

    /// Takes a message for a reply if it refers to a request that was sent. `false` when it does not.
    pub(crate) fn take_reply(&mut self, payment: Payment, digest: [u8; 32]) -> bool {
        let Some(key) = reference_key(&payment) else {
            return false;
        };
        let Some(expectation) = self.expectations.get_mut(&key) else {
            return false;
        };
        let outcome = payment.outcome.clone();
        // An echo's reply states none: that it came is the answer.
        let echoes = payment.operation == Operation::Echo;
        let unstated = || {
            if echoes {
                Outcome::Success
            } else {
                Outcome::failed(Reason::Other, "the reply states no outcome")
            }
        };
        let outcome = outcome.unwrap_or_else(unstated);
        let reply = Reply {
            payment,
            outcome,
            digest,
            at: Instant::now(),
        };
        if let Some(probe) = &expectation.probe
            && probe.send(reply.clone()).is_ok()
        {
            return true;
        }
        if expectation.altered && refuses_altered(&reply.outcome) {
            self.figures.repeated_replies += 1;
            return true;
        }
        expectation.take(&reply, &mut self.figures);
        if expectation.booked
            && let Some(entry) = self.entries.get_mut(&expectation.business_key)
            && entry.outcome == Outcome::Unknown.name()
        {
            reply.outcome.name().clone_into(&mut entry.outcome);
        }
        if !self.keeps_books && reply.outcome.is_final() {
            self.expectations.remove(&key);
        }
        true
    }

    /// From now on so many requests are remembered that are over.
    pub(crate) fn remember(&mut self, size: usize, shelf: Box<dyn Shelf>) {
        self.window = Some(Window::new(size, shelf));
    }

    /// Puts everything that is still remembered onto the shelf, and closes it.
    pub(crate) fn shelve(&mut self) -> Result<(), String> {
        let book = self.book();
        let Some(window) = &mut self.window else { return Ok(()) };
        for (key, entry) in &book.entries {
            window.put(key, entry);
        }
        window.close()
    }

    /// Stores a reply to a request of the bank for its repeats.
    pub(super) fn store(&mut self, communication_key: &str, request: &Payment, body: Vec<u8>) {
        self.counter.store(communication_key, request, body);
        if let Some(window) = &mut self.window {
            for (key, entry) in self.counter.shed(window.size()) {
                window.put(&key, &entry);
            }
        }
    }

    fn shed(&mut self, communication_key: &str) {
        let Some(window) = &mut self.window else { return };
        for old in window.enter(communication_key) {
            if self.expectations.get(&old).is_some_and(Expectation::is_open) {
                window.stay(old);
                continue;
            }
            let forgotten = self.expectations.remove(&old);
            let key = forgotten.map(|old| old.business_key).unwrap_or_default();
            if let Some(entry) = self.entries.remove(&key) {
                window.put(&key, &entry);
            }
        }
    }

    /// Requests of which something is remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.expectations.len() + self.entries.len()
    }

    /// What an earlier run booked stands beside what this one books.
    pub(crate) fn carry(&mut self, book: Book) {
        self.entries.extend(book.entries);
    }

    pub(crate) fn book(&self) -> Book {
        let mut entries = self.entries.clone();
        entries.extend(self.counter.entries().map(|(key, entry)| (key.clone(), entry.clone())));
        Book { entries }
    }

    pub(crate) const fn figures(&self) -> Figures {
        self.figures
    }
}

const fn refuses_altered(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed {
            reason: Reason::Altered,
            ..
        }
    )
}

impl Expectation {
    fn take(&mut self, reply: &Reply, figures: &mut Figures) {
        if self.given_up {
            figures.late += 1;
        }
        let (known, is_final) = (self.ended, reply.outcome.is_final());
        let is_first = self.waiting.as_ref().is_some_and(|ends| ends.first.borrow().is_none());
        match known {
            Some(known) if known == reply.outcome.name() || !is_final => figures.repeated_replies += 1,
            Some(_) => figures.contradicted += 1,
            None if !is_final => figures.processing += 1,
            None if !is_first => figures.final_after_processing += 1,
            None => {}
        }
        let Some(ends) = &self.waiting else { return };
        if is_first {
            ends.first.send_replace(Some(reply.clone()));
        }
        if is_final {
            ends.last.send_replace(Some(reply.clone()));
            self.ended = Some(reply.outcome.name());
            self.waiting = None;
        }
    }

    /// Whether somebody waits, or should.
    const fn is_open(&self) -> bool {
        self.ended.is_none() && !self.given_up
    }
}
