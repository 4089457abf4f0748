//! The journal wrapped anew in the background: what stands under an earlier journal key goes under the primary one, so that the
//! earlier one can be retired.
//!
//! In pages, at a bounded rate, by one instance at a time. How far it is stands in the journal, so that whoever goes on begins
//! there; a page that is done twice changes nothing the second time. It is done when a whole pass, begun after every instance
//! used the key, found nothing.

use super::{Gateway, Trouble, instances};
use crate::clock::millis;
use crate::journal::rewrap::{Place as Row, Rewrapped};
use crate::journal::{Journal, MessageRecord, Millis, Parked, Read, SealedRecord, Write};
use crate::record::{self, Place, RecordError};
use keys::keyring::Keyring;
use serde::{Deserialize, Serialize};

/// How far a journal is wrapped anew.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Serial number of the journal key under which everything is to stand.
    pub key: String,
    /// Last exchange and last parked message of the pass.
    exchange: i64,
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

impl Gateway {
    /// One page of the journal.
    pub async fn rewrap_some(&self) -> Result<Turn, Trouble> {
        let (keyring, now) = (self.keyring(), self.clock.now());
        let primary = keyring.journal(now).map_err(RecordError::from)?.info.clone();
        let is_alone = !keyring
            .infos()
            .any(|info| info.usage == primary.usage && info.serial != primary.serial);
        // Others may use the key before for a moment after the instant.
        let settled = primary.primary_from.map_or(0, |from| millis(from) + APART_MS);
        if is_alone || millis(now) < settled || !self.is_first().await? {
            return Ok(Turn::Idle);
        }
        let stored = self.setting(SETTING).await?;
        let progress = stored.as_deref().and_then(|text| serde_json::from_str::<Progress>(text).ok());
        let progress = progress
            .filter(|progress| progress.key == primary.serial)
            .unwrap_or_else(|| Progress::begin(&primary.serial, millis(now)));
        if progress.is_done {
            return Ok(Turn::Idle);
        }
        self.rewrap_page(&keyring, stored, progress).await
    }

    async fn rewrap_page(&self, keyring: &Keyring, stored: Option<String>, mut progress: Progress) -> Result<Turn, Trouble> {
        let (read, found) = match self.page_of_messages(keyring, &mut progress).await? {
            (0, _) => self.page_of_parked(keyring, &mut progress).await?,
            some => some,
        };
        progress.wrapped += u64::try_from(found.len()).unwrap_or(u64::MAX);
        if !found.is_empty() {
            self.journal.write(Write::Rewrap(found)).await?;
        }
        if read == 0 {
            progress = if progress.wrapped == 0 {
                tracing::info!(key = progress.key, "everything in the journal stands under its primary key");
                Progress {
                    is_done: true,
                    ..progress
                }
            } else {
                Progress::begin(&progress.key, millis(self.clock.now()))
            };
        }
        let text = serde_json::to_string(&progress).map_err(|error| Trouble::Reread(error.to_string()))?;
        // Where another instance went on meanwhile, its word stands.
        self.set(SETTING, stored, text).await?;
        Ok(Turn::Read(read))
    }

    async fn page_of_messages(&self, keyring: &Keyring, progress: &mut Progress) -> Result<(usize, Vec<Rewrapped>), Trouble> {
        let after = progress.exchange;
        let limit = PAGE_EXCHANGES;
        let ids: Vec<_> = self.journal.read(Read::Scan { after, limit }).await?.exchanges()?;
        let ids: Vec<_> = ids.iter().map(|exchange| exchange.id).collect();
        progress.exchange = ids.last().copied().unwrap_or(after);
        let (mut read, mut found) = (ids.len(), Vec::new());
        for kept in self.journal.read(Read::Kept(ids)).await?.kept()? {
            read += kept.messages.len();
            for (seq, message) in (1..).zip(&kept.messages) {
                let exchange = kept.exchange;
                let wrapped = self.rewrapped(keyring, place(message), &message.record);
                found.extend(wrapped.map(|to| moved(Row::Message { exchange, seq }, &message.record, to)));
            }
        }
        Ok((read, found))
    }

    async fn page_of_parked(&self, keyring: &Keyring, progress: &mut Progress) -> Result<(usize, Vec<Rewrapped>), Trouble> {
        let after = progress.parked;
        let limit = PAGE_PARKED;
        let all: Vec<Parked> = self.journal.read(Read::ParkedAfter { after, limit }).await?.parked()?;
        progress.parked = all.last().map_or(after, |parked| parked.id);
        let wrap = |parked: &Parked| {
            let from = &parked.park.record;
            let to = self.rewrapped(keyring, Place::parked(&parked.park.link), from)?;
            Some(moved(Row::Parked(parked.id), from, to))
        };
        Ok((all.len(), all.iter().filter_map(wrap).collect()))
    }

    /// None for what stands under the primary key, and for what does not open: that is no better under any key.
    fn rewrapped(&self, keyring: &Keyring, place: Place<'_>, from: &SealedRecord) -> Option<SealedRecord> {
        match record::rewrap(keyring, &*self.entropy, place, from, self.clock.now()) {
            Ok(wrapped) => wrapped,
            Err(error) => {
                tracing::error!(%error, "alarm: a stored record cannot be wrapped anew; it stays as it is");
                None
            }
        }
    }

    /// Of the instances that run, the first by name does it.
    async fn is_first(&self) -> Result<bool, Trouble> {
        let now = millis(self.clock.now());
        let all = instances(&*self.journal).await?;
        let first = all.iter().find(|instance| instance.is_live(now));
        Ok(first.is_none_or(|first| first.name == self.config.instance))
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
const PAGE_EXCHANGES: u32 = 50;
/// What is parked may be large.
const PAGE_PARKED: u32 = 8;
const SETTING: &str = "rewrap";
