//! Originals and cancels, in both orders.

use super::data::{Subjected, accept, all_at_once, cancel, fresh, one, original, outcome, step, stored, take, walk};
use hangu::journal::{ALREADY_CANCELLED, Accept, Accepted, Move, Read, State, Written};

pub(super) async fn a_cancel_finds_its_original(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let exchange = stored(&**journal, id).await;
    let accepted = take(&**journal, cancel("2", "1")).await;
    let Accepted::New { id: cancel_id, original } = accepted else {
        panic!("not new: {accepted:?}")
    };
    assert_eq!(original, Some(exchange));
    assert_eq!(stored(&**journal, cancel_id).await.operation, "cancel");
    let repeated = take(&**journal, cancel("2", "1")).await;
    assert!(matches!(repeated, Accepted::Repeat { exchange, .. } if exchange.id == cancel_id));
}

pub(super) async fn a_tombstone_stops_its_original_for_good(journal: Subjected<'_>) {
    let accepted = take(&**journal, cancel("2", "1")).await;
    assert!(matches!(accepted, Accepted::New { original: None, .. }));
    let accepted = take(&**journal, accept("1")).await;
    let Accepted::Tombstoned { id } = accepted else {
        panic!("not stopped: {accepted:?}")
    };
    assert_eq!(
        one(&**journal, Read::ByOriginal(original("1"))).await,
        None,
        "the cancel holds the row"
    );
    let exchange = stored(&**journal, id).await;
    assert_eq!(exchange.outcome, Some(outcome("failed", Some(ALREADY_CANCELLED))));
    // Whoever finds it after a crash and does not know better still cannot send it.
    let send = walk(&**journal, step(id, &[State::Accepted], State::Sent, 2_000)).await;
    assert_eq!(send, Written::Stale(Box::new(exchange.clone())));
    let succeed = Move {
        outcome: Some(outcome("success", None)),
        ..step(id, &[State::Accepted], State::Answered, 2_000)
    };
    assert_eq!(walk(&**journal, succeed).await, Written::Stale(Box::new(exchange.clone())));
    assert_eq!(
        take(&**journal, accept("1")).await,
        Accepted::Repeat { exchange, reply: None }
    );
    let refuse = Move {
        outcome: Some(outcome("failed", Some(ALREADY_CANCELLED))),
        ..step(id, &[State::Accepted], State::Answered, 2_000)
    };
    assert_eq!(walk(&**journal, refuse).await, Written::Moved);
    // Another request with that message id stays stopped too.
    let other = Accept {
        msg_id: accept("1").msg_id,
        ..accept("3")
    };
    assert!(matches!(take(&**journal, other).await, Accepted::Tombstoned { .. }));
}

pub(super) async fn a_second_cancel_hears_what_the_first_heard(journal: Subjected<'_>) {
    for serial in ["2", "3"] {
        let accepted = take(&**journal, cancel(serial, "1")).await;
        assert!(matches!(accepted, Accepted::New { original: None, .. }));
    }
    assert!(matches!(take(&**journal, accept("1")).await, Accepted::Tombstoned { .. }));
    assert!(matches!(
        take(&**journal, cancel("4", "1")).await,
        Accepted::New { original: None, .. }
    ));
    let id = fresh(&**journal, accept("5")).await;
    for serial in ["6", "7"] {
        let accepted = take(&**journal, cancel(serial, "5")).await;
        assert!(matches!(accepted, Accepted::New { original: Some(exchange), .. } if exchange.id == id));
    }
}

pub(super) async fn an_original_and_its_cancel_race_to_one_end(journal: Subjected<'_>) {
    let pair = |number: u32| {
        [
            accept(&format!("d{number}")),
            cancel(&format!("c{number}"), &format!("d{number}")),
        ]
    };
    let accepted = all_at_once(journal, (0..40).flat_map(pair)).await;
    let found = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::New { original: Some(_), .. }))
        .count();
    let stopped = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::Tombstoned { .. }))
        .count();
    assert_eq!(
        found + stopped,
        40,
        "either the cancel finds the original, or the original finds the tombstone"
    );
}
