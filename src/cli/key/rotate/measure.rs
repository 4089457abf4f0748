//! What the instances say of themselves and their keys, read from the journal that they share.

use crate::cli::output::{Exit, Failure};
use hangu::clock::{from_millis, millis};
use hangu::config::Config;
use hangu::exchange::{self, Announced, Distributed, Instance};
use hangu::journal::{Exchange, Journal, Read, Search, SharedJournal, State};
use keys::key::{KeyInfo, Usage};
use keys::rotation::{self, Measured};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// What was measured, as far as it is about one link.
pub(super) struct Figures {
    /// Instances whose lease runs.
    pub(super) instances: Vec<rotation::Instance>,
    /// All that ever ran.
    told: Vec<Instance>,
    /// When the exchanges of the link were accepted that are not delivered.
    open: Vec<OffsetDateTime>,
    /// Serial number of the journal key under which everything in the journal stands.
    wrapped: Wrapped,
    pub(super) letters: Letters,
}

/// Keys that were announced by message.
#[derive(Default)]
pub(in crate::cli::key) struct Letters {
    pub(in crate::cli::key) theirs: Vec<Announced>,
    pub(in crate::cli::key) ours: Vec<Distributed>,
}

/// Which journal keys are used for nothing that is stored.
enum Wrapped {
    /// Nothing is stored, or what is stays as it is by configuration.
    Whatever,
    /// All but this one; none while the journal is being wrapped anew.
    Under(Option<String>),
}

/// Reads a journal beside the gateways that run; where there is none yet, no instance is.
pub(super) fn figures(config: &Config, link: &str, now: OffsetDateTime) -> Result<Figures, Failure> {
    if config.journal.file.as_ref().is_some_and(|file| !file.exists()) {
        return Ok(Figures {
            instances: Vec::new(),
            told: Vec::new(),
            open: Vec::new(),
            wrapped: Wrapped::Whatever,
            letters: Letters::default(),
        });
    }
    let unavailable = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, config.journal.place(), error);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| unavailable(&error))?;
    runtime.block_on(async {
        let journal = hangu::journal::open::open_read_only(config)
            .await
            .map_err(|error| unavailable(&error))?;
        let told = exchange::instances(&*journal).await.map_err(|error| unavailable(&error))?;
        let open = open(&journal, link).await.map_err(|error| unavailable(&error))?;
        let wrapped = wrapped(config, &journal).await.map_err(|error| unavailable(&error))?;
        let letters = letters(&*journal).await.map_err(|error| unavailable(&error))?;
        journal.close().await;
        Ok(Figures {
            instances: told
                .iter()
                .filter(|instance| instance.is_live(millis(now)))
                .map(live)
                .collect(),
            told,
            open,
            wrapped,
            letters,
        })
    })
}

/// What was announced, read beside the gateways that run.
pub(in crate::cli::key) fn announced(config: &Config) -> Result<Letters, Failure> {
    if config.journal.file.as_ref().is_some_and(|file| !file.exists()) {
        return Ok(Letters::default());
    }
    let unavailable = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, config.journal.place(), error);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| unavailable(&error))?;
    runtime.block_on(async {
        let journal = hangu::journal::open::open_read_only(config)
            .await
            .map_err(|error| unavailable(&error))?;
        let letters = letters(&*journal).await.map_err(|error| unavailable(&error))?;
        journal.close().await;
        Ok(letters)
    })
}

async fn letters(journal: &dyn Journal) -> Result<Letters, exchange::Trouble> {
    Ok(Letters {
        theirs: Announced::all(journal).await?,
        ours: Distributed::all(journal).await?,
    })
}

impl Figures {
    /// Fingerprints of those of these keys that the counterparty says it has.
    pub(super) fn confirmed(&self, keys: &[&KeyInfo]) -> BTreeSet<String> {
        let is_confirmed = |info: &&&KeyInfo| self.letters.ours.iter().any(|one| one.is_confirmed(info));
        keys.iter()
            .filter(is_confirmed)
            .map(|info| info.fingerprint.clone())
            .collect()
    }

    /// What all instances saw of some keys, by serial number.
    pub(super) fn traffic(&self, keys: &[&KeyInfo], now: OffsetDateTime) -> BTreeMap<String, Measured> {
        keys.iter()
            .map(|info| (info.serial.clone(), self.measured(info, now)))
            .collect()
    }

    pub(super) fn measured(&self, info: &KeyInfo, now: OffsetDateTime) -> Measured {
        let mut measured = Measured::default();
        for instance in &self.told {
            for seen in instance.told.keys.iter().filter(|seen| seen.is_of(info)) {
                let last_at = instance.last_at(seen, millis(now));
                measured.received += seen.received;
                measured.sent += seen.sent;
                measured.last_seen = measured.last_seen.max((last_at > 0).then(|| from_millis(last_at)));
            }
        }
        // What was accepted after the key was last used holds no bytes under it. A journal key sends nothing.
        let holds = |accepted_at: &&OffsetDateTime| measured.last_seen.is_some_and(|last| **accepted_at <= last);
        let open = self.open.iter().filter(holds).count();
        measured.open = if info.usage == Usage::Journal {
            self.wrapped.is_without(&info.serial).then_some(0)
        } else {
            Some(u64::try_from(open).unwrap_or(u64::MAX))
        };
        measured
    }
}

impl Wrapped {
    fn is_without(&self, serial: &str) -> bool {
        match self {
            Self::Whatever => true,
            Self::Under(key) => key.as_ref().is_some_and(|key| key != serial),
        }
    }
}

async fn wrapped(config: &Config, journal: &SharedJournal) -> Result<Wrapped, exchange::Trouble> {
    if config.journal.rewrap_per_s == 0 {
        return Ok(Wrapped::Whatever);
    }
    let progress = exchange::Progress::of(&**journal).await?;
    let done = progress.filter(|progress| progress.is_done);
    Ok(Wrapped::Under(done.map(|progress| progress.key)))
}

fn live(instance: &Instance) -> rotation::Instance {
    rotation::Instance {
        name: instance.name.clone(),
        version: instance.told.version.clone(),
        counting_since: from_millis(instance.told.since),
    }
}

async fn open(journal: &SharedJournal, link: &str) -> Result<Vec<OffsetDateTime>, exchange::Trouble> {
    let mut found = Vec::new();
    for state in State::ALL.into_iter().filter(|state| *state != State::Delivered) {
        let search = Search {
            state: Some(state),
            limit: u32::MAX,
            ..Search::default()
        };
        let exchanges = journal.read(Read::Search(Box::new(search))).await?.exchanges()?;
        let is_of_link = |exchange: &&Exchange| exchange.link_in == link || exchange.link_out.as_deref() == Some(link);
        found.extend(
            exchanges
                .iter()
                .filter(is_of_link)
                .map(|exchange| from_millis(exchange.accepted_at)),
        );
    }
    Ok(found)
}
