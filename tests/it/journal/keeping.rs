//! The parked, search, figures and pruning.

use super::data::{
    Subjected, accept, by_state, cancel, deliver, digest, figures, fresh, key, many, messages, one, park, parked, requests, step,
    stored, take, walk,
};
use hangu::journal::{Accept, Accepted, Figures, Millis, Move, Parked, Read, Resolution, Search, State, Write, Written};

pub(super) async fn parking_happens_once(journal: Subjected<'_>) {
    let write = |source: &str, body: &str| Write::Park(Box::new(park(source, body)));
    let Ok(Written::Parked { id, fresh: true }) = journal.write(write("q1", "bytes")).await else {
        panic!("not parked")
    };
    assert_eq!(
        journal.write(write("q1", "bytes")).await,
        Ok(Written::Parked { id, fresh: false })
    );
    for (source, body) in [("q2", "bytes"), ("q1", "others")] {
        assert!(
            matches!(journal.write(write(source, body)).await, Ok(Written::Parked { id: other, fresh: true }) if other != id)
        );
    }
    let first = Parked {
        id,
        status: "parked".into(),
        note: None,
        exchange: None,
        park: park("q1", "bytes"),
    };
    assert_eq!(parked(journal, Some(id), None, 10).await, [first]);
    assert_eq!(parked(journal, None, None, 2).await.len(), 2);
    assert_eq!(parked(journal, None, Some("parked"), 10).await.len(), 3);
    assert_eq!(parked(journal, Some(id), Some("released"), 10).await, []);
}

pub(super) async fn a_parked_message_is_resolved_once(journal: Subjected<'_>) {
    let Ok(Written::Parked { id, .. }) = journal.write(Write::Park(Box::new(park("q", "x")))).await else {
        panic!("not parked")
    };
    assert_eq!(
        journal.write(resolve(id, Resolution::Parked)).await,
        Ok(Written::Conflict(Some("parked".into())))
    );
    assert_eq!(
        journal.write(resolve(id, Resolution::Released(None))).await,
        Ok(Written::Stored)
    );
    assert_eq!(
        journal.write(resolve(id, Resolution::Discarded)).await,
        Ok(Written::Conflict(Some("released".into())))
    );
    assert_eq!(
        journal.write(resolve(id + 1, Resolution::Discarded)).await,
        Ok(Written::Conflict(None))
    );
    let found = parked(journal, None, Some("released"), 10).await;
    assert_eq!((found.len(), found[0].note.as_deref()), (1, Some("seen by Li")));
    assert_eq!(
        journal.write(Write::Park(Box::new(park("q", "x")))).await,
        Ok(Written::Parked { id, fresh: false })
    );
}

pub(super) async fn a_release_is_asked_for_then_done(journal: Subjected<'_>) {
    let Ok(Written::Parked { id, .. }) = journal.write(Write::Park(Box::new(park("q", "x")))).await else {
        panic!("not parked")
    };
    let exchange = fresh(&**journal, accept("1")).await;
    assert_eq!(journal.write(resolve(id, Resolution::Releasing)).await, Ok(Written::Stored));
    for again in [Resolution::Releasing, Resolution::Discarded] {
        let standing = Ok(Written::Conflict(Some("releasing".into())));
        assert_eq!(journal.write(resolve(id, again)).await, standing);
    }
    assert_eq!(parked(journal, None, Some("parked"), 10).await, []);
    assert_eq!(parked(journal, None, Some("releasing"), 10).await.len(), 1);
    assert_eq!(parked(journal, Some(id), None, 10).await[0].status, "releasing");
    // Refused again: it is parked as before, and may be asked for again.
    assert_eq!(journal.write(resolve(id, Resolution::Parked)).await, Ok(Written::Stored));
    assert_eq!(parked(journal, None, Some("parked"), 10).await.len(), 1);
    assert_eq!(journal.write(resolve(id, Resolution::Releasing)).await, Ok(Written::Stored));
    let released = Write::Resolve {
        id,
        to: Resolution::Released(Some(exchange)),
        note: None,
        at: 9,
    };
    assert_eq!(journal.write(released).await, Ok(Written::Stored));
    let found = parked(journal, Some(id), Some("released"), 10).await;
    assert_eq!(found[0].exchange, Some(exchange));
    assert_eq!(found[0].note.as_deref(), Some("seen by Li"), "the person's note stays");
}

pub(super) async fn what_was_released_as_an_exchange_is_found(journal: Subjected<'_>) {
    let exchange = fresh(&**journal, accept("1")).await;
    let released = async |id: i64| journal.read(Read::ReleasedAs(id)).await.unwrap().parked().unwrap();
    for body in ["x", "y", "z"] {
        journal.write(Write::Park(Box::new(park("q", body)))).await.unwrap();
    }
    let parked = parked(journal, None, Some("parked"), 10).await;
    let [third, second, first] = [0, 1, 2].map(|place| parked[place].id);
    assert_eq!(released(exchange).await, []);
    for (id, to) in [
        (first, Resolution::Released(Some(exchange))),
        (second, Resolution::Released(None)),
        (third, Resolution::Released(Some(exchange))),
    ] {
        assert_eq!(journal.write(resolve(id, to)).await, Ok(Written::Stored));
    }
    let found: Vec<i64> = released(exchange).await.iter().map(|parked| parked.id).collect();
    assert_eq!(found, [third, first], "newest first");
    assert_eq!(released(exchange + 1).await, []);
}

fn resolve(id: i64, to: Resolution) -> Write {
    Write::Resolve {
        id,
        to,
        note: Some("seen by Li".into()),
        at: 5,
    }
}

pub(super) async fn search_finds_by_each_key(journal: Subjected<'_>) {
    let [first, second, third] = three(journal).await;
    let key_3 = key("3");
    let by_key = [
        ("M1", vec![first]),
        ("E2", vec![second]),
        (&key_3, vec![third]),
        ("out-1", vec![first]),
        ("none", vec![]),
    ];
    for (key, expected) in by_key {
        let search = Search {
            key: Some(key.into()),
            ..any()
        };
        check(journal, search, &expected).await;
    }
    check(journal, any(), &[third, second, first]).await;
    check(journal, Search { limit: 1, ..any() }, &[third]).await;
    check(
        journal,
        Search {
            id: Some(second),
            ..any()
        },
        &[second],
    )
    .await;
    let account = || Search {
        account_digest: Some(digest("account")),
        ..any()
    };
    check(journal, account(), &[third, first]).await;
    check(
        journal,
        Search {
            state: Some(State::Sent),
            ..account()
        },
        &[first],
    )
    .await;
}

pub(super) async fn search_combines_conditions(journal: Subjected<'_>) {
    let [first, second, third] = three(journal).await;
    let state = |state| Search {
        state: Some(state),
        ..any()
    };
    let dated = || Search {
        settlement_date: Some("2026-11-22".into()),
        ..any()
    };
    let operation = |name: &str| Search {
        operation: Some(name.into()),
        ..any()
    };
    check(journal, state(State::Accepted), &[second]).await;
    check(journal, state(State::Delivered), &[third]).await;
    check(
        journal,
        Search {
            key: Some("out-1".into()),
            ..state(State::Accepted)
        },
        &[],
    )
    .await;
    check(journal, dated(), &[third, first]).await;
    check(journal, operation("debit"), &[second, first]).await;
    check(
        journal,
        Search {
            id: Some(second),
            ..operation("cancel")
        },
        &[],
    )
    .await;
    check(
        journal,
        Search {
            operation: Some("debit".into()),
            ..dated()
        },
        &[first],
    )
    .await;
    check(
        journal,
        Search {
            state: Some(State::Sent),
            ..dated()
        },
        &[first],
    )
    .await;
}

/// A sent debit, an accepted one of another account without a date, and a delivered cancel.
async fn three(journal: Subjected<'_>) -> [i64; 3] {
    let first = fresh(&**journal, accept("1")).await;
    let other = Accept {
        account_digest: Some(digest("b")),
        settlement_date: None,
        ..accept("2")
    };
    let second = fresh(&**journal, other).await;
    let third = fresh(&**journal, cancel("3", "1")).await;
    let sent = Move {
        out_key: Some("out-1".into()),
        ..step(first, &[State::Accepted], State::Sent, 2_000)
    };
    assert_eq!(walk(&**journal, sent).await, Written::Moved);
    deliver(&**journal, third).await;
    [first, second, third]
}

fn any() -> Search {
    Search {
        limit: 10,
        ..Search::default()
    }
}

async fn check(journal: Subjected<'_>, search: Search, expected: &[i64]) {
    let found = many(&**journal, Read::Search(Box::new(search.clone()))).await;
    assert_eq!(found, expected, "{search:?}");
}

pub(super) async fn figures_count(journal: Subjected<'_>) {
    assert_eq!(
        figures(journal, 9_000).await,
        Figures {
            by_state: by_state([0; 5]),
            ..Figures::default()
        }
    );
    let mut ids = Vec::new();
    for serial in 1..=4 {
        let at = 1_000 * Millis::from(serial);
        ids.push(
            fresh(
                &**journal,
                Accept {
                    at,
                    amount_fen: Some(100),
                    ..accept(&serial.to_string())
                },
            )
            .await,
        );
    }
    deliver(&**journal, ids[0]).await;
    for id in &ids[1..3] {
        assert_eq!(
            walk(&**journal, step(*id, &[State::Accepted], State::Unknown, 5_000)).await,
            Written::Moved
        );
    }
    journal.write(Write::Park(Box::new(park("q", "x")))).await.unwrap();
    let expected = Figures {
        by_state: by_state([1, 0, 2, 0, 1]),
        unknown_count: 2,
        unknown_amount_fen: 200,
        unknown_oldest_ms: 7_000,
        parked: 1,
    };
    assert_eq!(figures(journal, 9_000).await, expected);
}

pub(super) async fn a_prune_deletes_what_is_old_and_delivered(journal: Subjected<'_>) {
    let old = fresh(&**journal, accept("1")).await;
    take(
        &**journal,
        Accept {
            communication_key: key("1b"),
            ..accept("1")
        },
    )
    .await;
    let open = fresh(&**journal, accept("2")).await;
    let young = fresh(
        &**journal,
        Accept {
            at: 5_000,
            ..accept("3")
        },
    )
    .await;
    deliver(&**journal, old).await;
    deliver(&**journal, young).await;
    assert_eq!(journal.write(Write::Prune { before: 1_000 }).await, Ok(Written::Pruned(0)));
    assert_eq!(journal.write(Write::Prune { before: 5_000 }).await, Ok(Written::Pruned(1)));
    assert_eq!(one(&**journal, Read::Exchange(old)).await, None);
    assert_eq!(messages(&**journal, old).await, []);
    assert_eq!(requests(journal, old).await, []);
    assert_eq!(stored(&**journal, open).await.id, open);
    assert_eq!(stored(&**journal, young).await.id, young);
    // Its keys are free again, its number is not.
    assert!(fresh(&**journal, accept("1")).await > young);
}

pub(super) async fn a_prune_leaves_what_others_need(journal: Subjected<'_>) {
    let original = fresh(&**journal, accept("1")).await;
    let cancelled = fresh(&**journal, cancel("2", "1")).await;
    deliver(&**journal, cancelled).await;
    assert_eq!(journal.write(Write::Prune { before: 9_000 }).await, Ok(Written::Pruned(1)));
    let accepted = take(&**journal, cancel("3", "1")).await;
    assert!(matches!(accepted, Accepted::New { original: Some(exchange), .. } if exchange.id == original));

    let tombstone = fresh(&**journal, cancel("5", "4")).await;
    assert!(matches!(take(&**journal, accept("4")).await, Accepted::Tombstoned { .. }));
    deliver(&**journal, tombstone).await;
    assert_eq!(journal.write(Write::Prune { before: 9_000 }).await, Ok(Written::Pruned(1)));
    let other = Accept {
        msg_id: accept("4").msg_id,
        ..accept("6")
    };
    assert!(
        matches!(take(&**journal, other).await, Accepted::New { .. }),
        "the tombstone goes with its cancel"
    );
}
