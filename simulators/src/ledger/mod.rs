//! The platform's ledger: accounts, agreements, double entries, and one effect for each payment.
//!
//! A balance moves only by an entry that takes an amount from one account and gives it to another, so the sum over all
//! accounts is always zero. It knows no message format and no transport.

mod effects;
mod memory;

#[cfg(test)]
mod tests;

use crate::people::Person;
use crate::report::{Book, BookEntry, business_key, has_effect, key_of};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};
use memory::Memory;
use std::collections::btree_map::Values;
use std::collections::{BTreeMap, BTreeSet};

/// Where customers' opening balances come from.
const OPENING: &str = "opening";
/// What the bank owes to and is owed by the clearing centre.
const CLEARING: &str = "clearing";
/// What institutions that the bank calls have collected for it.
const COLLECTED: &str = "collected";

/// One booking.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Account whose balance falls.
    pub debit: String,
    /// Account whose balance rises.
    pub credit: String,
    pub amount: Money,
    /// Business key of the payment; empty for an opening balance.
    pub reference: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Agreement {
    account: String,
    active: bool,
}

/// The ledger's answer to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    pub agreement: Option<String>,
    /// The customer's account, found through the agreement or the original.
    pub account: Option<String>,
    pub bank_tx_id: String,
    /// The answer was stored before: nothing was executed for this request.
    pub repeated: bool,
}

impl Answer {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            agreement: None,
            account: None,
            bank_tx_id: String::new(),
            repeated: false,
        }
    }

    fn refused(reason: Reason, text: &str) -> Self {
        Self::new(Outcome::failed(reason, text))
    }

    fn again(&self) -> Self {
        Self {
            repeated: true,
            ..self.clone()
        }
    }
}

/// A payment that was decided.
struct Done {
    book: BookEntry,
    content: String,
    answer: Answer,
    account: Option<String>,
    /// For a debit: what refunds have given back.
    refunded: Money,
    /// For a refund: the business key of its debit.
    refund_of: Option<String>,
    cancelled: bool,
}

/// The ledger.
pub struct Ledger {
    account_count: u64,
    balances: BTreeMap<String, Money>,
    /// By their number.
    entries: BTreeMap<usize, Entry>,
    entries_booked: usize,
    /// Numbers of entries by business key.
    by_reference: BTreeMap<String, Vec<usize>>,
    agreements: BTreeMap<String, Agreement>,
    /// By idempotency key: content and business key of the request that used it, and its answer.
    keys: BTreeMap<String, (String, String, Answer)>,
    done: BTreeMap<String, Done>,
    /// Business keys by `MsgId` and by end-to-end id, to find originals.
    by_msg_id: BTreeMap<String, String>,
    by_end_to_end_id: BTreeMap<String, String>,
    /// Ids of originals that were cancelled before they came.
    tombstones: BTreeSet<String>,
    /// What an earlier run booked; nothing of it can be asked for.
    carried: Book,
    serial: u64,
    memory: Option<Memory>,
}

impl Ledger {
    /// A ledger with `account_count` customers, opened when they are first touched.
    pub fn new(account_count: u64) -> Self {
        Self {
            account_count,
            balances: BTreeMap::new(),
            entries: BTreeMap::new(),
            entries_booked: 0,
            by_reference: BTreeMap::new(),
            agreements: BTreeMap::new(),
            keys: BTreeMap::new(),
            done: BTreeMap::new(),
            by_msg_id: BTreeMap::new(),
            by_end_to_end_id: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            carried: Book::default(),
            serial: 0,
            memory: None,
        }
    }

    /// Executes a request once. The same key or the same business with the same content gets the stored answer; with
    /// other content it is refused (design.md 5, rule 3).
    pub fn execute(&mut self, request: &Payment, idempotency_key: &str) -> Answer {
        let (content, key) = (request.business_text(), key_of(request));
        if let Some((known_content, known_key, answer)) = self.keys.get(idempotency_key) {
            if *known_content != content || *known_key != key {
                return Answer::refused(Reason::Altered, "the idempotency key was used for another request");
            }
            // What a query tells may have changed since it was asked; everything else is told again.
            if request.operation != Operation::Query {
                return answer.again();
            }
        }
        let answer = match self.done.get(&key) {
            Some(done) if same_business(request.operation, &done.content, &content) => done.answer.again(),
            Some(_) => return Answer::refused(Reason::Altered, "the payment was sent before with other content"),
            None => match self.forgotten(&key) {
                Some(answer) => return answer,
                None => self.decide(request, &key, &content),
            },
        };
        self.keys.insert(idempotency_key.to_owned(), (content, key, answer.clone()));
        self.forget_requests(idempotency_key);
        answer
    }

    /// Books a payment that the platform itself starts: the customer pays at once, and gets the money back if it fails.
    pub fn begin(&mut self, request: &Payment) -> Answer {
        let (content, key) = (request.business_text(), key_of(request));
        if let Some(done) = self.done.get(&key) {
            return done.answer.again();
        }
        let mut answer = self.reserve(request, &key);
        if answer.outcome == Outcome::Success {
            answer.outcome = Outcome::Unknown;
        }
        self.note(request, &key, content, &answer);
        answer
    }

    /// Takes the outcome of a payment that the platform started. A final outcome is never replaced.
    pub fn settle(&mut self, request: &Payment, outcome: &Outcome) {
        let key = key_of(request);
        let Some(done) = self
            .done
            .get_mut(&key)
            .filter(|done| !done.answer.outcome.is_final() && outcome.is_final())
        else {
            return;
        };
        done.answer.outcome = outcome.clone();
        outcome.name().clone_into(&mut done.book.outcome);
        match outcome {
            Outcome::Success => self.finish(request, &key),
            Outcome::Failed { .. } => self.give_back(&key),
            Outcome::Unknown => {}
        }
    }

    pub fn balance(&self, account: &str) -> Option<Money> {
        let opened = self.balances.get(account).copied();
        opened.or_else(|| Person::of_account(account, self.account_count).map(|person| person.opening_balance()))
    }

    /// The sum of all balances, which is zero whatever was booked.
    pub fn sum(&self) -> i128 {
        self.balances.values().map(|balance| i128::from(balance.fen())).sum()
    }

    /// In the order of their booking.
    pub fn entries(&self) -> Values<'_, usize, Entry> {
        self.entries.values()
    }

    /// How many times money moved for payments with this end-to-end id, reversals not counted.
    pub fn executions(&self, end_to_end_id: &str) -> usize {
        let keys = Operation::ALL
            .iter()
            .map(|operation| business_key(*operation, Some(end_to_end_id), "", None));
        keys.filter_map(|key| self.by_reference.get(&key)).map(Vec::len).sum()
    }

    /// Takes over what an earlier run booked.
    pub fn carry(&mut self, book: Book) {
        self.carried = book;
    }

    /// The book of everything that was decided and can have an effect. What was executed in an earlier run and again in this
    /// one was executed twice.
    pub fn book(&self) -> Book {
        let mut book = self.carried.clone();
        for (key, done) in &self.done {
            let before = book.entries.get(key).map_or(0, |entry| entry.executions);
            let times = self.by_reference.get(key).map_or(0, Vec::len);
            let executions = before.saturating_add(u32::try_from(times).unwrap_or(u32::MAX));
            let entry = BookEntry {
                executions,
                ..done.book.clone()
            };
            book.entries.insert(key.clone(), entry);
        }
        book
    }

    fn decide(&mut self, request: &Payment, key: &str, content: &str) -> Answer {
        let mut answer = if self.is_tombstoned(request) {
            Answer::refused(Reason::AlreadyCancelled, "cancelled before it came")
        } else {
            self.perform(request, key)
        };
        self.serial += 1;
        answer.bank_tx_id = format!("{:019}", self.serial);
        if has_effect(request.operation) {
            self.note(request, key, content.to_owned(), &answer);
        }
        answer
    }

    fn note(&mut self, request: &Payment, key: &str, content: String, answer: &Answer) {
        let book = BookEntry::of(request, &answer.outcome);
        if request.operation != Operation::Cancel {
            self.by_msg_id.insert(book.msg_id.clone(), key.to_owned());
            self.by_end_to_end_id.insert(book.end_to_end_id.clone(), key.to_owned());
        }
        let account = answer.account.clone();
        let refund_of = if request.operation == Operation::Refund {
            self.original(request)
        } else {
            None
        };
        let done = Done {
            book,
            content,
            answer: answer.clone(),
            account,
            refunded: Money::ZERO,
            refund_of,
            cancelled: false,
        };
        self.done.insert(key.to_owned(), done);
        self.shed(key);
    }

    fn is_tombstoned(&self, request: &Payment) -> bool {
        let ids = [Attribute::MsgId, Attribute::EndToEndId].map(|attribute| request.text(attribute));
        let standing = |id: &str| self.tombstones.contains(id);
        request.operation != Operation::Cancel && ids.into_iter().flatten().any(standing)
    }

    /// Moves money between two accounts. Nothing moves when an amount would overflow.
    fn book_entry(&mut self, debit: &str, credit: &str, amount: Money, reference: &str) -> Result<(), Reason> {
        for account in [debit, credit] {
            self.open_account(account);
        }
        let balance = |account: &str| self.balances.get(account).copied().unwrap_or(Money::ZERO);
        let (Some(fallen), Some(risen)) = (balance(debit).checked_sub(amount), balance(credit).checked_add(amount)) else {
            return Err(Reason::LimitExceeded);
        };
        self.balances.insert(debit.to_owned(), fallen);
        self.balances.insert(credit.to_owned(), risen);
        let (debit, credit, reference) = (debit.to_owned(), credit.to_owned(), reference.to_owned());
        let number = self.entries_booked;
        self.entries_booked += 1;
        if !reference.is_empty() {
            self.by_reference.entry(reference.clone()).or_default().push(number);
        } else if self.memory.is_some() {
            // Nobody asks for it again: its amount stands in the balances.
            return Ok(());
        }
        let entry = Entry {
            debit,
            credit,
            amount,
            reference,
        };
        self.entries.insert(number, entry);
        Ok(())
    }

    fn open_account(&mut self, account: &str) {
        if self.balances.contains_key(account) {
            return;
        }
        self.balances.insert(account.to_owned(), Money::ZERO);
        let opening = Person::of_account(account, self.account_count).map(|person| person.opening_balance());
        if let Some(amount) = opening {
            // Opening balances are far below the range of an amount, so this entry cannot overflow.
            let booked = self.book_entry(OPENING, account, amount, "");
            debug_assert!(booked.is_ok(), "an opening balance fits");
        }
    }
}

/// A cancel is the same business whenever it names the same original; all else must be equal.
fn same_business(operation: Operation, known: &str, content: &str) -> bool {
    operation == Operation::Cancel || known == content
}
