//! Acceptance and first attempt in one write: what is new stands as sent, what is not sends nothing.

use super::data::{Subjected, accept, cancel, fresh, key, message, messages, one, outcome, refused, step, stored, take, walk};
use hangu::journal::{Accept, Accepted, Move, Read, Sending, State, Write, Written};

/// A request that brings what goes out for it, under `out_key`.
fn sending(serial: &str, out_key: &str) -> Accept {
    Accept {
        sends: Some(Box::new(Sending {
            link_out: "platform".into(),
            out_key: out_key.into(),
            message: message("sent", "request", "onward", 1_000),
            due: 7_000,
        })),
        ..accept(serial)
    }
}

pub(super) async fn what_is_new_stands_as_sent(journal: Subjected<'_>) {
    let id = fresh(&**journal, sending("1", "out-1")).await;
    let exchange = stored(&**journal, id).await;
    assert_eq!((exchange.state, exchange.due, exchange.deadline), (State::Sent, 7_000, 5_000));
    assert_eq!((exchange.attempts, exchange.queries, &exchange.outcome), (1, 0, &None));
    assert_eq!((exchange.sent_at, exchange.attempted_at), (Some(1_000), Some(1_000)));
    assert_eq!(exchange.link_out.as_deref(), Some("platform"));
    assert_eq!(one(&**journal, Read::ByOutKey("out-1".into())).await, Some(exchange));
    let onward = message("sent", "request", "onward", 1_000);
    assert_eq!(messages(&**journal, id).await, [accept("1").message, onward]);

    // It is past the point from which it could be refused or sent for the first time.
    assert!(matches!(
        walk(&**journal, step(id, &[State::Accepted], State::Sent, 1_100)).await,
        Written::Stale(_)
    ));
    let answered = Move {
        outcome: Some(outcome("success", None)),
        messages: vec![message("sent", "reply", "done", 1_200)],
        answers: Some(key("1")),
        ..step(id, &[State::Sent], State::Answered, 1_200)
    };
    assert_eq!(walk(&**journal, answered).await, Written::Moved);
    let parts: Vec<String> = messages(&**journal, id)
        .await
        .into_iter()
        .map(|message| message.part)
        .collect();
    assert_eq!(parts, ["request", "request", "reply"]);
}

pub(super) async fn what_is_not_new_sends_nothing(journal: Subjected<'_>) {
    let id = fresh(&**journal, sending("1", "out-1")).await;
    let first = stored(&**journal, id).await;
    let again = Accept {
        communication_key: key("2"),
        msg_id: "M2".into(),
        ..sending("1", "out-3")
    };
    let altered = Accept {
        content: [9; 32],
        ..sending("1", "out-4")
    };
    let (exchange, reply) = (first.clone(), None);
    assert_eq!(
        take(&**journal, sending("1", "out-2")).await,
        Accepted::Repeat { exchange, reply }
    );
    assert!(matches!(take(&**journal, again).await, Accepted::Again { .. }));
    assert!(matches!(take(&**journal, altered).await, Accepted::Altered { .. }));

    fresh(&**journal, cancel("5", "6")).await;
    let cancelled = take(&**journal, sending("6", "out-6")).await;
    let Accepted::Tombstoned { id: refused } = cancelled else {
        panic!("not refused: {cancelled:?}")
    };
    assert_eq!(stored(&**journal, refused).await.state, State::Accepted);
    assert_eq!(messages(&**journal, refused).await.len(), 1);

    assert_eq!(stored(&**journal, id).await, first);
    for key in ["out-2", "out-3", "out-4", "out-6"] {
        assert_eq!(one(&**journal, Read::ByOutKey(key.into())).await, None, "{key}");
    }
}

pub(super) async fn a_send_that_cannot_be_leaves_nothing(journal: Subjected<'_>) {
    let id = fresh(&**journal, sending("1", "out-1")).await;
    refused(journal, Write::Accept(Box::new(sending("2", "out-1")))).await;
    assert_eq!(one(&**journal, Read::ByCommunicationKey(key("2"))).await, None);
    assert_eq!(
        one(&**journal, Read::ByOutKey("out-1".into())).await.map(|found| found.id),
        Some(id)
    );

    // What a cancel means is known only when it is accepted.
    let early = Accept {
        sends: sending("3", "out-3").sends,
        ..cancel("3", "1")
    };
    refused(journal, Write::Accept(Box::new(early))).await;
    assert_eq!(one(&**journal, Read::ByCommunicationKey(key("3"))).await, None);
}
