//! What a read looks for, and what it finds.

use super::rewrap::Placed;
use super::{Effect, Exchange, ExchangeId, Kept, MessageRecord, Parked, State, Tip};

/// What to look for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    pub id: Option<ExchangeId>,
    /// Matches message id, end-to-end id, communication key or out key exactly.
    pub key: Option<String>,
    pub account_digest: Option<[u8; 32]>,
    pub state: Option<State>,
    pub operation: Option<String>,
    pub settlement_date: Option<String>,
    pub limit: u32,
}

/// Place of a record among all chains; the default stands before all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct EffectKey {
    pub chain: String,
    pub date: String,
    pub seq: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestRecord {
    pub communication_key: String,
    /// Part of the newest stored reply.
    pub replied: Option<String>,
}

/// Figures for metrics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    pub by_state: Vec<(State, u64)>,
    pub unknown_count: u64,
    pub unknown_amount_fen: i64,
    /// Age of the oldest unknown exchange.
    pub unknown_oldest_ms: i64,
    pub parked: u64,
}

#[derive(Clone, Debug)]
pub enum Found {
    Exchange(Option<Box<Exchange>>),
    Exchanges(Vec<Exchange>),
    Messages(Vec<MessageRecord>),
    Requests(Vec<RequestRecord>),
    Parked(Vec<Parked>),
    Setting(Option<String>),
    Settings(Vec<(String, String)>),
    Figures(Box<Figures>),
    Effects(Vec<Effect>),
    Tips(Vec<Tip>),
    Kept(Vec<Kept>),
    Placed(Vec<Placed>),
    Pairs(Vec<(ExchangeId, ExchangeId)>),
}
