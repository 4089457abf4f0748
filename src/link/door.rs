//! What one HTTP listener allows, and what is counted at it. Each link has its own: none shares anything with another.

use crate::tls::Renewing;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};

/// Bounds of one listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    pub connections_max: usize,
    /// A TLS handshake must be over within this.
    pub handshake_max: Duration,
    /// A request's head must have come within this; an idle connection ends with it too.
    pub head_max: Duration,
    /// A request's body must have come within this.
    pub body_max: Duration,
    /// Somebody who takes no byte of an answer for so long is left.
    pub write_max: Duration,
}

impl Bounds {
    pub const fn of(connections_max: usize) -> Self {
        Self {
            connections_max,
            handshake_max: Duration::from_secs(5),
            head_max: Duration::from_secs(30),
            body_max: Duration::from_secs(10),
            write_max: Duration::from_secs(10),
        }
    }
}

/// TLS and counts of one HTTP link, shared between the link and who looks at it.
#[derive(Default)]
pub struct Door {
    /// Ours, for those who call.
    pub listener: Option<Arc<Renewing<ServerConfig>>>,
    /// What we call with.
    pub caller: Option<Arc<Renewing<ClientConfig>>>,
    pub counts: Counts,
    /// Taken by those whose handshake failed, one after the other.
    pub failed: Mutex<()>,
}

/// Connections of one listener since the start.
#[derive(Default)]
pub struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
    unshaken: AtomicU64,
    told_at: std::sync::Mutex<Option<Instant>>,
}

impl Counts {
    /// Counts a connection until what is given back is dropped.
    pub fn open(door: &Arc<Door>) -> Opened {
        door.counts.opened.fetch_add(1, Ordering::Relaxed);
        Opened(door.clone())
    }

    /// A handshake that came to nothing; gives how many so far.
    pub fn unshaken(&self) -> u64 {
        self.unshaken.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether a second has passed since this last said so.
    pub fn may_tell(&self, now: Instant) -> bool {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told_at.is_none_or(|told_at| now.duration_since(told_at) >= TELL_EVERY);
        if is_due {
            *told_at = Some(now);
        }
        is_due
    }

    pub fn open_now(&self) -> u64 {
        let closed = self.closed.load(Ordering::Relaxed);
        self.opened.load(Ordering::Relaxed).saturating_sub(closed)
    }

    pub fn unshaken_so_far(&self) -> u64 {
        self.unshaken.load(Ordering::Relaxed)
    }
}

/// A connection that is open.
pub struct Opened(Arc<Door>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.counts.closed.fetch_add(1, Ordering::Relaxed);
    }
}

const TELL_EVERY: Duration = Duration::from_secs(1);
