//! Writes of all kinds that share one transaction of the shared journal: each hears of itself alone.

use super::data::{Subjected, accept, cancel, fresh, message, original, outcome, park, reserve, step, stored, take};
use crate::database;
use futures_util::future::join_all;
use hangu::journal::postgres::{Options, PostgresJournal};
use hangu::journal::{Accept, Accepted, Journal, JournalError, Move, Read, State, Write, Written};
use std::sync::Arc;

/// A journal of one lane, so that what is asked for at once is one batch.
async fn one_lane() -> Arc<dyn Journal> {
    let options = Options {
        connections: 1,
        ..database::shared().fresh()
    };
    Arc::new(PostgresJournal::open(options).await.unwrap())
}

fn accepting(request: Accept) -> Write {
    Write::Accept(Box::new(request))
}

fn moving(change: Move) -> Write {
    Write::Move(Box::new(change))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shares_a_transaction_is_answered_one_by_one() {
    let journal = one_lane().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        ids.push(fresh(&*journal, accept(name)).await);
    }
    take(&*journal, cancel("early", "tombstone")).await;
    let all: Vec<_> = join_all(mixed(&ids).map(|write| journal.write(write))).await;
    accepted_rightly(&journal, &ids, &all).await;
    moved_rightly(&journal, &ids, &all).await;
}

async fn accepted_rightly(journal: Subjected<'_>, ids: &[i64], all: &[Result<Written, JournalError>]) {
    let new = |written: &Result<Written, JournalError>| match written {
        Ok(Written::Accepted(accepted)) => match **accepted {
            Accepted::New { id, .. } => id,
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let accepted = |place: usize| match &all[place] {
        Ok(Written::Accepted(accepted)) => &**accepted,
        other => panic!("{place}: {other:?}"),
    };
    for place in [0, 1, 6, 7] {
        let id = new(&all[place]);
        assert_eq!(stored(&**journal, id).await.state, State::Accepted, "{place}");
    }
    assert!(matches!(accepted(2), Accepted::Repeat { exchange, .. } if exchange.id == ids[0]));
    assert!(matches!(accepted(3), Accepted::Altered { exchange } if exchange.id == ids[1]));
    assert!(matches!(accepted(4), Accepted::Tombstoned { .. }));
    assert!(matches!(accepted(7), Accepted::New { original: Some(exchange), .. } if exchange.id == ids[2]));
    let by_name = journal
        .read(Read::ByOriginal(original("x")))
        .await
        .unwrap()
        .exchange()
        .unwrap();
    assert_eq!(by_name.map(|exchange| exchange.id), Some(new(&all[1])));
}

async fn moved_rightly(journal: Subjected<'_>, ids: &[i64], all: &[Result<Written, JournalError>]) {
    for (place, reason) in [(5, "direction"), (9, "not one of exchange"), (12, "no exchange 1000000")] {
        assert!(
            matches!(&all[place], Err(JournalError::Refused(said)) if said.contains(reason)),
            "{:?}",
            all[place]
        );
    }
    for place in [8, 10, 13, 14] {
        assert_eq!(all[place], Ok(Written::Moved), "{place}");
    }
    assert!(matches!(&all[11], Ok(Written::Stale(exchange)) if exchange.id == ids[3] && exchange.state == State::Accepted));
    assert!(matches!(all[15], Ok(Written::Parked { fresh: true, .. })));
    let states = [
        State::Sent,
        State::Accepted,
        State::Answered,
        State::Accepted,
        State::Delivered,
    ];
    for (id, state) in ids.iter().zip(states) {
        assert_eq!(stored(&**journal, *id).await.state, state, "{id}");
    }
    let messages = journal.read(Read::Messages(ids[0])).await.unwrap().messages().unwrap();
    let parts: Vec<&str> = messages.iter().map(|message| &*message.part).collect();
    assert_eq!(parts, ["request", "request", "query"]);
    let effect = journal.read(Read::EffectOf(ids[2])).await.unwrap().effects().unwrap();
    assert_eq!(effect.len(), 1);
}

/// All that one batch may hold at once.
fn mixed(ids: &[i64]) -> [Write; 16] {
    let mut altered = accept("b");
    altered.content[0] ^= 1;
    let mut odd = accept("odd");
    odd.message.direction = "sideways";
    let mut nameless = accept("nameless");
    nameless.business_key = None;
    let mut sent = step(ids[0], &[State::Accepted], State::Sent, 2_000);
    sent.out_key = Some("out-a".into());
    sent.messages = vec![
        message("sent", "request", "asked", 2_000),
        message("sent", "query", "again", 2_001),
    ];
    let mut foreign = step(ids[1], &[State::Accepted], State::Answered, 2_000);
    foreign.answers = Some("nobody's".into());
    let mut settled = step(ids[2], &[State::Accepted], State::Answered, 2_000);
    settled.outcome = Some(outcome("failed", Some("closed")));
    settled.messages = vec![message("sent", "reply", "no", 2_000)];
    [
        // Takes the lane alone, so that the others wait for it together.
        accepting(accept("first")),
        accepting(accept("x")),
        accepting(accept("a")),
        accepting(altered),
        accepting(accept("tombstone")),
        accepting(odd),
        accepting(nameless),
        accepting(cancel("late", "c")),
        moving(sent),
        moving(foreign),
        moving(settled),
        moving(step(ids[3], &[State::Sent], State::Answered, 2_000)),
        moving(step(1_000_000, &[State::Sent], State::Answered, 2_000)),
        moving(step(ids[4], &[State::Accepted], State::Sent, 2_000)),
        moving(step(ids[4], &[State::Sent], State::Delivered, 2_000)),
        Write::Park(Box::new(park("queue", "odd"))),
    ]
}

/// A key that was taken meanwhile fails the transaction that holds it among others; all of them come through the second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_accept_the_same_requests_once() {
    let options = database::shared().fresh();
    let mut instances: Vec<Arc<dyn Journal>> = Vec::new();
    for _ in 0..2 {
        instances.push(Arc::new(PostgresJournal::open(options.clone()).await.unwrap()));
    }
    for round in 0..5 {
        let serials: Vec<String> = (0..40).map(|number| format!("{round}-{number}")).collect();
        let both = instances.iter().enumerate().map(|(turn, journal)| {
            // One has them in the order opposite to the other's.
            let mut serials = serials.clone();
            if turn == 1 {
                serials.reverse();
            }
            async move {
                let requests = serials.iter().map(|serial| take(&**journal, accept(serial)));
                join_all(requests).await
            }
        });
        let answers: Vec<Accepted> = join_all(both).await.into_iter().flatten().collect();
        let new = answers.iter().filter(|answer| matches!(answer, Accepted::New { .. })).count();
        let repeats = answers
            .iter()
            .filter(|answer| matches!(answer, Accepted::Repeat { .. }))
            .count();
        assert_eq!((new, repeats), (40, 40), "round {round}");
    }
    assert_eq!(reserve(&instances[0], "20261201", 1).await, 1, "the lanes go on");
}
