//! The journal wrapped anew in the background: what stands under an earlier journal key goes under the primary one, so that the
//! earlier one can be retired.
//!
//! In pages, at a bounded rate, by one instance at a time, or by a command beside them. Read is what stands under another key
//! and nothing else. How far it is stands in the journal, so that whoever goes on begins there; a page that is done twice
//! changes nothing the second time. It is done when a whole pass, begun after every instance used the key, found nothing.

use super::{Gateway, Trouble, instances};
use crate::clock::{Entropy, millis};
use crate::journal::rewrap::{Place as Row, Placed, Rewrapped};
use crate::journal::{ExchangeId, Journal, MessageRecord, Millis, Parked, Read, SealedRecord, Write};
use crate::record::{self, Place, RecordError};
use keys::keyring::Keyring;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// How far a journal is wrapped anew.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Serial number of the journal key under which everything is to stand.
    pub key: String,
    /// Last exchange of the pass, and the number within it of the last message.
    exchange: ExchangeId,
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    is_past_messages: bool,
    /// Last parked message of the pass.
    parked: i64,
    /// When the pass began, and what it has wrapped anew.
    began: Millis,
    wrapped: u64,
    pub is_done: bool,
}

impl Progress {
    /// As it stands in a journal; none where nothing was begun.
    pub async fn of(journal: &dyn Journal) -> Result<Option<Self>, Trouble> {
        let stored = journal.read(Read::Setting(SETTING.to_owned())).await?.setting()?;
        Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn begin(key: &str, now: Millis) -> Self {
        Self {
            key: key.to_owned(),
            began: now,
            ..Self::default()
        }
    }
}

/// What one turn did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// There is nothing to do, or another instance does it.
    Idle,
    /// So many messages were read.
    Read(usize),
}

/// What a journal needs of one who wraps it anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// There is one journal key.
    OneKey,
    /// Instances may still seal under the key before.
    Early,
    /// Everything stands under the primary key.
    Done,
    /// A page was done: messages that were read, and those of them that stand under the primary key by it.
    Page { read: usize, wrapped: usize },
}

/// One who wraps a journal anew.
#[derive(Clone, Copy)]
pub struct Rewrapping<'a> {
    pub journal: &'a dyn Journal,
    pub keyring: &'a Keyring,
    pub entropy: &'a dyn Entropy,
    pub now: OffsetDateTime,
}

impl Gateway {
    /// One page of the journal, if this instance is the one that does it.
    pub async fn rewrap_some(&self) -> Result<Turn, Trouble> {
        let keyring = self.keyring();
        let rewrapping = Rewrapping {
            journal: &*self.journal,
            keyring: &keyring,
            entropy: &*self.entropy,
            now: self.clock.now(),
        };
        if rewrapping.early()?.is_some() || !self.is_first().await? {
            return Ok(Turn::Idle);
        }
        Ok(match rewrapping.page().await? {
            Standing::Page { read, .. } => Turn::Read(read),
            Standing::OneKey | Standing::Early | Standing::Done => Turn::Idle,
        })
    }

    /// Of the instances that run, the first by name does it.
    pub(super) async fn is_first(&self) -> Result<bool, Trouble> {
        let now = millis(self.clock.now());
        let all = instances(&*self.journal).await?;
        let first = all.iter().find(|instance| instance.is_live(now));
        Ok(first.is_none_or(|first| first.name == self.config.instance))
    }
}

impl Rewrapping<'_> {
    /// How long to wait after a page, so that no more than so many messages a second are read: what is passed over is not free.
    pub fn pause(messages: usize, per_s: u32) -> Duration {
        let messages = u32::try_from(messages.max(1)).unwrap_or(u32::MAX);
        Duration::from_secs(1).mul_f64(f64::from(messages) / f64::from(per_s.max(1)))
    }

    /// Takes the pass that is under way one page further, or begins one.
    pub async fn page(&self) -> Result<Standing, Trouble> {
        if let Some(standing) = self.early()? {
            return Ok(standing);
        }
        let primary = &self.keyring.journal(self.now).map_err(RecordError::from)?.info.serial;
        let stored = self.journal.read(Read::Setting(SETTING.to_owned())).await?.setting()?;
        let known = stored.as_deref().and_then(|text| serde_json::from_str::<Progress>(text).ok());
        let progress = known.filter(|known| known.key == *primary);
        let progress = progress.unwrap_or_else(|| Progress::begin(primary, millis(self.now)));
        if progress.is_done {
            return Ok(Standing::Done);
        }
        self.further(stored, progress).await
    }

    /// Why there is nothing to do yet, or ever.
    fn early(&self) -> Result<Option<Standing>, Trouble> {
        let primary = self.keyring.journal(self.now).map_err(RecordError::from)?.info;
        let is_other = |info: &&keys::key::KeyInfo| info.usage == primary.usage && info.serial != primary.serial;
        if self.keyring.infos().find(is_other).is_none() {
            return Ok(Some(Standing::OneKey));
        }
        // Others may use the key before for a moment after the instant.
        let settled = primary.primary_from.map_or(0, |from| millis(from) + APART_MS);
        Ok((millis(self.now) < settled).then_some(Standing::Early))
    }

    async fn further(&self, stored: Option<String>, mut progress: Progress) -> Result<Standing, Trouble> {
        let was_past = progress.is_past_messages;
        let (read, found) = if was_past {
            self.page_of_parked(&mut progress).await?
        } else {
            self.page_of_messages(&mut progress).await?
        };
        let wrapped = found.len();
        progress.wrapped += u64::try_from(wrapped).unwrap_or(u64::MAX);
        if wrapped > 0 {
            self.journal.write(Write::Rewrap(found)).await?;
        }
        if was_past && read == 0 {
            progress = self.ended(progress);
        }
        let text = serde_json::to_string(&progress).map_err(|error| Trouble::Reread(error.to_string()))?;
        // Where another one went on meanwhile, its word stands.
        let write = Write::Set {
            name: SETTING.to_owned(),
            expect: stored,
            value: text,
            at: millis(self.now),
        };
        self.journal.write(write).await?.stored()?;
        Ok(Standing::Page { read, wrapped })
    }

    /// A pass that wrapped something is followed by another one.
    fn ended(&self, progress: Progress) -> Progress {
        if progress.wrapped > 0 {
            return Progress::begin(&progress.key, millis(self.now));
        }
        tracing::info!(key = progress.key, "everything in the journal stands under its primary key");
        Progress {
            is_done: true,
            ..progress
        }
    }

    async fn page_of_messages(&self, progress: &mut Progress) -> Result<(usize, Vec<Rewrapped>), Trouble> {
        let until = progress.exchange.saturating_add(SPAN);
        let read = Read::OtherKey {
            key: progress.key.clone(),
            after: (progress.exchange, progress.seq),
            until,
            limit: PAGE_MESSAGES,
        };
        let all: Vec<Placed> = self.journal.read(read).await?.placed()?;
        match all.last().filter(|_| all.len() >= PAGE_MESSAGES as usize) {
            Some(last) => (progress.exchange, progress.seq) = (last.exchange, last.seq),
            None => self.next_span(progress, until).await?,
        }
        let wrap = |one: &Placed| {
            let (from, exchange, seq) = (&one.message.record, one.exchange, one.seq);
            let to = self.rewrapped(place(&one.message), from)?;
            Some(moved(Row::Message { exchange, seq }, from, to))
        };
        Ok((all.len(), all.iter().filter_map(wrap).collect()))
    }

    /// What was pruned leaves gaps, which nobody looks through.
    async fn next_span(&self, progress: &mut Progress, after: ExchangeId) -> Result<(), Trouble> {
        let next = self.journal.read(Read::Scan { after, limit: 1 }).await?.exchanges()?;
        match next.first() {
            Some(next) => (progress.exchange, progress.seq) = (next.id.saturating_sub(1), i64::MAX),
            None => progress.is_past_messages = true,
        }
        Ok(())
    }

    async fn page_of_parked(&self, progress: &mut Progress) -> Result<(usize, Vec<Rewrapped>), Trouble> {
        let after = progress.parked;
        let limit = PAGE_PARKED;
        let all: Vec<Parked> = self.journal.read(Read::ParkedAfter { after, limit }).await?.parked()?;
        progress.parked = all.last().map_or(after, |parked| parked.id);
        let wrap = |parked: &Parked| {
            let from = &parked.park.record;
            let to = self.rewrapped(Place::parked(&parked.park.link), from)?;
            Some(moved(Row::Parked(parked.id), from, to))
        };
        Ok((all.len(), all.iter().filter_map(wrap).collect()))
    }

    /// None for what stands under the primary key, and for what does not open: that is no better under any key.
    fn rewrapped(&self, place: Place<'_>, from: &SealedRecord) -> Option<SealedRecord> {
        match record::rewrap(self.keyring, self.entropy, place, from, self.now) {
            Ok(wrapped) => wrapped,
            Err(error) => {
                tracing::error!(%error, "alarm: a stored record cannot be wrapped anew; it stays as it is");
                None
            }
        }
    }
}

fn place(message: &MessageRecord) -> Place<'_> {
    Place {
        link: &message.link,
        direction: message.direction,
        part: &message.part,
    }
}

fn moved(place: Row, from: &SealedRecord, to: SealedRecord) -> Rewrapped {
    let from = from.clone();
    Rewrapped { place, from, to }
}

/// How long after a promotion every instance certainly seals under it.
const APART_MS: i64 = 10_000;
const PAGE_MESSAGES: u32 = 100;
/// Exchanges that one read passes over at the most.
const SPAN: i64 = 20_000;
/// What is parked may be large.
const PAGE_PARKED: u32 = 8;
const SETTING: &str = "rewrap";
