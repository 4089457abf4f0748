#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Book, BookEntry, Comparison, DifferenceKind, compare, key_of};
use crate::testing::request;
use codecs::payment::{Operation, Outcome, Reason};

type Change = fn(&mut BookEntry);

/// A book with one debit (serial 1) as `change` leaves it, and nothing when there is no change to make it by.
fn book(change: Option<Change>) -> Book {
    let debit = request(Operation::Debit, 1, 7, 500, None);
    let mut book = Book::default();
    if let Some(change) = change {
        let mut entry = BookEntry {
            executions: 1,
            ..BookEntry::of(&debit, &Outcome::Success)
        };
        change(&mut entry);
        book.entries.insert(key_of(&debit), entry);
    }
    book
}

/// Adds a successful cancel of the debit.
fn cancelled(mut book: Book) -> Book {
    let debit = request(Operation::Debit, 1, 7, 500, None);
    let cancel = request(Operation::Cancel, 2, 7, 500, Some(&debit));
    book.entries
        .insert(key_of(&cancel), BookEntry::of(&cancel, &Outcome::Success));
    book
}

fn same(_: &mut BookEntry) {}
fn failed(entry: &mut BookEntry) {
    Outcome::failed(Reason::Other, "").name().clone_into(&mut entry.outcome);
}
fn unknown(entry: &mut BookEntry) {
    Outcome::Unknown.name().clone_into(&mut entry.outcome);
}

fn kinds(comparison: &Comparison) -> Vec<DifferenceKind> {
    assert_eq!(comparison.equal, comparison.differences.is_empty());
    assert!(
        comparison
            .differences
            .iter()
            .all(|difference| !difference.zh.is_empty() && !difference.en.is_empty())
    );
    comparison.differences.iter().map(|difference| difference.kind).collect()
}

fn check(centre: &Book, gateway: &Book, platform: &Book, expected: &[DifferenceKind]) {
    assert_eq!(kinds(&compare(centre, gateway, platform)), expected);
}

#[test]
fn equal_books() {
    let (full, empty) = (book(Some(same)), book(None));
    check(&full, &full, &full, &[]);
    check(&empty, &empty, &empty, &[]);
    let comparison = compare(&full, &full, &full);
    assert_eq!(comparison.totals["platform"]["debit"].amount_fen, 500);
    assert_eq!((comparison.payments, comparison.lost, comparison.executed_twice), (1, 0, 0));
}

#[test]
fn a_failure_and_an_absence_agree() {
    let (refused, empty) = (book(Some(failed)), book(None));
    check(&refused, &empty, &empty, &[]);
    check(&refused, &refused, &refused, &[]);
}

#[test]
fn each_kind_of_difference_is_found() {
    let (full, empty, refused) = (book(Some(same)), book(None), book(Some(failed)));
    check(&full, &full, &empty, &[DifferenceKind::Missing]);
    check(&empty, &full, &full, &[DifferenceKind::Missing]);
    check(&full, &empty, &full, &[DifferenceKind::Missing]);
    check(&refused, &full, &full, &[DifferenceKind::Outcome]);
    check(&full, &full, &refused, &[DifferenceKind::Outcome]);
    check(
        &full,
        &full,
        &book(Some(|entry| entry.amount_fen = 501)),
        &[DifferenceKind::Amount],
    );
    check(
        &full,
        &full,
        &book(Some(|entry| entry.institution = "Z2".to_owned())),
        &[DifferenceKind::Institution],
    );
    check(&full, &full, &book(Some(|entry| entry.institution.clear())), &[]);
    check(&book(Some(unknown)), &full, &full, &[DifferenceKind::Lost]);
    check(
        &full,
        &full,
        &book(Some(|entry| entry.executions = 2)),
        &[DifferenceKind::ExecutedTwice],
    );
    assert_eq!(compare(&book(Some(unknown)), &full, &full).lost, 1);
    assert_eq!(
        compare(&full, &full, &book(Some(|entry| entry.executions = 2))).executed_twice,
        1
    );
}

#[test]
fn a_cancelled_payment_has_no_effect_whatever_its_outcome() {
    let (full, empty, lost) = (cancelled(book(Some(same))), book(None), cancelled(book(Some(unknown))));
    check(&lost, &full, &full, &[]);
    check(&cancelled(book(Some(failed))), &cancelled(book(Some(failed))), &empty, &[]);
    let still_there = book(Some(same));
    let found = compare(&full, &full, &still_there);
    assert!(
        kinds(&found).contains(&DifferenceKind::CancelledButStands),
        "{:?}",
        found.differences
    );
}

/// Whoever sends a payment on may give it a `MsgId` of its own; the end-to-end id stays.
#[test]
fn cancels_meet_under_two_message_ids() {
    let rename = |book: Book| Book {
        entries: book
            .entries
            .into_iter()
            .map(|(key, mut entry)| match entry.original.as_mut() {
                Some(original) => {
                    *original = "another".to_owned();
                    ("cancel|another".to_owned(), entry)
                }
                None => (
                    key,
                    BookEntry {
                        msg_id: "another".to_owned(),
                        ..entry
                    },
                ),
            })
            .collect(),
    };
    let full = cancelled(book(Some(same)));
    check(&rename(full.clone()), &full, &full, &[]);
}

#[test]
fn a_statement_tells_the_moment_without_its_zone() {
    let mut debit = request(Operation::Debit, 1, 7, 500, None);
    debit.set_text(codecs::payment::Attribute::CreatedAt, "2030-01-01T18:30:05+08:00");
    let entry = BookEntry::of(&debit, &Outcome::Success);
    assert_eq!(entry.details.unwrap().created_at, "2030-01-01T18:30:05");
}
