//! Messages of one side of a connection that were held: for others to go before them, or to be written with the next one.

use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

#[derive(Default)]
pub(super) struct Waiting {
    overtaken: Vec<Overtaken>,
    /// To be written with the next one, and until when that is waited for.
    joined: Option<(Vec<u8>, Instant)>,
}

/// A message that goes on when so many were passed on, or when it has waited long enough.
pub(super) struct Overtaken {
    pub(super) bytes: Vec<u8>,
    pub(super) passed: u64,
    pub(super) until: Instant,
    /// What is known of it under AMQP.
    pub(super) number: Option<super::amqp::Number>,
}

impl Waiting {
    pub(super) fn hold(&mut self, message: Overtaken) {
        self.overtaken.push(message);
    }

    /// What was joined before goes with it.
    pub(super) fn join(&mut self, bytes: &[u8], wait: Duration) {
        let joined = self.with(bytes);
        self.joined = Some((joined, Instant::now() + wait));
    }

    /// A message with what waits to be written with it.
    pub(super) fn with(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut joined = self.joined.take().map(|(joined, _)| joined).unwrap_or_default();
        joined.extend_from_slice(bytes);
        joined
    }

    /// Returns as soon as something is due. Losing the future loses nothing.
    pub(super) async fn due(&self, passed: &mut watch::Receiver<u64>) {
        let times = self
            .overtaken
            .iter()
            .map(|one| one.until)
            .chain(self.joined.as_ref().map(|(_, until)| *until));
        let Some(first) = times.min() else { return pending().await };
        let next = self.overtaken.iter().map(|one| one.passed).min().unwrap_or(u64::MAX);
        tokio::select! {
            () = sleep_until(first) => {}
            // The sender lives as long as the proxy.
            _ = passed.wait_for(|passed| *passed >= next) => {}
        }
    }

    /// One that was overtaken and is due, the first of them.
    pub(super) fn overtaken(&mut self, passed: u64, is_end: bool) -> Option<Overtaken> {
        let now = Instant::now();
        let due = |one: &Overtaken| is_end || one.passed <= passed || one.until <= now;
        let place = self.overtaken.iter().position(due)?;
        Some(self.overtaken.remove(place))
    }

    /// What waited for a next message in vain.
    pub(super) fn alone(&mut self, is_end: bool) -> Option<Vec<u8>> {
        let now = Instant::now();
        let is_due = self.joined.as_ref().is_some_and(|(_, until)| is_end || *until <= now);
        is_due.then(|| self.with(&[]))
    }
}
