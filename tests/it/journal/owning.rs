//! Serials, settings, leases, take-over and what is due.

use super::data::{Subjected, accept, deliver, fresh, many, refused, reserve, step, stored, take_over, walk};
use hangu::journal::{Accept, EPOCH_FIRST, Found, Move, Read, State, Write, Written};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

pub(super) async fn serials_are_given_once(journal: Subjected<'_>) {
    let mut reservations = JoinSet::new();
    for number in 0..64_u32 {
        let journal = Arc::clone(journal);
        let count = number % 7 + 1;
        reservations.spawn(async move { (reserve(&journal, "2026-11-22", count).await, count) });
    }
    let mut given = BTreeSet::new();
    for (first, count) in reservations.join_all().await {
        for serial in first..first + u64::from(count) {
            assert!(serial > 0 && given.insert(serial), "{serial} was given twice");
        }
    }
    assert_eq!(reserve(journal, "2026-11-23", 5).await, 1, "each date counts for itself");
    refused(
        journal,
        Write::Reserve {
            instance: "one".into(),
            date: "d".into(),
            kind: "k".into(),
            count: 0,
        },
    )
    .await;
}

pub(super) async fn settings_change_by_compare_and_set(journal: Subjected<'_>) {
    let set = |expect: Option<&str>, value: &str| Write::Set {
        name: "settlement_date".into(),
        expect: expect.map(Into::into),
        value: value.into(),
        at: 1,
    };
    let steps = [
        (set(Some("a"), "b"), Written::Conflict(None)),
        (set(None, "a"), Written::Stored),
        (set(None, "c"), Written::Conflict(Some("a".into()))),
        (set(Some("b"), "c"), Written::Conflict(Some("a".into()))),
        (set(Some("a"), "b"), Written::Stored),
    ];
    for (write, expected) in steps {
        assert_eq!(journal.write(write).await, Ok(expected));
    }
    let read = journal.read(Read::Setting("settlement_date".into())).await;
    assert!(matches!(read, Ok(Found::Setting(Some(value))) if value == "b"));
    assert!(matches!(
        journal.read(Read::Setting("other".into())).await,
        Ok(Found::Setting(None))
    ));
}

pub(super) async fn settings_are_found_by_how_they_begin(journal: Subjected<'_>) {
    for (name, value) in [
        ("keys:two", "2"),
        ("keys:One", "1"),
        ("Keys:three", "3"),
        ("keys", "4"),
        ("k%", "5"),
    ] {
        let (name, value) = (name.to_owned(), value.to_owned());
        let set = Write::Set {
            name,
            expect: None,
            value,
            at: 1,
        };
        assert_eq!(journal.write(set).await, Ok(Written::Stored));
    }
    let found = async |prefix: &str| journal.read(Read::Settings(prefix.into())).await.unwrap().settings().unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found("keys:").await, [pair("keys:One", "1"), pair("keys:two", "2")]);
    assert_eq!(found("k%").await, [pair("k%", "5")]);
    assert_eq!(found("nobody").await, []);
}

pub(super) async fn leases_are_renewed(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let other = fresh(
        &**journal,
        Accept {
            owner: "two".into(),
            ..accept("2")
        },
    )
    .await;
    let renew = |lease_until| Write::Renew {
        owner: "one".into(),
        now: 2_000,
        lease_until,
    };
    assert_eq!(journal.write(renew(20_000)).await, Ok(Written::Stored));
    assert_eq!(journal.write(renew(15_000)).await, Ok(Written::Stored));
    assert_eq!(stored(&**journal, id).await.lease_until, 20_000);
    assert_eq!(stored(&**journal, other).await.lease_until, 10_000);
}

pub(super) async fn a_take_over_fences_the_former_owner(journal: Subjected<'_>) {
    let open = fresh(&**journal, accept("1")).await;
    let done = fresh(&**journal, accept("2")).await;
    deliver(&**journal, done).await;
    let alive = fresh(
        &**journal,
        Accept {
            owner: "three".into(),
            lease_until: 30_000,
            ..accept("3")
        },
    )
    .await;
    assert_eq!(
        take_over(journal, "two", 10_000, false, 10).await,
        Vec::<i64>::new(),
        "a lease that ends now has not ended before now"
    );
    assert_eq!(take_over(journal, "two", 10_001, false, 10).await, [open]);
    let exchange = stored(&**journal, open).await;
    assert_eq!(
        (exchange.owner.as_str(), exchange.epoch, exchange.lease_until),
        ("two", EPOCH_FIRST + 1, 50_000)
    );
    let late = walk(&**journal, step(open, &[State::Accepted], State::Sent, 11_000)).await;
    assert_eq!(late, Written::Stale(Box::new(exchange)));
    let ours = Move {
        epoch: EPOCH_FIRST + 1,
        ..step(open, &[State::Accepted], State::Sent, 11_000)
    };
    assert_eq!(walk(&**journal, ours).await, Written::Moved);
    assert_eq!(stored(&**journal, alive).await.owner, "three");
}

pub(super) async fn what_is_released_is_free_at_once(journal: Subjected<'_>) {
    let open = fresh(&**journal, accept("1")).await;
    let done = fresh(&**journal, accept("2")).await;
    deliver(&**journal, done).await;
    let other = Accept {
        owner: "two".into(),
        ..accept("3")
    };
    let other = fresh(&**journal, other).await;
    assert_eq!(take_over(journal, "three", 2_000, false, 10).await, Vec::<i64>::new());
    let release = Write::Release { owner: "one".into() };
    assert_eq!(journal.write(release).await, Ok(Written::Stored));
    assert_eq!(
        stored(&**journal, done).await.lease_until,
        10_000,
        "what is delivered is nobody's"
    );
    assert_eq!(take_over(journal, "three", 2_000, false, 10).await, [open]);
    assert_eq!(stored(&**journal, open).await.epoch, EPOCH_FIRST + 1);
    assert_eq!(stored(&**journal, other).await.owner, "two");
}

pub(super) async fn a_take_over_of_ones_own_former_life(journal: Subjected<'_>) {
    let mut ids = Vec::new();
    for serial in ["1", "2", "3"] {
        ids.push(fresh(&**journal, accept(serial)).await);
    }
    fresh(
        &**journal,
        Accept {
            owner: "two".into(),
            ..accept("4")
        },
    )
    .await;
    assert_eq!(take_over(journal, "one", 2_000, false, 10).await, Vec::<i64>::new());
    assert_eq!(take_over(journal, "one", 2_000, true, 2).await, ids[..2]);
    assert_eq!(take_over(journal, "one", 2_000, true, 10).await, ids);
    assert_eq!(take_over(journal, "one", 2_000, true, 0).await, Vec::<i64>::new());
}

pub(super) async fn two_that_take_over_share(journal: Subjected<'_>) {
    for serial in 0..20 {
        fresh(&**journal, accept(&serial.to_string())).await;
    }
    let mut takers = JoinSet::new();
    for owner in ["two", "three", "four"] {
        let journal = Arc::clone(journal);
        takers.spawn(async move { take_over(&journal, owner, 11_000, false, 15).await });
    }
    let taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!((taken.len(), taken.iter().collect::<BTreeSet<_>>().len()), (20, 20));
}

pub(super) async fn due_is_what_is_open_and_ours(journal: Subjected<'_>) {
    let late = fresh(
        &**journal,
        Accept {
            deadline: 9_000,
            ..accept("1")
        },
    )
    .await;
    let soon = fresh(
        &**journal,
        Accept {
            deadline: 4_000,
            ..accept("2")
        },
    )
    .await;
    let done = fresh(&**journal, accept("3")).await;
    deliver(&**journal, done).await;
    fresh(
        &**journal,
        Accept {
            owner: "two".into(),
            ..accept("4")
        },
    )
    .await;
    let due = |now, limit| Read::Due {
        owner: "one".into(),
        now,
        limit,
    };
    assert_eq!(many(&**journal, due(3_999, 10)).await, Vec::<i64>::new());
    assert_eq!(many(&**journal, due(4_000, 10)).await, [soon]);
    assert_eq!(many(&**journal, due(9_000, 10)).await, [soon, late]);
    assert_eq!(many(&**journal, due(9_000, 1)).await, [soon]);
    // A move says anew when it is due: sooner or later than before.
    let moves = [
        (State::Sent, 1_200, vec![late]),
        (State::Unknown, 60_000, vec![]),
        (State::Unknown, 1_300, vec![late]),
        (State::Unknown, 60_000, vec![]),
        (State::Answered, 1_400, vec![late]),
    ];
    let mut from = State::Accepted;
    for (to, until, found) in moves {
        let moved = Move {
            due: until,
            ..step(late, &[from], to, 1_100)
        };
        assert_eq!(walk(&**journal, moved).await, Written::Moved);
        assert_eq!(many(&**journal, due(until.min(3_999), 10)).await, found, "{to:?} {until}");
        assert_eq!(many(&**journal, due(60_000, 10)).await.len(), 2, "{to:?} {until}");
        from = to;
    }
}
