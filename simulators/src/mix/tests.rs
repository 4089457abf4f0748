#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{ACTIVE_PEOPLE, Flow, Planned, Shape, TIMEOUT_AMOUNT_FEN, chosen, plan};
use crate::fault::Fault;
use crate::people::Kind;
use codecs::payment::{Operation, Reason};
use std::collections::{BTreeMap, BTreeSet};

fn told(planned: &Planned) -> (u64, Flow, String, &str, &str, i64) {
    let Planned {
        n,
        flow,
        shape,
        institution,
        person,
        amount,
        ..
    } = planned;
    (*n, *flow, shape.name(), institution.id, &person.account, amount.fen())
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, again, other) = (plan(1, 500), plan(1, 500), plan(2, 500));
    assert_eq!(
        first.iter().map(told).collect::<Vec<_>>(),
        again.iter().map(told).collect::<Vec<_>>()
    );
    assert_ne!(
        first.iter().map(told).collect::<Vec<_>>(),
        other.iter().map(told).collect::<Vec<_>>()
    );
}

#[test]
fn every_run_has_the_special_courses() {
    for payments in [6, 20, 199, 200, 2000] {
        let names: BTreeSet<String> = plan(7, payments).iter().map(|planned| planned.shape.name()).collect();
        for special in [
            "debit_repeat",
            "debit_altered_repeat",
            "debit_bad_signature",
            "platform_timeout",
            "cancel_before_original",
            "debit_again",
        ] {
            assert!(names.contains(special), "{payments} payments have no {special}");
        }
    }
}

#[test]
fn the_default_run_has_every_operation_and_institution_in_proportion() {
    let run = plan(1, 2000);
    let mut counts: BTreeMap<(Flow, &str), usize> = BTreeMap::new();
    for planned in &run {
        *counts.entry((planned.flow, planned.shape.operation().name())).or_default() += 1;
    }
    for operation in ["debit", "credit", "refund", "sign", "verify", "terminate", "cancel", "query"] {
        assert!(
            counts
                .get(&(Flow::CentreToPlatform, operation))
                .is_some_and(|count| *count >= 30),
            "{operation}: {counts:?}"
        );
    }
    for operation in ["credit", "query", "terminate", "cancel"] {
        assert!(
            counts
                .get(&(Flow::PlatformToCentre, operation))
                .is_some_and(|count| *count >= 5),
            "{operation}: {counts:?}"
        );
    }
    assert!(
        (800..1050).contains(&counts[&(Flow::CentreToPlatform, "debit")]),
        "{counts:?}"
    );
    assert_eq!(
        run.iter()
            .map(|planned| planned.institution.id)
            .collect::<BTreeSet<_>>()
            .len(),
        3
    );
    assert!(run.iter().any(|planned| planned.refusal == Some(Reason::InsufficientFunds)));
    assert!(run.iter().any(|planned| planned.refusal == Some(Reason::AccountFrozen)));
}

/// A refusal is planned exactly where the customer's account makes it certain.
#[test]
fn no_payment_meets_an_account_that_makes_its_end_uncertain() {
    let mut ended = BTreeSet::new();
    for planned in plan(3, 20_000) {
        let plain = planned.person.kind == Kind::Plain;
        match planned.shape {
            Shape::Plain(Operation::Terminate) => {
                assert!(ended.insert(planned.person.index), "an agreement ends twice");
                assert!(planned.person.index >= ACTIVE_PEOPLE && planned.refusal.is_none());
            }
            Shape::Plain(Operation::Debit) => assert_eq!(plain, planned.refusal.is_none()),
            Shape::Plain(_) => assert!(planned.person.kind != Kind::Poor && (plain == planned.refusal.is_none())),
            Shape::Refund
            | Shape::Cancel
            | Shape::CancelFirst
            | Shape::Query
            | Shape::PlatformTimeout
            | Shape::Again
            | Shape::Faulty(..) => {
                assert!(plain);
            }
        }
        assert_eq!(
            planned.shape == Shape::PlatformTimeout,
            planned.amount.fen() == TIMEOUT_AMOUNT_FEN
        );
    }
}

#[test]
fn a_tester_chooses() {
    assert_eq!(chosen(1, 0, Operation::Refund, None).shape, Shape::Refund);
    assert_eq!(
        chosen(1, 0, Operation::Sign, Some(Fault::Doctype)).shape.name(),
        "sign_doctype"
    );
}
