//! One fault that was inflicted: its kind, and when it was over.

use super::deck::Kind;
use std::time::Instant;

pub(super) struct Strike {
    pub(super) kind: &'static str,
    /// When it was over: the process started again, the service up, the connection sound.
    pub(super) ended: Instant,
}

impl Strike {
    /// The fault is over with `inflict`.
    pub(super) fn of(kind: impl Kind, inflict: impl FnOnce()) -> Self {
        inflict();
        Self {
            kind: kind.name(),
            ended: Instant::now(),
        }
    }
}
