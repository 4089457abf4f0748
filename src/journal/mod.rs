//! The journal: what is durable, and the compare-and-set moves between states.
//!
//! Every write is one closed `Write`, applied atomically and durable when answered. Times are milliseconds since
//! 1970 (UTC), passed in. Bytes arrive sealed; the journal never sees clear account data.

mod answers;
pub mod chain;
mod columns;
mod found;
mod kept;
pub mod open;
pub mod postgres;
pub mod prove;
pub mod rewrap;
pub mod sqlite;
mod step;
pub mod verify;

pub use answers::Unexpected;
pub use chain::{Chain, Effect, Tip};
pub use found::{EffectKey, Figures, Found, RequestRecord, Search};
pub use kept::Kept;
pub use step::Move;

use async_trait::async_trait;
use std::sync::Arc;

/// Epoch of a fresh exchange; each take-over adds one. Whoever got `Accepted::New` or `Tombstoned` moves it under this epoch.
pub const EPOCH_FIRST: i64 = 1;

/// Reason that a tombstoned exchange carries from its acceptance on, with the outcome `failed`.
pub const ALREADY_CANCELLED: &str = "already_cancelled";

/// Identity of an exchange, given by the journal.
pub type ExchangeId = i64;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// Life of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum State {
    /// Durable, nothing sent.
    Accepted,
    /// An attempt is durable: the request may have been sent.
    Sent,
    /// Sent, and the result is not known.
    Unknown,
    /// The outcome and the exact reply bytes are durable.
    Answered,
    /// The reply was confirmed by the broker or written to the HTTP connection. Terminal.
    Delivered,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Sent, Self::Unknown, Self::Answered, Self::Delivered];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Answered => "answered",
            Self::Delivered => "delivered",
        }
    }
}

/// Outcome as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredOutcome {
    /// `success`, `failed` or `unknown`.
    pub name: String,
    /// Our reason code, on failure.
    pub reason: Option<String>,
    pub text: Option<String>,
}

/// Exact bytes of one message, sealed under the journal key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRecord {
    /// Serial of the journal key.
    pub key: String,
    /// nonce (12) || ciphertext || tag (16).
    pub sealed: Vec<u8>,
}

/// One message of an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageRecord {
    /// Link name.
    pub link: String,
    /// `received` or `sent`.
    pub direction: &'static str,
    /// `request`, `reply`, `interim`, `query`, `query_reply`, `notice`, ...
    pub part: String,
    /// Message code, such as NPS.142.001.01.
    pub code: String,
    pub record: SealedRecord,
    pub at: Millis,
}

/// Whether a stored reply keeps a further one out: one that is final does, unless it is the one to be replaced.
fn stands_in_the_way(newest: Option<&MessageRecord>, replaces: Option<&SealedRecord>) -> bool {
    match replaces {
        Some(replaced) => newest.is_none_or(|newest| !newest.record.is_same(replaced)),
        None => newest.is_some_and(|newest| newest.part == "reply"),
    }
}

/// A new inbound request, to be made durable before it is acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accept {
    pub owner: String,
    pub lease_until: Millis,
    /// UNIQUE over all requests: `link|sender|app|date|serial|code`.
    pub communication_key: String,
    /// UNIQUE over all exchanges: `initiator|operation|end-to-end id`; `None` for what is no business (echo).
    pub business_key: Option<String>,
    /// Keyed SM3 over the canonical business content.
    pub content: [u8; 32],
    pub link_in: String,
    pub operation: String,
    pub institution: Option<String>,
    pub amount_fen: Option<i64>,
    pub initiator: String,
    pub msg_id: String,
    pub msg_code: String,
    pub end_to_end_id: Option<String>,
    pub settlement_date: Option<String>,
    pub batch: Option<String>,
    /// Keyed SM3 of the payer's account, for search.
    pub account_digest: Option<[u8; 32]>,
    /// For a cancel: which original it competes for.
    pub cancels: Option<OriginalKey>,
    /// Further names under which a cancel may speak of this request; each is competed for like its own key.
    pub identities: Vec<OriginalKey>,
    pub message: MessageRecord,
    pub at: Millis,
    /// When the outcome must be known, or the exchange turns unknown.
    pub deadline: Millis,
    /// What goes out for it at once if it is new: it then stands as sent from the first moment. Not for a cancel.
    pub sends: Option<Box<Sending>>,
}

/// The first attempt of an outbound request, which its acceptance makes durable too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sending {
    pub link_out: String,
    /// Communication key of the outbound request, by which replies are matched.
    pub out_key: String,
    pub message: MessageRecord,
    /// When the sweeper looks at it, if it was not answered.
    pub due: Millis,
}

impl Accept {
    /// What can be cancelled takes its rows of `original`: a business request, under each of its names.
    fn competes(&self) -> Vec<OriginalKey> {
        if self.business_key.is_none() || self.cancels.is_some() {
            return Vec::new();
        }
        let own = OriginalKey {
            initiator: self.initiator.clone(),
            msg_id: self.msg_id.clone(),
            msg_code: self.msg_code.clone(),
        };
        let mut originals = vec![own];
        originals.extend(self.identities.iter().cloned());
        originals.sort();
        originals.dedup();
        originals
    }
}

/// The row for which an original and its cancel compete.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OriginalKey {
    pub initiator: String,
    pub msg_id: String,
    pub msg_code: String,
}

/// What became of an `Accept`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Durable and ours to work on; sent, where the request brought what goes out. For a cancel, `original` is the exchange
    /// that it cancels; `None` means that it came first and stands as a tombstone.
    New { id: ExchangeId, original: Option<Exchange> },
    /// Durable, but a tombstone stands: the request must be refused (`already_cancelled`) and must not be sent on.
    /// It carries the outcome `failed` with `ALREADY_CANCELLED` from the first moment, so that no move can send it.
    Tombstoned { id: ExchangeId },
    /// Same communication key, same content: the exchange and the newest stored reply to that very request, if any.
    Repeat {
        exchange: Exchange,
        reply: Option<MessageRecord>,
    },
    /// Same business key and content under a new communication key, which is linked to the exchange.
    Again { exchange: Exchange },
    /// Same communication or business key, other content. Nothing was stored.
    Altered { exchange: Exchange },
}

/// One exchange as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    pub id: ExchangeId,
    pub state: State,
    pub outcome: Option<StoredOutcome>,
    pub operation: String,
    pub institution: Option<String>,
    pub amount_fen: Option<i64>,
    pub link_in: String,
    pub link_out: Option<String>,
    /// The first request's communication key.
    pub communication_key: String,
    pub business_key: Option<String>,
    pub initiator: String,
    pub msg_id: String,
    pub msg_code: String,
    pub end_to_end_id: Option<String>,
    pub settlement_date: Option<String>,
    pub batch: Option<String>,
    /// Communication key of our outbound request, by which replies are matched.
    pub out_key: Option<String>,
    pub owner: String,
    pub epoch: i64,
    pub lease_until: Millis,
    pub deadline: Millis,
    /// When the sweeper looks at it again.
    pub due: Millis,
    /// Sends of the outbound request, and queries after it.
    pub attempts: i64,
    pub queries: i64,
    pub accepted_at: Millis,
    pub sent_at: Option<Millis>,
    /// The newest send of the outbound request.
    pub attempted_at: Option<Millis>,
    pub answered_at: Option<Millis>,
    pub delivered_at: Option<Millis>,
}

/// A message we refuse and keep for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Park {
    pub link: String,
    /// Queue or path it came from.
    pub source: String,
    pub step: String,
    pub code: String,
    pub field: Option<String>,
    pub reason: String,
    pub record: SealedRecord,
    /// Keyed SM3 of the raw bytes; UNIQUE together with `source`, so that a redelivery parks once.
    pub digest: [u8; 32],
    pub at: Millis,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parked {
    pub id: i64,
    /// `parked`, `releasing` (a person has asked, the gateway has not done it yet), `released` or `discarded`.
    pub status: String,
    pub note: Option<String>,
    /// What a released message became, or repeated.
    pub exchange: Option<ExchangeId>,
    pub park: Park,
}

/// What becomes of a parked message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// A person asks for its release; from `parked`.
    Releasing,
    /// It went through, as this exchange if it is one; from `parked` or `releasing`.
    Released(Option<ExchangeId>),
    /// From `parked`.
    Discarded,
    /// It was refused again; from `releasing`.
    Parked,
}

/// Every write.
#[derive(Clone, Debug)]
pub enum Write {
    Accept(Box<Accept>),
    Move(Box<Move>),
    /// Stores a further reply for a request that is a repeat of the business (`Accepted::Again`), or of a settled unknown.
    /// One final reply a request: where one stands, nothing is stored and the answer is `Conflict`, unless it `replaces` that
    /// very one, whose authentication has aged or whose key may not be used any more.
    Reply {
        replaces: Option<Box<SealedRecord>>,
        id: ExchangeId,
        answers: String,
        message: MessageRecord,
    },
    Park(Box<Park>),
    /// Changes a parked message's status; one that is not as `to` expects is a `Conflict`.
    Resolve {
        id: i64,
        to: Resolution,
        /// Replaces the note that stands, when given.
        note: Option<String>,
        at: Millis,
    },
    /// Reserves `count` serials for (instance, date, kind): the answer is the first. They are never given again.
    Reserve {
        instance: String,
        date: String,
        kind: String,
        count: u32,
    },
    /// Compare-and-set of a setting (`settlement_date`, `system_status`, ...). `expect: None` means "absent".
    Set {
        name: String,
        expect: Option<String>,
        value: String,
        at: Millis,
    },
    /// Extends the leases of all exchanges of an owner that are not delivered.
    Renew {
        owner: String,
        now: Millis,
        lease_until: Millis,
    },
    /// Gives up the leases of all exchanges of an owner that are not delivered, so that anybody may take them over at once.
    Release {
        owner: String,
    },
    /// Takes over exchanges that are not delivered and whose owner is `owner` (a former life of ours) or whose lease ended
    /// before `now`: sets owner, raises the epoch, returns them.
    TakeOver {
        owner: String,
        now: Millis,
        lease_until: Millis,
        include_own: bool,
        limit: u32,
    },
    /// Puts sealed bytes in the place of others that hold the same, wherever those stand unchanged.
    Rewrap(Vec<rewrap::Rewrapped>),
    /// Deletes keys and messages of delivered exchanges accepted before `before`.
    Prune {
        before: Millis,
    },
}

/// The answer to a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Written {
    Accepted(Box<Accepted>),
    Moved,
    /// The compare-and-set did not match; the exchange as it stands.
    Stale(Box<Exchange>),
    Stored,
    /// Parked under this id; `fresh` is false if it was there before.
    Parked {
        id: i64,
        fresh: bool,
    },
    /// First serial of the block.
    Reserved(u64),
    /// A setting or parked message was not as expected; its value as it stands.
    Conflict(Option<String>),
    Taken(Vec<Exchange>),
    Pruned(u64),
}

/// Every read.
#[derive(Clone, Debug)]
pub enum Read {
    Exchange(ExchangeId),
    /// By our outbound communication key.
    ByOutKey(String),
    /// By any communication key of an inbound request.
    ByCommunicationKey(String),
    /// The exchange that holds the original's row; `None` where a cancel came first, and for what cannot be cancelled.
    ByOriginal(OriginalKey),
    Messages(ExchangeId),
    /// Exchanges of `owner` not delivered whose `due` is at or before `now`.
    Due {
        owner: String,
        now: Millis,
        limit: u32,
    },
    /// The newest stored reply to the request with this communication key, as a list of at most one.
    ReplyTo(String),
    /// Communication keys of the requests of an exchange with their newest reply's part (`reply`, `interim` or none).
    Requests(ExchangeId),
    Search(Box<Search>),
    Parked {
        id: Option<i64>,
        status: Option<&'static str>,
        limit: u32,
    },
    /// Parked messages with a larger id, by id, whatever became of them.
    ParkedAfter {
        after: i64,
        limit: u32,
    },
    /// Parked messages that were released as this exchange.
    ReleasedAs(ExchangeId),
    Setting(String),
    /// Settings whose names begin with this, with their values, by name.
    Settings(String),
    Figures {
        now: Millis,
    },
    /// Exchanges with a larger id, by id.
    Scan {
        after: ExchangeId,
        limit: u32,
    },
    /// These exchanges, in any order; one that is not there is left out.
    Exchanges(Vec<ExchangeId>),
    /// What hangs on these exchanges, in any order; one that is not there may be left out.
    Kept(Vec<ExchangeId>),
    /// Messages that stand under another journal key than this one, after a place (exchange and number within it) and up to an
    /// exchange, in their order.
    OtherKey {
        key: String,
        after: (ExchangeId, i64),
        until: ExchangeId,
        limit: u32,
    },
    /// Pairs of successful exchanges of one initiator, operation and end-to-end id, the elder among these, the younger any.
    Twins(Vec<ExchangeId>),
    /// Records of the chains after one of them, in order.
    Effects {
        after: EffectKey,
        limit: u32,
    },
    /// The record of one exchange, as a list of at most one.
    EffectOf(ExchangeId),
    /// The last record of every chain.
    Tips,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JournalError {
    /// Nothing was written for certain: the disk is full, the journal is read-only, the queue is full.
    #[error("the journal refused: {0}")]
    Refused(String),
    /// The commit's result is not known; the caller must treat the write as neither done nor not done.
    #[error("the journal's result is unknown: {0}")]
    Unknown(String),
    #[error("the journal is damaged or of another version: {0}")]
    Damaged(String),
}

#[async_trait]
pub trait Journal: Send + Sync {
    /// Durable when it returns Ok.
    async fn write(&self, write: Write) -> Result<Written, JournalError>;
    async fn read(&self, read: Read) -> Result<Found, JournalError>;
    /// Finishes what is waiting and gives up what is held; later writes and reads are refused.
    async fn close(&self);
}

pub type SharedJournal = Arc<dyn Journal>;
