//! Sealed bytes put in the place of others that hold the same: by compare-and-set, and without a trace in what is known by them.

use super::data::{Subjected, accept, fresh, message, outcome, park, step, walk};
use hangu::journal::chain::reply_digest;
use hangu::journal::rewrap::{MARK, Place, Placed, Rewrapped, first_digest};
use hangu::journal::{MessageRecord, Parked, Read, SealedRecord, State, Write, Written};

/// What stands under another key and is the same by its first digest.
fn wrapped(from: &SealedRecord) -> SealedRecord {
    SealedRecord {
        key: "journal-2".to_owned(),
        sealed: [&MARK[..], &first_digest(&from.sealed), b"other bytes"].concat(),
    }
}

fn put(place: Place, from: &SealedRecord) -> Rewrapped {
    Rewrapped {
        place,
        from: from.clone(),
        to: wrapped(from),
    }
}

async fn messages(journal: Subjected<'_>, id: i64) -> Vec<MessageRecord> {
    journal.read(Read::Messages(id)).await.unwrap().messages().unwrap()
}

pub(super) async fn what_stands_as_it_was_read_is_wrapped_anew(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    let before = messages(journal, id).await;
    let record = &before[0].record;
    let place = |seq| Place::Message { exchange: id, seq };
    let stale = SealedRecord {
        key: record.key.clone(),
        sealed: b"something else".to_vec(),
    };
    let all = vec![put(place(2), record), put(place(1), &stale), put(place(1), record)];
    assert_eq!(journal.write(Write::Rewrap(all)).await, Ok(Written::Stored));
    let after = messages(journal, id).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].record, wrapped(record));
    assert!(after[0].record.is_same(record) && !after[0].record.is_same(&stale));
    let as_before = MessageRecord {
        record: record.clone(),
        ..after[0].clone()
    };
    assert_eq!(as_before, before[0], "all but the sealed bytes stands");
    // Once more it finds nothing to do.
    let again = vec![put(place(1), record)];
    journal.write(Write::Rewrap(again)).await.unwrap();
    assert_eq!(messages(journal, id).await, after);
}

/// The chain names a reply by its first bytes, and so does whoever replaces it.
pub(super) async fn a_reply_that_was_wrapped_anew_is_the_same_reply(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    walk(&**journal, step(id, &[State::Accepted], State::Sent, 2_000)).await;
    let reply = message("sent", "reply", "done", 3_000);
    let mut settled = step(id, &[State::Sent], State::Answered, 3_000);
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![reply.clone()];
    settled.answers = Some(accept("1").communication_key);
    walk(&**journal, settled).await;
    let seq = i64::try_from(messages(journal, id).await.len()).unwrap();
    let place = Place::Message { exchange: id, seq };
    journal.write(Write::Rewrap(vec![put(place, &reply.record)])).await.unwrap();
    let effect = journal.read(Read::EffectOf(id)).await.unwrap().effects().unwrap().remove(0);
    let stands = messages(journal, id).await.pop().unwrap();
    assert_eq!(stands.record, wrapped(&reply.record));
    assert_eq!(effect.reply, Some(reply_digest(&stands.record.sealed)));
    let anew = Write::Reply {
        replaces: Some(Box::new(reply.record)),
        id,
        answers: accept("1").communication_key,
        message: message("sent", "reply", "done again", 4_000),
    };
    assert_eq!(journal.write(anew).await, Ok(Written::Stored));
}

/// Nothing is read but what is left to do, from a place on and no further than asked.
pub(super) async fn what_stands_under_another_key_is_read_in_pages(journal: Subjected<'_>) {
    let mut ids = Vec::new();
    for n in ["1", "2", "3"] {
        let id = fresh(&**journal, accept(n)).await;
        let mut sent = step(id, &[State::Accepted], State::Sent, 2_000);
        sent.messages = vec![message("sent", "request", n, 2_000)];
        walk(&**journal, sent).await;
        ids.push(id);
    }
    let page = async |key: &str, after, until, limit| -> Vec<(i64, i64)> {
        let key = key.to_owned();
        let read = Read::OtherKey {
            key,
            after,
            until,
            limit,
        };
        let found: Vec<Placed> = journal.read(read).await.unwrap().placed().unwrap();
        for one in &found {
            let stands = messages(journal, one.exchange).await;
            assert_eq!(stands[usize::try_from(one.seq - 1).unwrap()], one.message);
        }
        found.iter().map(|one| (one.exchange, one.seq)).collect()
    };
    let all: Vec<_> = ids.iter().flat_map(|id| [(*id, 1), (*id, 2)]).collect();
    let last = ids[2];
    assert_eq!(page("journal-2", (0, 0), last, 10).await, all);
    assert_eq!(page("journal-2", (0, 0), last, 3).await, all[..3]);
    assert_eq!(page("journal-2", all[2], last, 10).await, all[3..]);
    assert_eq!(page("journal-2", (0, 0), ids[0], 10).await, all[..2]);
    assert_eq!(page("journal-2", (last, i64::MAX), i64::MAX, 10).await, []);
    let first = messages(journal, ids[0]).await;
    let record = &first[0].record;
    let place = Place::Message {
        exchange: ids[0],
        seq: 1,
    };
    journal.write(Write::Rewrap(vec![put(place, record)])).await.unwrap();
    assert_eq!(page("journal-2", (0, 0), last, 10).await, all[1..]);
    assert_eq!(page(&record.key, (0, 0), last, 10).await, all[..1]);
}

pub(super) async fn parked_messages_are_wrapped_in_pages(journal: Subjected<'_>) {
    for body in ["a", "b", "c"] {
        journal.write(Write::Park(Box::new(park("q", body)))).await.unwrap();
    }
    let page = async |after, limit| -> Vec<Parked> {
        let read = Read::ParkedAfter { after, limit };
        journal.read(read).await.unwrap().parked().unwrap()
    };
    let first = page(0, 2).await;
    assert_eq!(first.len(), 2);
    let rest = page(first[1].id, 2).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(page(rest[0].id, 2).await, []);
    let record = &first[1].park.record;
    journal
        .write(Write::Rewrap(vec![put(Place::Parked(first[1].id), record)]))
        .await
        .unwrap();
    let after = page(0, 8).await;
    assert_eq!(after[1].park.record, wrapped(record));
    assert_eq!((&after[0], &after[2]), (&first[0], &rest[0]));
}
