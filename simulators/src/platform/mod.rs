//! The bank's payment platform, simulated: accounts and agreements behind HTTP JSON, authenticated both ways.
//!
//! It executes each request once whatever it answers; its faults are in the answer, never in the books.

mod client;
mod line;
mod script;
mod server;

#[cfg(test)]
mod tests;

pub use client::{PlatformClient, PlatformClientConfig};
pub use script::{Conduct, Script};

use crate::counterparty::Party;
use crate::fault::When;
use crate::ledger::Ledger;
use crate::report::Book;
use crate::world::World;
use codecs::payment::Operation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How the platform misbehaves towards its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformFault {
    /// Executes, and answers after this many milliseconds.
    Delay(u64),
    /// Executes, and never answers.
    Never,
    /// Executes, and answers "processing"; a query tells the outcome.
    Processing,
    /// Executes, and answers 500 with a text that nobody signed.
    Status500,
    /// Executes, and answers 200 with bytes that mean nothing.
    Garbage,
    /// Executes, and answers correctly with one bit of the tag flipped.
    BadMac,
    /// Executes, and answers a few bytes at a time, over this many milliseconds.
    Drip(u64),
    /// Executes, answers, and cuts the connection behind its answer.
    HangUp,
}

/// A fault and the requests it happens on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformRule {
    pub fault: PlatformFault,
    #[serde(default)]
    pub when: When,
}

/// A ledger that the server and the platform's client share.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// Locks the ledger. Its state is whole between any two calls, so a panicked holder does not spoil it.
pub fn lock(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state that the server works on and the handle looks at.
struct Shared {
    party: Party,
    world: World,
    ledger: SharedLedger,
    rules: Mutex<Vec<(PlatformRule, u64)>>,
    script: Mutex<Option<Script>>,
    received: Mutex<BTreeMap<Operation, u64>>,
    rejected: AtomicU64,
    repeated: AtomicU64,
    silent: AtomicBool,
    refusing: AtomicBool,
    bookless: AtomicBool,
    let_through: AtomicU64,
    stop: CancellationToken,
}

/// How the platform is called in what is told of a run.
pub(crate) const NAME: &str = "platform";

/// A running platform.
pub struct PlatformHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// Starts a platform on a bound listener.
pub fn start(listener: TcpListener, party: Party, world: World, account_count: u64) -> std::io::Result<PlatformHandle> {
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared {
        party,
        world,
        ledger: Arc::new(Mutex::new(Ledger::new(account_count))),
        rules: Mutex::default(),
        script: Mutex::default(),
        received: Mutex::default(),
        rejected: AtomicU64::new(0),
        repeated: AtomicU64::new(0),
        silent: AtomicBool::new(false),
        refusing: AtomicBool::new(false),
        bookless: AtomicBool::new(false),
        let_through: AtomicU64::new(0),
        stop: CancellationToken::new(),
    });
    let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
    Ok(PlatformHandle { address, shared, server })
}

impl PlatformHandle {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn ledger(&self) -> SharedLedger {
        Arc::clone(&self.shared.ledger)
    }

    pub fn books(&self) -> Book {
        lock(&self.shared.ledger).book()
    }

    /// Authenticated requests of an operation, repeats included.
    pub fn received(&self, operation: Operation) -> u64 {
        self.shared.received().get(&operation).copied().unwrap_or(0)
    }

    /// Requests that were refused before the ledger saw them.
    pub fn rejected(&self) -> u64 {
        self.shared.rejected.load(Ordering::Relaxed)
    }

    /// Requests that were answered from the store of answers.
    pub fn repeated(&self) -> u64 {
        self.shared.repeated.load(Ordering::Relaxed)
    }

    /// How many times money moved for an end-to-end id.
    pub fn executions(&self, end_to_end_id: &str) -> usize {
        lock(&self.shared.ledger).executions(end_to_end_id)
    }

    /// A silent platform takes requests, and neither executes nor answers them.
    pub fn go_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// While silent, serves the next `count` requests nevertheless.
    pub fn let_through(&self, count: u64) {
        self.shared.let_through.fetch_add(count, Ordering::SeqCst);
    }

    /// Closes each new connection at once.
    pub fn refuse_connections(&self, refuse: bool) {
        self.shared.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Answers success to everything from then on and books nothing: for loads of hours, whose proof is not the books.
    pub fn keep_no_books(&self) {
        self.shared.bookless.store(true, Ordering::SeqCst);
    }

    /// Replaces the faults; the first rule whose condition holds is taken.
    pub fn set_faults(&self, rules: Vec<PlatformRule>) {
        *self.shared.rules() = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    pub fn set_fault(&self, fault: Option<PlatformFault>) {
        self.set_faults(
            fault
                .map(|fault| PlatformRule {
                    fault,
                    when: When::default(),
                })
                .into_iter()
                .collect(),
        );
    }

    /// Stops serving and waits until every connection is closed.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        if self.server.await.is_err() {
            tracing::warn!("the platform's server ended by a panic");
        }
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Vec<(PlatformRule, u64)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) -> MutexGuard<'_, BTreeMap<Operation, u64>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
