//! What becomes of an inbound request: new, repeat, again, altered.

use super::data::{
    Subjected, accept, all_at_once, digest, fresh, key, message, messages, one, original, requests, step, stored, take, walk,
};
use hangu::journal::{Accept, Accepted, EPOCH_FIRST, Move, Read, State, Written};

pub(super) async fn an_exchange_is_stored_whole(journal: Subjected<'_>) {
    let asked = accept("1");
    let id = fresh(&**journal, asked.clone()).await;
    let exchange = stored(&**journal, id).await;
    assert_eq!(
        (exchange.state, &exchange.outcome, exchange.epoch),
        (State::Accepted, &None, EPOCH_FIRST)
    );
    assert_eq!(
        (exchange.due, exchange.deadline, exchange.lease_until),
        (5_000, 5_000, 10_000)
    );
    assert_eq!((exchange.attempts, exchange.queries, exchange.accepted_at), (0, 0, 1_000));
    assert_eq!(
        (exchange.sent_at, exchange.answered_at, exchange.delivered_at),
        (None, None, None)
    );
    assert_eq!((&exchange.link_out, &exchange.out_key), (&None, &None));
    let back = Accept {
        owner: exchange.owner.clone(),
        lease_until: exchange.lease_until,
        communication_key: exchange.communication_key.clone(),
        business_key: exchange.business_key.clone(),
        link_in: exchange.link_in.clone(),
        operation: exchange.operation.clone(),
        institution: exchange.institution.clone(),
        amount_fen: exchange.amount_fen,
        initiator: exchange.initiator.clone(),
        msg_id: exchange.msg_id.clone(),
        msg_code: exchange.msg_code.clone(),
        end_to_end_id: exchange.end_to_end_id.clone(),
        settlement_date: exchange.settlement_date.clone(),
        batch: exchange.batch.clone(),
        ..asked.clone()
    };
    assert_eq!(back, asked);
    assert_eq!(messages(&**journal, id).await, [asked.message]);
    for read in [Read::ByCommunicationKey(key("1")), Read::ByOriginal(original("1"))] {
        assert_eq!(one(&**journal, read).await.as_ref(), Some(&exchange));
    }
    for read in [
        Read::Exchange(id + 1),
        Read::ByOutKey(key("1")),
        Read::ByCommunicationKey("x".into()),
        Read::ByOriginal(original("2")),
    ] {
        assert_eq!(one(&**journal, read).await, None);
    }
}

pub(super) async fn a_repeat_finds_the_exchange_and_the_newest_reply(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let exchange = stored(&**journal, id).await;
    assert_eq!(
        take(&**journal, accept("1")).await,
        Accepted::Repeat { exchange, reply: None }
    );

    let reply = message("sent", "reply", "first", 2_000);
    let other = message("sent", "request", "onward", 2_000);
    let answered = Move {
        messages: vec![reply.clone(), other],
        answers: Some(key("1")),
        ..step(id, &[State::Accepted], State::Answered, 2_000)
    };
    assert_eq!(walk(&**journal, answered).await, Written::Moved);
    let exchange = stored(&**journal, id).await;
    assert_eq!(
        take(&**journal, accept("1")).await,
        Accepted::Repeat {
            exchange,
            reply: Some(reply)
        }
    );
    assert_eq!(messages(&**journal, id).await.len(), 3);
}

pub(super) async fn an_altered_repeat_stores_nothing(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let exchange = stored(&**journal, id).await;
    let altered = Accept {
        content: digest("other"),
        ..accept("1")
    };
    assert_eq!(
        take(&**journal, altered).await,
        Accepted::Altered {
            exchange: exchange.clone()
        }
    );
    // The digest that counts is that of the exchange which the key names, not of the one that the business names.
    fresh(&**journal, accept("2")).await;
    let crossed = Accept {
        communication_key: key("1"),
        ..accept("2")
    };
    assert_eq!(take(&**journal, crossed).await, Accepted::Altered { exchange });
    assert_eq!(messages(&**journal, id).await.len(), 1);
}

pub(super) async fn the_same_business_under_a_new_key_is_linked(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let again = Accept {
        communication_key: key("1b"),
        at: 1_500,
        ..accept("1")
    };
    let exchange = stored(&**journal, id).await;
    assert_eq!(
        take(&**journal, again.clone()).await,
        Accepted::Again {
            exchange: exchange.clone()
        }
    );
    assert_eq!(
        one(&**journal, Read::ByCommunicationKey(key("1b"))).await,
        Some(exchange.clone())
    );
    assert_eq!(exchange.communication_key, key("1"));
    assert_eq!(messages(&**journal, id).await.len(), 2);
    assert_eq!(take(&**journal, again).await, Accepted::Repeat { exchange, reply: None });
    assert_eq!(requests(journal, id).await, [(key("1"), None), (key("1b"), None)]);
}

pub(super) async fn altered_business_stores_nothing(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let altered = Accept {
        communication_key: key("1b"),
        content: digest("other"),
        ..accept("1")
    };
    let exchange = stored(&**journal, id).await;
    assert_eq!(take(&**journal, altered).await, Accepted::Altered { exchange });
    assert_eq!(one(&**journal, Read::ByCommunicationKey(key("1b"))).await, None);
    assert_eq!(messages(&**journal, id).await.len(), 1);
}

pub(super) async fn a_request_without_business_key_is_no_duplicate(journal: Subjected<'_>) {
    let echo = |serial| Accept {
        business_key: None,
        msg_id: "ECHO".into(),
        ..accept(serial)
    };
    let first = fresh(&**journal, echo("1")).await;
    let second = fresh(&**journal, echo("2")).await;
    assert_ne!(first, second);
    assert!(matches!(take(&**journal, echo("2")).await, Accepted::Repeat { exchange, .. } if exchange.id == second));
}

pub(super) async fn another_payment_under_the_same_message_id_is_altered(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let other = Accept {
        msg_id: accept("1").msg_id,
        ..accept("2")
    };
    assert!(matches!(take(&**journal, other).await, Accepted::Altered { exchange } if exchange.id == id));
    assert_eq!(one(&**journal, Read::ByCommunicationKey(key("2"))).await, None);
}

pub(super) async fn concurrent_accepts_of_one_key_make_one_exchange(journal: Subjected<'_>) {
    let accepted = all_at_once(journal, (0..64).map(|_| accept("1"))).await;
    let new = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::New { .. }))
        .count();
    let repeats = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::Repeat { .. }))
        .count();
    assert_eq!((new, repeats), (1, 63));
}

pub(super) async fn concurrent_accepts_of_one_business_make_one_exchange(journal: Subjected<'_>) {
    let under = |number| Accept {
        communication_key: format!("key-{number}"),
        ..accept("1")
    };
    let accepted = all_at_once(journal, (0..64).map(under)).await;
    let new = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::New { .. }))
        .count();
    let again = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Accepted::Again { .. }))
        .count();
    assert_eq!((new, again), (1, 63));
}
