//! What each key was seen to do: messages verified or opened with it, messages signed or sealed with it, and when the last.

use crate::journal::Millis;
use crate::pipeline::Under;
use keys::key::{KeyInfo, Side, Usage};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one instance saw of one key. Times are milliseconds since 1970, 0 for never.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Seen {
    pub link: String,
    pub side: String,
    pub usage: String,
    pub serial: String,
    pub received: u64,
    pub sent: u64,
    pub received_at: Millis,
    pub sent_at: Millis,
}

impl Seen {
    pub fn last_at(&self) -> Millis {
        self.received_at.max(self.sent_at)
    }

    /// Whether it is about this key.
    pub fn is_of(&self, info: &KeyInfo) -> bool {
        self.is(&info.link, info.side, info.usage, &info.serial)
    }

    fn is(&self, link: &str, side: Side, usage: Usage, serial: &str) -> bool {
        self.serial == serial && self.link == link && self.side == side.name() && self.usage == usage.name()
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.link, &self.side, &self.usage, &self.serial) == (&other.link, &other.side, &other.usage, &other.serial)
    }
}

/// Keys are few: a list is searched faster than names are copied for a map.
#[derive(Default)]
pub(super) struct Traffic(Mutex<Vec<Seen>>);

impl Traffic {
    pub(super) fn received(&self, link: &str, under: &[Under], at: Millis) {
        for key in under {
            self.note(link, (key.side, key.usage, &key.serial), |seen| {
                seen.received += 1;
                seen.received_at = seen.received_at.max(at);
            });
        }
    }

    pub(super) fn sent(&self, link: &str, under: &[Under], at: Millis) {
        for key in under {
            self.note(link, (key.side, key.usage, &key.serial), |seen| {
                seen.sent += 1;
                seen.sent_at = seen.sent_at.max(at);
            });
        }
    }

    /// Bytes that became durable under a journal key.
    pub(super) fn journal(&self, link: &str, serial: &str, at: Millis) {
        self.note(link, (Side::Shared, Usage::Journal, serial), |seen| {
            seen.sent += 1;
            seen.sent_at = seen.sent_at.max(at);
        });
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// Goes on from what an earlier life counted.
    pub(super) fn restore(&self, earlier: Vec<Seen>) {
        let mut list = self.lock();
        for before in earlier {
            match list.iter_mut().find(|seen| seen.is_same(&before)) {
                Some(seen) => {
                    seen.received += before.received;
                    seen.sent += before.sent;
                    seen.received_at = seen.received_at.max(before.received_at);
                    seen.sent_at = seen.sent_at.max(before.sent_at);
                }
                None => list.push(before),
            }
        }
    }

    fn note(&self, link: &str, (side, usage, serial): (Side, Usage, &str), count: impl FnOnce(&mut Seen)) {
        let mut list = self.lock();
        if let Some(seen) = list.iter_mut().find(|seen| seen.is(link, side, usage, serial)) {
            return count(seen);
        }
        let mut seen = Seen {
            link: link.to_owned(),
            side: side.name().to_owned(),
            usage: usage.name().to_owned(),
            serial: serial.to_owned(),
            ..Seen::default()
        };
        count(&mut seen);
        list.push(seen);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
