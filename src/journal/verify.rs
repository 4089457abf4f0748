//! Proof of a journal over its trait alone: every chain whole, every final outcome chained once and replied, nothing doubled.
//!
//! It reads page by page, so that its memory is that of two pages and not of the journal, and it holds beside a running gateway:
//! what changed between two reads is read again before it is called wrong. It writes nothing, and keys reach it as functions.

mod chains;
mod exchanges;

use super::{Chain, ExchangeId, Found, Journal, JournalError, MessageRecord, Millis, Read, Unexpected};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A journal to be proven, and what that takes.
pub struct Verifier<'a> {
    pub journal: &'a dyn Journal,
    /// Any chain under the journal's key; records name their own.
    pub chain: &'a Chain,
    pub opening: &'a Opening<'a>,
    /// The journal keeps everything that happened after this.
    pub kept_since: Millis,
    /// What was exported before.
    pub known: Option<&'a Known>,
}

/// Opens a stored message under the journal key, and reads requests and replies; the error says why it does not open.
pub type Opening<'a> = dyn Fn(&MessageRecord) -> Result<Said, String> + Send + Sync + 'a;

/// What a stored message says; nothing where it is neither request nor reply, or cannot be read any more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// Name of the outcome.
    pub outcome: Option<String>,
    /// Of a request its own serial, of a reply that of the request that it answers.
    pub serial: Option<String>,
}

/// What shows only to somebody who knew it before: to be exported and kept outside.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    /// The first exchange whose final outcome must be chained.
    pub chained_from: ExchangeId,
    /// Where every chain ends.
    pub tips: Vec<KnownTip>,
}

/// Where a chain ended when it was proven.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownTip {
    pub chain: String,
    pub date: String,
    pub seq: i64,
    /// In hex.
    pub digest: String,
    /// When its last outcome became durable.
    pub at: Millis,
}

/// What can be wrong with a journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flaw {
    /// A chain whose numbers have a hole.
    Gap,
    /// A record that is not what was chained under the key: it or its exchange was changed.
    Digest,
    /// A record whose exchange is gone, and was not pruned.
    Orphan,
    /// Marked pruned, and too young for that.
    PrunedYoung,
    /// Marked pruned, and its exchange stands.
    PrunedStands,
    /// A final outcome without a record.
    Unchained,
    /// A request's bytes are gone.
    NoRequest,
    /// Answered, and the final reply is gone.
    NoReply,
    /// The reply that was chained is not among the stored messages.
    ReplyDigest,
    /// A reply that says another outcome than its exchange has.
    Contradiction,
    /// A request or reply that is not of this exchange.
    ForeignMessage,
    /// A stored message that the journal key does not open.
    Unreadable,
    /// One business that succeeded in two exchanges.
    DoubleEffect,
    /// A chain that is shorter than it was.
    CutTail,
    /// A chain that has another record where its tip was.
    Fork,
    /// Chaining is said to begin elsewhere than before.
    MovedStart,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub flaw: Flaw,
    pub exchange: Option<ExchangeId>,
    /// Where: chain, date and number, or a key.
    pub place: String,
    pub detail: String,
}

/// How much was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Checked {
    pub exchanges: u64,
    pub by_state: BTreeMap<&'static str, u64>,
    pub final_outcomes: u64,
    pub messages: u64,
    /// Final replies whose outcome was compared with the exchange's.
    pub replies: u64,
    /// Successful payments for which no second one was found.
    pub businesses: u64,
    pub records: u64,
    pub pruned: u64,
    pub chains: u64,
    pub tips: u64,
}

/// What a proof gave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub checked: Checked,
    /// The first ones; `finding_count` says how many there are.
    pub findings: Vec<Finding>,
    pub finding_count: u64,
    /// To be exported.
    pub known: Known,
}

/// Why a journal cannot be read to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Confused(#[from] Unexpected),
}

impl Verifier<'_> {
    pub async fn verify(&self) -> Result<Report, VerifyError> {
        let mut report = Report::default();
        self.walk_exchanges(&mut report).await?;
        self.walk_chains(&mut report).await?;
        Ok(report)
    }

    /// A read whose answer is taken out of its variant.
    async fn ask<T>(&self, read: Read, take: fn(Found) -> Result<T, Unexpected>) -> Result<T, VerifyError> {
        Ok(take(self.journal.read(read).await?)?)
    }
}

impl Report {
    pub fn holds(&self) -> bool {
        self.finding_count == 0
    }

    fn add(&mut self, finding: Finding) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

impl Flaw {
    /// Stable name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Digest => "digest",
            Self::Orphan => "orphan",
            Self::PrunedYoung => "pruned_young",
            Self::PrunedStands => "pruned_stands",
            Self::Unchained => "unchained",
            Self::NoRequest => "no_request",
            Self::NoReply => "no_reply",
            Self::ReplyDigest => "reply_digest",
            Self::Contradiction => "contradiction",
            Self::ForeignMessage => "foreign_message",
            Self::Unreadable => "unreadable",
            Self::DoubleEffect => "double_effect",
            Self::CutTail => "cut_tail",
            Self::Fork => "fork",
            Self::MovedStart => "moved_start",
        }
    }
}

/// Rows of one read.
const PAGE: u32 = 500;
/// A journal that is wrong throughout needs no longer list to show it.
const FINDINGS_MAX: usize = 1_000;
