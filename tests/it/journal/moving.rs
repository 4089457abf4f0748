//! Moves between states and the replies stored with them.

use super::data::{
    Subjected, accept, deliver, fresh, key, message, messages, one, outcome, refused, requests, step, stored, take, walk,
};
use hangu::journal::{Accept, Accepted, EPOCH_FIRST, MessageRecord, Move, Read, State, Write, Written};
use std::sync::Arc;
use tokio::task::JoinSet;

pub(super) async fn moves_set_what_they_say_and_when(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let sent = Move {
        link_out: Some("platform".into()),
        out_key: Some("out-1".into()),
        messages: vec![message("sent", "request", "onward", 1_100)],
        attempt: true,
        ..step(id, &[State::Accepted], State::Sent, 1_100)
    };
    assert_eq!(walk(&**journal, sent).await, Written::Moved);
    let unknown = Move {
        outcome: Some(outcome("unknown", None)),
        ..step(id, &[State::Sent], State::Unknown, 1_200)
    };
    assert_eq!(walk(&**journal, unknown).await, Written::Moved);
    let asked = Move {
        query: true,
        ..step(id, &[State::Sent, State::Unknown], State::Unknown, 1_300)
    };
    assert_eq!(walk(&**journal, asked).await, Written::Moved);
    let again = Move {
        attempt: true,
        ..step(id, &[State::Unknown], State::Sent, 1_400)
    };
    assert_eq!(walk(&**journal, again).await, Written::Moved);
    let answered = Move {
        outcome: Some(outcome("failed", Some("limit"))),
        ..step(id, &State::ALL[1..3], State::Answered, 1_500)
    };
    assert_eq!(walk(&**journal, answered).await, Written::Moved);
    assert_eq!(
        walk(&**journal, step(id, &[State::Answered], State::Delivered, 1_600)).await,
        Written::Moved
    );

    let exchange = stored(&**journal, id).await;
    assert_eq!((exchange.state, exchange.due), (State::Delivered, 1_700));
    assert_eq!(exchange.outcome, Some(outcome("failed", Some("limit"))));
    assert_eq!(
        (exchange.link_out.as_deref(), exchange.out_key.as_deref()),
        (Some("platform"), Some("out-1"))
    );
    assert_eq!((exchange.attempts, exchange.queries), (2, 1));
    assert_eq!(
        (exchange.sent_at, exchange.answered_at, exchange.delivered_at),
        (Some(1_100), Some(1_500), Some(1_600))
    );
    assert_eq!(one(&**journal, Read::ByOutKey("out-1".into())).await, Some(exchange));
    let parts: Vec<String> = messages(&**journal, id)
        .await
        .into_iter()
        .map(|message| message.part)
        .collect();
    assert_eq!(parts, ["request", "request"]);
}

pub(super) async fn a_move_from_another_state_is_stale(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let exchange = stored(&**journal, id).await;
    for from in [&[][..], &[State::Sent, State::Unknown][..]] {
        let change = Move {
            messages: vec![message("sent", "reply", "x", 2_000)],
            ..step(id, from, State::Answered, 2_000)
        };
        assert_eq!(walk(&**journal, change).await, Written::Stale(Box::new(exchange.clone())));
    }
    assert_eq!(messages(&**journal, id).await.len(), 1);
}

pub(super) async fn a_move_under_another_epoch_is_stale(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let exchange = stored(&**journal, id).await;
    for epoch in [EPOCH_FIRST - 1, EPOCH_FIRST + 1] {
        let change = Move {
            epoch,
            ..step(id, &[State::Accepted], State::Sent, 2_000)
        };
        assert_eq!(walk(&**journal, change).await, Written::Stale(Box::new(exchange.clone())));
    }
}

pub(super) async fn a_final_outcome_stands(journal: Subjected<'_>) {
    for (serial, first, second) in [
        ("1", "success", "failed"),
        ("2", "failed", "success"),
        ("3", "success", "unknown"),
    ] {
        let id = fresh(&**journal, accept(serial)).await;
        let change = |name| Move {
            outcome: Some(outcome(name, None)),
            ..step(id, &State::ALL[..4], State::Answered, 2_000)
        };
        assert_eq!(walk(&**journal, change("unknown")).await, Written::Moved);
        assert_eq!(walk(&**journal, change(first)).await, Written::Moved);
        let standing = stored(&**journal, id).await;
        assert_eq!(
            walk(&**journal, change(second)).await,
            Written::Stale(Box::new(standing.clone()))
        );
        let back = step(id, &[State::Answered], State::Unknown, 2_000);
        assert_eq!(walk(&**journal, back).await, Written::Stale(Box::new(standing)));
        assert_eq!(walk(&**journal, change(first)).await, Written::Moved);
    }
    let id = fresh(&**journal, accept("4")).await;
    let change = |reason| Move {
        outcome: Some(outcome("failed", Some(reason))),
        ..step(id, &State::ALL[..4], State::Answered, 2_000)
    };
    assert_eq!(walk(&**journal, change("limit")).await, Written::Moved);
    assert!(matches!(walk(&**journal, change("balance")).await, Written::Stale(_)));
}

pub(super) async fn delivered_is_the_end(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    deliver(&**journal, id).await;
    for to in &State::ALL[..4] {
        assert!(matches!(
            walk(&**journal, step(id, &State::ALL, *to, 3_000)).await,
            Written::Stale(_)
        ));
    }
}

pub(super) async fn nothing_goes_back_to_accepted(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    assert_eq!(
        walk(&**journal, step(id, &[State::Accepted], State::Accepted, 1_100)).await,
        Written::Moved
    );
    assert_eq!(
        walk(&**journal, step(id, &[State::Accepted], State::Sent, 1_200)).await,
        Written::Moved
    );
    assert!(matches!(
        walk(&**journal, step(id, &State::ALL, State::Accepted, 1_300)).await,
        Written::Stale(_)
    ));
}

pub(super) async fn an_outbound_key_belongs_to_one_exchange(journal: Subjected<'_>) {
    let sent = |id| Move {
        out_key: Some("out".into()),
        ..step(id, &[State::Accepted, State::Sent], State::Sent, 2_000)
    };
    let first = fresh(&**journal, accept("1")).await;
    let second = fresh(&**journal, accept("2")).await;
    assert_eq!(walk(&**journal, sent(first)).await, Written::Moved);
    assert_eq!(walk(&**journal, sent(first)).await, Written::Moved);
    refused(journal, Write::Move(Box::new(sent(second)))).await;
    assert_eq!(stored(&**journal, second).await.state, State::Accepted);
}

pub(super) async fn a_wrong_move_is_refused_whole(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    fresh(&**journal, accept("2")).await;
    let change = || Move {
        messages: vec![message("sent", "reply", "x", 2_000)],
        ..step(id, &[State::Accepted], State::Answered, 2_000)
    };
    let wrong = [
        Move {
            id: id + 100,
            ..change()
        },
        Move {
            answers: Some(key("2")),
            ..change()
        },
        Move {
            answers: Some("nobody".into()),
            ..change()
        },
        Move {
            outcome: Some(outcome("perhaps", None)),
            ..change()
        },
        Move {
            messages: vec![message("sideways", "reply", "x", 2_000)],
            ..change()
        },
    ];
    for change in wrong {
        refused(journal, Write::Move(Box::new(change))).await;
    }
    assert_eq!(stored(&**journal, id).await.state, State::Accepted);
    assert_eq!(messages(&**journal, id).await.len(), 1);
}

pub(super) async fn an_interim_answer_never_hides_the_reply(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let change = |part: &str| Move {
        messages: vec![message("sent", part, part, 2_000)],
        answers: Some(key("1")),
        ..step(id, &State::ALL[..4], State::Answered, 2_000)
    };
    for (part, newest) in [
        ("interim", "interim"),
        ("reply", "reply"),
        ("interim", "reply"),
        ("query", "reply"),
    ] {
        assert_eq!(walk(&**journal, change(part)).await, Written::Moved);
        assert_eq!(requests(journal, id).await, [(key("1"), Some(newest.into()))], "after {part}");
    }
}

pub(super) async fn further_replies_are_stored(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let again = || Accept {
        communication_key: key("1b"),
        at: 1_500,
        ..accept("1")
    };
    assert!(matches!(take(&**journal, again()).await, Accepted::Again { .. }));
    let reply = message("sent", "reply", "to the second", 3_000);
    let write = |answers: &str, message| Write::Reply {
        replaces: None,
        id,
        answers: answers.into(),
        message,
    };
    assert_eq!(journal.write(write(&key("1b"), reply.clone())).await, Ok(Written::Stored));
    assert_eq!(
        requests(journal, id).await,
        [(key("1"), None), (key("1b"), Some("reply".into()))]
    );
    assert!(matches!(take(&**journal, again()).await, Accepted::Repeat { reply: Some(found), .. } if found == reply));
    refused(journal, write("nobody", reply)).await;
    refused(journal, write(&key("1"), message("received", "reply", "x", 3_000))).await;
}

/// A final reply gives way to one that names it, and to nothing else.
pub(super) async fn a_reply_is_replaced_once(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let reply = |body: &str| message("sent", "reply", body, 3_000);
    let (first, other) = (reply("first"), reply("other"));
    let replacing = |replaced: Option<&MessageRecord>, body: &str| Write::Reply {
        replaces: replaced.map(|replaced| Box::new(replaced.record.clone())),
        id,
        answers: key("1"),
        message: reply(body),
    };
    let steps = [
        (replacing(Some(&first), "first"), Written::Conflict(None)),
        (replacing(None, "first"), Written::Stored),
        (replacing(None, "second"), Written::Conflict(None)),
        (replacing(Some(&other), "second"), Written::Conflict(None)),
        (replacing(Some(&first), "second"), Written::Stored),
        (replacing(Some(&first), "third"), Written::Conflict(None)),
    ];
    for (write, expected) in steps {
        assert_eq!(journal.write(write).await, Ok(expected));
    }
    let newest = journal.read(Read::ReplyTo(key("1"))).await.unwrap().messages().unwrap();
    assert_eq!(newest, [reply("second")]);
}

pub(super) async fn concurrent_moves_have_one_winner(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let mut moves = JoinSet::new();
    for _ in 0..32 {
        let journal = Arc::clone(journal);
        moves.spawn(async move { walk(&*journal, step(id, &[State::Accepted], State::Sent, 2_000)).await });
    }
    let results = moves.join_all().await;
    assert_eq!(results.iter().filter(|result| **result == Written::Moved).count(), 1);
}
