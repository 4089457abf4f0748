//! SIGTERM, SIGINT and SIGHUP, heard from the first moment of a command on: one that comes before it is asked for is kept.

use super::output::{Exit, Failure};
use std::io::IsTerminal;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on neither signal ends the process by itself.
    pub(super) fn heard_by(runtime: &Runtime) -> Result<Self, Failure> {
        let _entered = runtime.enter();
        Self::heard()
    }

    /// The same within a runtime.
    pub(super) fn heard() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Unavailable, "signals", error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn one(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP as service managers send it: keys and certificates are to be looked at again. A process on a terminal ends with its
/// terminal, as ever.
pub(super) struct Hangups(Option<Signal>);

impl Hangups {
    pub(super) fn heard_by(runtime: &Runtime) -> Result<Self, Failure> {
        let _entered = runtime.enter();
        if std::io::stderr().is_terminal() {
            return Ok(Self(None));
        }
        let heard = signal(SignalKind::hangup()).map_err(|error| Failure::new(Exit::Unavailable, "signals", error))?;
        Ok(Self(Some(heard)))
    }

    /// Passes every one on.
    pub(super) async fn each_tells(self, told: Vec<Arc<Notify>>) {
        let Some(mut signal) = self.0 else { return };
        while signal.recv().await.is_some() {
            for told in &told {
                told.notify_one();
            }
        }
    }
}
