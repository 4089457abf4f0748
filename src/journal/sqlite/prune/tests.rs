#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use super::super::Store;
use super::super::tests::{accept_of, count};
use crate::journal::{Accept, EPOCH_FIRST, Move, OriginalKey, State, Write};

/// Names that do not stand in the exchange go with it as well: a further request, a query's key, the key of a request that
/// another took the place of, an identity.
#[test]
fn what_is_further_goes_with_its_exchange() {
    let mut store = Store::memory().unwrap();
    let identity = OriginalKey {
        initiator: "other".into(),
        msg_id: "name".into(),
        msg_code: "c".into(),
    };
    let first = Accept {
        identities: vec![identity],
        ..accept_of("a", "x")
    };
    let again = Accept {
        communication_key: "again".into(),
        ..first.clone()
    };
    for request in [first, again] {
        store.apply(&Write::Accept(Box::new(request))).unwrap();
    }
    let (sent, unknown) = (State::Sent, State::Unknown);
    step(&mut store, State::Accepted, sent, Some(("one", false)));
    step(&mut store, sent, unknown, Some(("query", true)));
    step(&mut store, unknown, sent, Some(("two", false)));
    let counts = |store: &Store| ["request", "sent", "original", "message"].map(|table| count(store, table));
    assert_eq!(counts(&store), [2, 3, 2, 2]);
    assert_eq!(further(&store), ["one", "query"]);
    step(&mut store, sent, State::Answered, None);
    step(&mut store, State::Answered, State::Delivered, None);
    store.prune_some(10, 10).unwrap();
    assert_eq!(counts(&store), [0; 4]);
}

fn step(store: &mut Store, from: State, to: State, key: Option<(&str, bool)>) {
    let change = Move {
        due: 3,
        out_key: key.map(|(key, _)| key.into()),
        query: key.is_some_and(|(_, is_query)| is_query),
        ..Move::bare(1, EPOCH_FIRST, vec![from], to, 2)
    };
    assert!(store.apply(&Write::Move(Box::new(change))).unwrap().moved().unwrap());
}

fn further(store: &Store) -> Vec<String> {
    let connection = store.connection.as_ref().unwrap();
    let mut keys = connection
        .prepare("SELECT out_key FROM sent WHERE further = 1 ORDER BY out_key")
        .unwrap();
    keys.query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}
