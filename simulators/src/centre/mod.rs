//! The clearing centre, simulated: its own books and keys, over queues.
//!
//! It verifies every signature, opens every seal, matches replies by the five-part reference, waits, repeats, cancels or
//! queries; and it answers what the bank sends from its own books.

mod announce;
mod answers;
mod play;
mod receive;
mod script;
mod send;
mod state;
mod way;

#[cfg(test)]
mod tests;

pub use announce::NewKey;
pub use script::{Conduct, Manner, OPEN, STOPPED, Script};
pub use send::Sent;
pub use state::Figures;

use crate::counterparty::Party;
use crate::fault::{Fault, When};
use crate::ids::Numbering;
use crate::institution::Sending;
use crate::queues::Queues;
use crate::report::{Book, Shelf};
use crate::world::World;
use serde::{Deserialize, Serialize};
use state::State;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::Date;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the centre does when a reply does not come in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnTimeout {
    /// Goes on waiting for the final deadline.
    Wait,
    /// Sends the same bytes again, and again after as long, until the final deadline.
    Repeat,
    /// Sends a query for the payment.
    Query,
    /// Sends a cancel (NPS.300); the payment then counts as cancelled.
    Cancel,
}

/// Who the centre is, where it puts and takes, how long it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CentreConfig {
    /// Clearing number of the sending member.
    pub member: String,
    /// Clearing number of the bank.
    pub bank: String,
    pub mfe: char,
    pub settlement_date: Date,
    pub queue_requests: String,
    pub queue_replies: String,
    pub queue_in: String,
    /// Serial numbers of this run start here, so that runs on one journal do not meet.
    pub first_serial: u64,
    /// Until the policy for missing replies acts.
    pub reply_ms: u64,
    /// Until the sender gives up waiting for a final outcome.
    pub final_ms: u64,
    pub on_timeout: OnTimeout,
    pub workers: usize,
    /// Payouts above it are refused.
    pub payout_fen_max: i64,
    /// Without books a request is forgotten with its final reply: for loads of hours.
    pub keeps_books: bool,
    /// Requests are filled up to this size with white space, which no signature covers.
    pub request_bytes_min: usize,
}

impl CentreConfig {
    /// The demo's members and queues (design.md 7).
    pub fn new(settlement_date: Date) -> Self {
        Self {
            member: "900584099999".to_owned(),
            bank: "402100088888".to_owned(),
            mfe: 'B',
            settlement_date,
            queue_requests: "nps.B.req".to_owned(),
            queue_replies: "nps.B.rsp".to_owned(),
            queue_in: "nps.centre.B".to_owned(),
            first_serial: 1,
            reply_ms: 10_000,
            final_ms: 60_000,
            on_timeout: OnTimeout::Wait,
            workers: 4,
            payout_fen_max: 5_000_000,
            keeps_books: true,
            request_bytes_min: 0,
        }
    }

    /// The centre as a sender.
    pub(crate) fn sending(&self) -> Sending {
        Sending {
            member: self.member.clone(),
            application: "NPS".to_owned(),
            counter_member: self.bank.clone(),
            counter_application: "MPS".to_owned(),
            numbering: Numbering {
                mfe: self.mfe,
                settlement_date: self.settlement_date,
            },
        }
    }
}

/// How the centre misbehaves towards the bank's requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CentreFault {
    /// The reply has this fault.
    Reply(Fault),
    /// Executes, answers "processing", and sends the final reply after this many milliseconds.
    Processing(u64),
}

/// A fault and the requests it happens on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentreRule {
    pub fault: CentreFault,
    #[serde(default)]
    pub when: When,
}

/// What the centre's tasks share.
pub(crate) struct Shared {
    pub(crate) config: CentreConfig,
    pub(crate) party: Party,
    pub(crate) world: World,
    pub(crate) queues: Arc<dyn Queues>,
    state: Mutex<State>,
    rules: Mutex<Vec<(CentreRule, u64)>>,
    script: Mutex<Option<Script>>,
    /// Serials of the centre's own replies and notices, apart from those of planned requests.
    reply_serial: AtomicU64,
    received: AtomicU64,
    silent: AtomicBool,
    let_through: AtomicU64,
    gate: Notify,
    /// Messages that the next ones go before.
    overtaken: way::Overtaken,
    stop: CancellationToken,
}

/// A running centre.
pub struct CentreHandle {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// How the centre is called in what is told of a run.
pub(crate) const NAME: &str = "centre";

/// Own serials of the centre start here, far from those of planned payments.
const REPLY_SERIAL: u64 = 50_000_000;

/// Starts the centre's consumers.
pub fn start(queues: Arc<dyn Queues>, party: Party, world: World, config: CentreConfig) -> CentreHandle {
    let shared = Arc::new(Shared {
        party,
        world,
        queues,
        state: Mutex::new(State::new(config.keeps_books)),
        rules: Mutex::default(),
        script: Mutex::default(),
        reply_serial: AtomicU64::new(REPLY_SERIAL + config.first_serial),
        received: AtomicU64::new(0),
        silent: AtomicBool::new(false),
        let_through: AtomicU64::new(0),
        gate: Notify::new(),
        overtaken: way::Overtaken::default(),
        stop: CancellationToken::new(),
        config,
    });
    let mut tasks = JoinSet::new();
    for _ in 0..shared.config.workers.max(1) {
        tasks.spawn(receive::consume(Arc::clone(&shared)));
    }
    CentreHandle { shared, tasks }
}

impl CentreHandle {
    /// A view of the centre that can be given to tasks and outlives no run.
    pub fn desk(&self) -> Desk {
        Desk {
            shared: Arc::clone(&self.shared),
        }
    }

    pub fn books(&self) -> Book {
        self.shared.state().book()
    }

    pub fn figures(&self) -> Figures {
        self.shared.state().figures()
    }

    /// Takes over what an earlier run booked.
    pub fn carry(&self, book: Book) {
        self.shared.state().carry(book);
    }

    /// A silent centre leaves messages with the broker.
    pub fn go_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
        self.shared.gate.notify_waiters();
    }

    /// While silent, handles the next `count` messages nevertheless.
    pub fn let_through(&self, count: u64) {
        self.shared.let_through.fetch_add(count, Ordering::SeqCst);
        self.shared.gate.notify_waiters();
    }

    /// Replaces the faults; the first rule whose condition holds is taken.
    pub fn set_faults(&self, rules: Vec<CentreRule>) {
        *self.shared.rules() = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// Stops the consumers; a message in hand is finished first.
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_err() {
                tracing::warn!("a consumer of the centre ended by a panic");
            }
        }
    }
}

/// Where requests are handed in: cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(crate) shared: Arc<Shared>,
}

impl Desk {
    /// Of requests that are over so many are remembered; older ones go onto the shelf.
    pub fn remember(&self, size: usize, shelf: Box<dyn Shelf>) {
        self.shared.state().remember(size, shelf);
    }

    /// Puts what is still remembered onto the shelf too, and closes it.
    pub fn shelve(&self) -> Result<(), String> {
        self.shared.state().shelve()
    }

    /// Requests of which something is remembered.
    pub fn remembered(&self) -> usize {
        self.shared.state().remembered()
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Vec<(CentreRule, u64)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_serial(&self) -> u64 {
        self.reply_serial.fetch_add(1, Ordering::SeqCst)
    }

    /// The centre as a sender.
    pub(crate) fn sending(&self) -> Sending {
        self.config.sending()
    }

    pub(crate) const fn reply_wait(&self) -> Duration {
        Duration::from_millis(self.config.reply_ms)
    }

    pub(crate) const fn final_wait(&self) -> Duration {
        Duration::from_millis(self.config.final_ms)
    }
}
