#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::people::Person;
use crate::testing::{NOW, world};
use codecs::envelope::SignatureScheme;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use codecs::spec::{MessageSpec, Specs};
use keys::store::{DemoKeys, DemoLink};
use std::collections::BTreeSet;

/// The two ends of an institution's link, with fresh keys.
struct Ends {
    institution: Party,
    bank: Party,
    _folder: tempfile::TempDir,
}

fn specs() -> Arc<Specs> {
    Arc::new(Specs::embedded().unwrap())
}

fn institutions(specs: &Specs) -> Vec<Arc<Spec>> {
    let all: Vec<Arc<Spec>> = specs
        .iter()
        .filter(|spec| is_played(spec))
        .flat_map(|spec| [Some(suite(spec)), sealed_otherwise(spec)].into_iter().flatten())
        .cloned()
        .collect();
    assert!(all.len() >= 7, "{}", all.len());
    all
}

/// A suite that seals objects in another way than the one to try out, signing with SM2 if there is such.
fn sealed_otherwise(spec: &Arc<Spec>) -> Option<&Arc<Spec>> {
    let usual = suite(spec).whole_scheme();
    let others = spec.suites().filter(|other| other.whole_scheme() != usual);
    others.max_by_key(|other| matches!(other.signature_scheme(), SignatureScheme::Sm2(_)))
}

fn ends(specs: &Arc<Specs>, spec: &Spec) -> Ends {
    let folder = tempfile::tempdir().unwrap();
    let link = DemoLink {
        link: "link",
        parties: ["bank", "institution"],
        keys: &keys(spec),
    };
    DemoKeys::default().add(folder.path(), &link, &mut world(5).rng()).unwrap();
    let party = |name: &str| {
        let keyring = keys::store::load(&folder.path().join(name)).unwrap();
        Party::new(specs.clone(), &spec.codec, Arc::new(keyring), "link").in_suite(&spec.suite)
    };
    Ends {
        institution: party("institution"),
        bank: party("bank"),
        _folder: folder,
    }
}

fn made(spec: &Spec, kind: &MessageSpec, operation: Operation, serial: u64) -> Payment {
    let order = Order {
        serial,
        person: Person::at(7),
        amount: Money::from_fen(1234),
    };
    let debit = request(spec, Operation::Debit, &order, None, NOW);
    let about = matches!(operation, Operation::Refund | Operation::Cancel | Operation::Query).then_some(&debit);
    let next = Order {
        serial: serial + 1,
        ..order
    };
    let mut made = request(spec, operation, &next, about, NOW);
    made.set_text(Attribute::MessageCode, &*kind.code);
    made
}

/// Whatever institution is there can be played: its requests are made from its spec alone, and the other end reads them.
#[test]
fn every_request_of_every_institution_is_read_at_the_other_end() {
    let specs = specs();
    for spec in institutions(&specs) {
        let ends = ends(&specs, &spec);
        let mut count = 0;
        let theirs = spec.requests_to_us().map(|kind| (kind, &ends.institution, &ends.bank));
        let ours = spec.requests_of_ours().map(|kind| (kind, &ends.bank, &ends.institution));
        for (kind, sender, receiver) in theirs.chain(ours) {
            for &operation in kind.operations() {
                let payment = made(&spec, kind, operation, 1);
                let wire = sender.emit(&kind.code, &payment, NOW, &mut world(6).rng());
                let wire = wire.unwrap_or_else(|refusal| panic!("{} {}: {refusal}", spec.codec, kind.code));
                let received = receiver.receive(&wire, NOW);
                let received = received.unwrap_or_else(|refusal| panic!("{} {}: {refusal}", spec.codec, kind.code));
                assert_eq!(
                    (received.operation, received.role),
                    (operation, Role::Request),
                    "{}",
                    kind.code
                );
                for attribute in [
                    Attribute::Amount,
                    Attribute::EndToEndId,
                    Attribute::Agreement,
                    Attribute::PayerAccount,
                ] {
                    let kept = received
                        .value(attribute)
                        .is_none_or(|value| Some(value) == payment.value(attribute));
                    assert!(kept, "{} {} {attribute}", spec.codec, kind.code);
                }
                count += 1;
            }
        }
        assert!(count >= 3, "{} has {count} requests", spec.codec);
        let signs = spec.signature_scheme() != SignatureScheme::None;
        assert!(signs && !keys(&spec).is_empty(), "{}", spec.codec);
    }
}

#[test]
fn no_two_requests_bear_one_name() {
    let specs = specs();
    for spec in institutions(&specs) {
        let kind = spec.message_for(Operation::Debit, Role::Request).unwrap();
        let names: BTreeSet<String> = (1..1_000)
            .map(|serial| made(&spec, kind, Operation::Debit, serial))
            .map(|made| made.text(Attribute::EndToEndId).unwrap().to_owned())
            .collect();
        assert_eq!(names.len(), 999, "{}", spec.codec);
    }
}

/// An institution either begins courses or is begun with, and a debit is among them.
#[test]
fn every_institution_has_courses() {
    let specs = specs();
    for spec in institutions(&specs) {
        let (calling, called) = (course::calling(&spec), course::called(&spec));
        let own = calling.contains(&Course::Plain(Operation::Debit));
        let asked = called.contains(&(Course::Plain(Operation::Debit), Manner::Executes));
        assert!(own || asked, "{}: {calling:?} {called:?}", spec.codec);
    }
}

/// Executed once whatever is repeated; a final outcome stands.
#[test]
fn books_execute_once_and_keep_what_is_final() {
    let mut books = Books::default();
    let mut debit = Payment::new(Operation::Debit, Role::Request);
    debit
        .set_text(Attribute::EndToEndId, "1")
        .set_money(Attribute::Amount, Money::from_fen(5));
    books.execute(&debit, Outcome::Success, "a".to_owned());
    let again = books.execute(&debit, Outcome::Success, "b".to_owned());
    assert_eq!(again.bank_tx_id, "a");
    books.end(&debit, &Outcome::Unknown);
    let book = books.book();
    assert_eq!(book.entries.len(), 1);
    assert!(
        book.entries
            .values()
            .all(|entry| entry.executions == 1 && entry.outcome == "success")
    );

    let mut own = Payment::new(Operation::Credit, Role::Request);
    own.set_text(Attribute::EndToEndId, "2");
    books.begin(&own);
    assert_eq!(books.book().entries["credit|2"].outcome, "unknown");
    books.end(&own, &Outcome::failed(codecs::payment::Reason::Other, ""));
    books.end(&own, &Outcome::Success);
    assert_eq!(books.book().entries["credit|2"].outcome, "failed");
}
