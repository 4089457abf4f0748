//! The keys of one link, side and usage: at any instant at most one primary, each serial once.

use super::Usable;
use crate::key::{KeyInfo, Status};
use std::collections::BTreeMap;
use time::OffsetDateTime;

pub(super) struct Shelf<T> {
    by_serial: BTreeMap<String, Placed<T>>,
    /// Serials of primary keys in the order in which they take their place; what has no instant stands before all.
    primaries: BTreeMap<Option<OffsetDateTime>, String>,
}

struct Placed<T> {
    info: KeyInfo,
    key: T,
}

impl<T> Shelf<T> {
    /// Refuses a second primary and a second key of the same serial; says which rule.
    pub(super) fn place(&mut self, info: KeyInfo, key: T) -> Result<(), String> {
        if let Some(other) = self.by_serial.get(&info.serial) {
            return Err(format!("has the serial {} of key {}", info.serial, other.info.id));
        }
        if info.status == Status::Primary {
            if let Some(other) = self.primaries.get(&info.primary_from).and_then(|serial| self.with(serial)) {
                return Err(format!("is a second primary key beside {}", other.info.id));
            }
            self.primaries.insert(info.primary_from, info.serial.clone());
        }
        self.by_serial.insert(info.serial.clone(), Placed { info, key });
        Ok(())
    }

    /// The primary key that took its place last. Which one that is depends on the clock alone, so that instances with the same
    /// keyring change over together.
    pub(super) fn primary(&self, now: OffsetDateTime) -> Option<Usable<'_, T>> {
        let (_, serial) = self.primaries.range(..=Some(now)).next_back()?;
        self.with(serial)
    }

    pub(super) fn with(&self, serial: &str) -> Option<Usable<'_, T>> {
        self.by_serial.get(serial).map(|placed| Usable {
            info: &placed.info,
            key: &placed.key,
        })
    }

    /// The key that is live, if it is the only one.
    pub(super) fn only_live(&self) -> Option<Usable<'_, T>> {
        let mut live = self.by_serial.values().filter(|placed| placed.info.status.is_live());
        let first = live.next()?;
        let found = self.with(&first.info.serial);
        if live.next().is_some() { None } else { found }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Usable<'_, T>> {
        self.by_serial.values().map(|placed| Usable {
            info: &placed.info,
            key: &placed.key,
        })
    }

    pub(super) fn infos(&self) -> impl Iterator<Item = &KeyInfo> {
        self.by_serial.values().map(|placed| &placed.info)
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            by_serial: BTreeMap::new(),
            primaries: BTreeMap::new(),
        }
    }
}
