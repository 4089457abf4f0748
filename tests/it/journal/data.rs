//! Made-up requests and messages for the journal's tests.

use hangu::journal::{
    Accept, Accepted, EPOCH_FIRST, Exchange, ExchangeId, Figures, Found, Journal, JournalError, MessageRecord, Millis, Move,
    OriginalKey, Park, Parked, Read, RequestRecord, SealedRecord, State, StoredOutcome, Write, Written,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A journal under test.
pub(crate) type Subjected<'a> = &'a Arc<dyn Journal>;

/// A debit request; everything in it derives from its serial.
pub(crate) fn accept(serial: &str) -> Accept {
    Accept {
        owner: "one".into(),
        lease_until: 10_000,
        communication_key: key(serial),
        business_key: Some(format!("centre|debit|E{serial}")),
        content: digest(serial),
        link_in: "centre".into(),
        operation: "debit".into(),
        institution: Some("tenpay".into()),
        amount_fen: Some(1_250),
        initiator: "C1".into(),
        msg_id: format!("M{serial}"),
        msg_code: "NPS.142.001.01".into(),
        end_to_end_id: Some(format!("E{serial}")),
        settlement_date: Some("2026-11-22".into()),
        batch: Some("B1".into()),
        account_digest: Some(digest("account")),
        cancels: None,
        identities: Vec::new(),
        message: message("received", "request", serial, 1_000),
        at: 1_000,
        deadline: 5_000,
        sends: None,
    }
}

/// A cancel with its own serial, of the debit with serial `of`.
pub(crate) fn cancel(serial: &str, of: &str) -> Accept {
    Accept {
        operation: "cancel".into(),
        business_key: Some(format!("centre|cancel|E{serial}")),
        msg_code: "NPS.300.001.01".into(),
        cancels: Some(original(of)),
        identities: Vec::new(),
        ..accept(serial)
    }
}

/// The identity of the debit with this serial.
pub(crate) fn original(serial: &str) -> OriginalKey {
    OriginalKey {
        initiator: "C1".into(),
        msg_id: format!("M{serial}"),
        msg_code: "NPS.142.001.01".into(),
    }
}

pub(crate) fn key(serial: &str) -> String {
    format!("centre|C1|app|20261122|{serial}|NPS.142.001.01")
}

/// 32 bytes that differ for different texts of up to 32 bytes.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    digest
}

pub(crate) fn message(direction: &'static str, part: &str, body: &str, at: Millis) -> MessageRecord {
    MessageRecord {
        link: "centre".into(),
        direction,
        part: part.into(),
        code: "NPS.142.001.01".into(),
        record: SealedRecord {
            key: "J1".into(),
            sealed: body.as_bytes().to_vec(),
        },
        at,
    }
}

pub(crate) fn park(source: &str, body: &str) -> Park {
    Park {
        link: "centre".into(),
        source: source.into(),
        step: "verify".into(),
        code: "signature_wrong".into(),
        field: Some("header/sign".into()),
        reason: "the signature does not match".into(),
        record: SealedRecord {
            key: "J1".into(),
            sealed: body.as_bytes().to_vec(),
        },
        digest: digest(body),
        at: 1_000,
    }
}

/// Opens a journal when its lock is free: a child that another test is just starting may hold a copy of it for a moment.
pub(crate) fn unlocked<T>(open: impl Fn() -> Result<T, JournalError>) -> Result<T, JournalError> {
    loop {
        match open() {
            Err(JournalError::Refused(reason)) if reason.contains("another process") => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// A bare move under the first epoch.
pub(crate) fn step(id: ExchangeId, from: &[State], to: State, at: Millis) -> Move {
    Move {
        due: at + 100,
        ..Move::bare(id, EPOCH_FIRST, from.to_vec(), to, at)
    }
}

pub(crate) fn outcome(name: &str, reason: Option<&str>) -> StoredOutcome {
    StoredOutcome {
        name: name.into(),
        reason: reason.map(Into::into),
        text: None,
    }
}

pub(crate) async fn take(journal: &dyn Journal, request: Accept) -> Accepted {
    match journal.write(Write::Accept(Box::new(request))).await.unwrap() {
        Written::Accepted(accepted) => *accepted,
        other => panic!("not an acceptance: {other:?}"),
    }
}

/// Accepts what must be new.
pub(crate) async fn fresh(journal: &dyn Journal, request: Accept) -> ExchangeId {
    match take(journal, request).await {
        Accepted::New { id, .. } => id,
        other => panic!("not new: {other:?}"),
    }
}

pub(crate) async fn walk(journal: &dyn Journal, change: Move) -> Written {
    journal.write(Write::Move(Box::new(change))).await.unwrap()
}

/// Brings an accepted exchange to its end.
pub(crate) async fn deliver(journal: &dyn Journal, id: ExchangeId) {
    let steps = [
        (State::Accepted, State::Sent),
        (State::Sent, State::Answered),
        (State::Answered, State::Delivered),
    ];
    for (from, to) in steps {
        assert_eq!(walk(journal, step(id, &[from], to, 2_000)).await, Written::Moved);
    }
}

pub(crate) async fn one(journal: &dyn Journal, read: Read) -> Option<Exchange> {
    match journal.read(read).await.unwrap() {
        Found::Exchange(found) => found.map(|exchange| *exchange),
        other => panic!("not one exchange: {other:?}"),
    }
}

pub(crate) async fn stored(journal: &dyn Journal, id: ExchangeId) -> Exchange {
    one(journal, Read::Exchange(id)).await.expect("the exchange is stored")
}

pub(crate) async fn many(journal: &dyn Journal, read: Read) -> Vec<ExchangeId> {
    match journal.read(read).await.unwrap() {
        Found::Exchanges(found) => found.into_iter().map(|exchange| exchange.id).collect(),
        other => panic!("not exchanges: {other:?}"),
    }
}

pub(crate) async fn messages(journal: &dyn Journal, id: ExchangeId) -> Vec<MessageRecord> {
    match journal.read(Read::Messages(id)).await.unwrap() {
        Found::Messages(found) => found,
        other => panic!("not messages: {other:?}"),
    }
}

pub(crate) async fn all_at_once(journal: Subjected<'_>, requests: impl Iterator<Item = Accept>) -> Vec<Accepted> {
    let mut tasks = JoinSet::new();
    for request in requests {
        let journal = Arc::clone(journal);
        tasks.spawn(async move { take(&*journal, request).await });
    }
    tasks.join_all().await
}

pub(crate) fn by_state(counts: [u64; 5]) -> Vec<(State, u64)> {
    State::ALL.into_iter().zip(counts).collect()
}

pub(crate) async fn figures(journal: Subjected<'_>, now: Millis) -> Figures {
    match journal.read(Read::Figures { now }).await.unwrap() {
        Found::Figures(found) => *found,
        other => panic!("not figures: {other:?}"),
    }
}

pub(crate) async fn parked(journal: Subjected<'_>, id: Option<i64>, status: Option<&'static str>, limit: u32) -> Vec<Parked> {
    match journal.read(Read::Parked { id, status, limit }).await.unwrap() {
        Found::Parked(found) => found,
        other => panic!("not parked: {other:?}"),
    }
}

pub(crate) async fn refused(journal: Subjected<'_>, write: Write) {
    let result = journal.write(write.clone()).await;
    assert!(matches!(result, Err(JournalError::Refused(_))), "{write:?} gave {result:?}");
}

pub(crate) async fn requests(journal: Subjected<'_>, id: i64) -> Vec<(String, Option<String>)> {
    match journal.read(Read::Requests(id)).await.unwrap() {
        Found::Requests(found) => found
            .into_iter()
            .map(
                |RequestRecord {
                     communication_key,
                     replied,
                 }| (communication_key, replied),
            )
            .collect(),
        other => panic!("not requests: {other:?}"),
    }
}

pub(crate) async fn reserve(journal: Subjected<'_>, date: &str, count: u32) -> u64 {
    let write = Write::Reserve {
        instance: "one".into(),
        date: date.into(),
        kind: "message".into(),
        count,
    };
    match journal.write(write).await.unwrap() {
        Written::Reserved(first) => first,
        other => panic!("no serial: {other:?}"),
    }
}

pub(crate) async fn take_over(journal: Subjected<'_>, owner: &str, now: Millis, include_own: bool, limit: u32) -> Vec<i64> {
    let write = Write::TakeOver {
        owner: owner.into(),
        now,
        lease_until: 50_000,
        include_own,
        limit,
    };
    match journal.write(write).await.unwrap() {
        Written::Taken(taken) => taken.into_iter().map(|exchange| exchange.id).collect(),
        other => panic!("nothing taken: {other:?}"),
    }
}
