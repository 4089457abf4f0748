#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use crate::ledger::Ledger;
use crate::people::Person;
use crate::report::{Book, BookEntry, BookFile, Shelf};
use crate::testing::request;
use codecs::payment::{Attribute, Operation, Outcome, Reason};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A shelf that can be looked at.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, BookEntry>>>);

impl Shelf for Seen {
    fn put(&mut self, key: &str, entry: &BookEntry) {
        let before = self.0.lock().unwrap().insert(key.to_owned(), entry.clone());
        assert!(before.is_none(), "{key} left twice");
    }

    fn close(&mut self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn a_bounded_ledger_remembers_so_many_and_executes_nothing_again() {
    let (mut ledger, shelf) = (Ledger::new(1_000_000), Seen::default());
    ledger.remember(100, Box::new(shelf.clone()));
    let debit = |serial: u64| request(Operation::Debit, serial, serial * 7 % 190, 100, None);
    for serial in 1..=1_000 {
        let answer = ledger.execute(&debit(serial), &format!("key {serial}"));
        assert_eq!(answer.outcome, Outcome::Success, "{serial}");
        assert!(ledger.remembered() <= 101, "{serial}: {}", ledger.remembered());
        assert!(ledger.entries().len() <= 101 && ledger.keys.len() <= 101);
    }
    let person = Person::at(7);
    let balance = ledger.balance(&person.account);
    // Long gone: not executed again, and a query still knows how it ended.
    for key in ["key 1", "another key"] {
        let again = ledger.execute(&debit(1), key);
        assert!(again.repeated && again.outcome == Outcome::Success);
    }
    let query = request(Operation::Query, 2_000, 7, 0, Some(&debit(1)));
    assert_eq!(ledger.execute(&query, "query").outcome, Outcome::Success);
    assert_eq!((ledger.balance(&person.account), ledger.sum()), (balance, 0));
    ledger.shelve().unwrap();
    let shelf = shelf.0.lock().unwrap();
    assert_eq!(shelf.len(), 1_000);
    assert!(shelf.values().all(|entry| entry.executions == 1 && entry.details.is_some()));
}

/// What is open stays, however old it is, and takes its outcome then.
#[test]
fn an_open_payment_is_not_let_go() {
    let (mut ledger, shelf) = (Ledger::new(1_000_000), Seen::default());
    ledger.remember(10, Box::new(shelf.clone()));
    let mut payout = request(Operation::Credit, 1, 7, 100, None);
    payout.set_text(Attribute::PayerAccount, Person::at(7).account);
    ledger.begin(&payout);
    let taken = ledger.balance(&Person::at(7).account);
    for serial in 2..=60 {
        ledger.execute(&request(Operation::Debit, serial, 8, 1, None), &serial.to_string());
    }
    ledger.settle(&payout, &Outcome::failed(Reason::AccountNotFound, "no such account"));
    assert!(ledger.balance(&Person::at(7).account) > taken, "the money is given back");
    assert_eq!(ledger.sum(), 0);
    ledger.shelve().unwrap();
    let shelf = shelf.0.lock().unwrap();
    assert_eq!(
        (shelf.len(), shelf.values().filter(|entry| entry.outcome == "failed").count()),
        (60, 1)
    );
}

#[test]
fn a_books_file_reads_as_the_book_and_adds_what_stands_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let written = |times: usize| -> Book {
        let path = folder.path().join("book.json");
        let mut file = BookFile::create(&path).unwrap();
        let entry = BookEntry {
            executions: 1,
            ..BookEntry::of(&request(Operation::Debit, 1, 7, 100, None), &Outcome::Success)
        };
        for _ in 0..times {
            file.put("debit|\"1\"", &entry);
        }
        file.close().unwrap();
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    assert!(written(0).entries.is_empty());
    let executions = |times| written(times).entries["debit|\"1\""].executions;
    assert_eq!((executions(1), executions(2)), (1, 2));
}
