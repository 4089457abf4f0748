//! The life of an exchange: what is journalled, sent, awaited and answered, in which order.
//!
//! ```text
//! received -> [rejected]                          answered with a rejection, or parked
//! received -> accepted -> sent -> answered -> delivered
//!                            \-> unknown -> (query | late reply | cancel) -> answered
//! ```
//!
//! What can go at once is accepted and sent in one write (`straight`). Nothing here opens a socket, spawns a task or reads the
//! wall clock itself. Every send is preceded by a durable attempt; every acknowledgement by a durable record.

mod accept;
mod address;
mod announce;
mod answer;
mod bulkhead;
mod cancel;
mod counters;
mod distribute;
mod fleet;
mod forward;
mod hand_off;
mod http;
mod identity;
mod keys;
mod notice;
mod owner;
mod queue;
mod release;
mod reply;
mod revisit;
mod rewrap;
mod state;
mod straight;
mod traffic;
mod turn;
mod waiting;

pub use announce::Announced;
pub use bulkhead::{Bulkhead, Lane, Place};
pub use counters::{Counters, InFlight, LegTimes, OperationTimes};
pub use distribute::{Answer, Distributed};
pub use fleet::{Instance, Told, instances};
pub use http::HttpAnswer;
pub use identity::{Claim, Life};
pub use keys::Unfit;
pub use owner::Taken;
pub use release::Unreleased;
pub use rewrap::{Progress, Rewrapping, Standing, Turn};
pub use state::{SystemState, Trouble};
pub use traffic::Seen;

use crate::clock::{Clock, Entropy};
use crate::config::{Config, LinkConfig};
use crate::journal::{Exchange, ExchangeId, SharedJournal};
use crate::mq::SharedMq;
use crate::pipeline::LinkView;
use ::keys::keyring::Keyring;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use codecs::payment::Payment;
use codecs::spec::Spec;
use codecs::wire::Wire;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Calls a counterparty over a request-and-answer transport.
#[async_trait]
pub trait Caller: Send + Sync {
    async fn call(&self, wire: &Wire, timeout: Duration) -> Result<Wire, CallError>;
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The request certainly did not reach the counterparty.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// One link as the exchanges use it.
pub struct LinkParts {
    pub name: String,
    pub config: LinkConfig,
    pub spec: Arc<Spec>,
    pub transport: Transport,
}

/// How bytes of a link go out.
pub enum Transport {
    Queue { mq: SharedMq, outbound: String },
    Call(Arc<dyn Caller>),
}

/// What a gateway is made of.
pub struct Parts {
    pub config: Config,
    pub links: BTreeMap<String, LinkParts>,
    pub keyring: Arc<Keyring>,
    pub journal: SharedJournal,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The gateway: every exchange of one instance.
pub struct Gateway {
    config: Config,
    links: BTreeMap<String, LinkParts>,
    keyring: ArcSwap<Keyring>,
    in_use: keys::InUse,
    traffic: traffic::Traffic,
    telling: fleet::Telling,
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    numbering: crate::numbering::Numbering,
    system: state::System,
    waiting: waiting::Waiting,
    unsent: straight::Unsent,
    hands: waiting::Hands,
    releases: release::Releases,
    hand_offs: hand_off::HandOffs,
    /// By the link that requests go out by.
    bulkheads: BTreeMap<String, Bulkhead>,
    journal_id: tokio::sync::OnceCell<String>,
    name: identity::Name,
    counters: Counters,
    phase: tokio::sync::watch::Sender<Phase>,
}

/// What an instance is about, for its readiness and for what it still takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Nothing is taken yet.
    Starting,
    Running,
    /// Told to end: nothing new is taken.
    Stopping,
    /// Another process bears this instance's name: it was taken for dead and ends.
    Displaced,
}

impl Gateway {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            config,
            links,
            keyring,
            journal,
            clock,
            entropy,
        } = parts;
        let bulkhead = |(name, link): (&String, &LinkConfig)| (name.clone(), Bulkhead::new(link.shares()));
        Self {
            bulkheads: config.link.iter().map(bulkhead).collect(),
            config,
            links,
            keyring: ArcSwap::new(keyring),
            in_use: keys::InUse::new(crate::clock::millis(clock.now())),
            traffic: traffic::Traffic::default(),
            telling: fleet::Telling::default(),
            journal,
            clock,
            entropy,
            numbering: crate::numbering::Numbering::default(),
            system: state::System::default(),
            waiting: waiting::Waiting::default(),
            unsent: straight::Unsent::default(),
            hands: waiting::Hands::default(),
            releases: release::Releases::default(),
            hand_offs: hand_off::HandOffs::default(),
            journal_id: tokio::sync::OnceCell::new(),
            name: identity::Name::default(),
            counters: Counters::default(),
            phase: tokio::sync::watch::Sender::new(Phase::Starting),
        }
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Enters a phase; there is no way back to an earlier one.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let is_later = phase > *current;
            *current = phase.max(*current);
            is_later
        });
    }

    /// Waits until another process has taken this instance's name.
    pub async fn displaced(&self) {
        // The sender lives as long as the gateway, so this ends only when it is so.
        drop(self.phase.subscribe().wait_for(|phase| *phase == Phase::Displaced).await);
    }

    /// True when it is time to stop.
    async fn wait_or_stop(&self, pause: Duration) -> bool {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as the gateway, so waiting ends by a stop or by the pause.
        tokio::time::timeout(pause, phase.wait_for(|phase| *phase >= Phase::Stopping))
            .await
            .is_ok()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn journal(&self) -> &SharedJournal {
        &self.journal
    }

    /// The gateway's clock.
    pub fn now(&self) -> time::OffsetDateTime {
        self.clock.now()
    }

    fn link(&self, name: &str) -> Result<&LinkParts, Trouble> {
        self.links.get(name).ok_or_else(|| Trouble::Link(name.to_owned()))
    }
}

impl LinkParts {
    fn view<'a>(&'a self, keyring: &'a Keyring) -> LinkView<'a> {
        LinkView {
            name: &self.name,
            spec: &self.spec,
            keyring,
        }
    }

    fn is_queue(&self) -> bool {
        matches!(self.transport, Transport::Queue { .. })
    }
}

/// One exchange in hand: what is needed to go on with it and to answer it.
struct Job {
    id: ExchangeId,
    epoch: i64,
    link_in: String,
    /// The communication key of the request that we answer.
    key: String,
    request: Payment,
    /// Code of the request as received.
    code: String,
    timing: Timing,
    /// What it holds at the link that it goes out by.
    place: Option<Place>,
    /// It found no place and waits in line for one.
    is_lined_up: bool,
}

/// Where an exchange's time goes: inside the gateway, or away at a counterparty.
#[derive(Clone, Copy, Debug)]
struct Timing {
    started: Instant,
    away: Duration,
}

impl Timing {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            away: Duration::ZERO,
        }
    }
}

impl Job {
    fn new(id: ExchangeId, epoch: i64, link_in: &str, key: String, received: crate::pipeline::Received, timing: Timing) -> Self {
        let crate::pipeline::Received { payment, code, .. } = received;
        Self {
            id,
            epoch,
            link_in: link_in.to_owned(),
            key,
            request: payment,
            code,
            timing,
            place: None,
            is_lined_up: false,
        }
    }

    fn of(exchange: &Exchange, received: crate::pipeline::Received) -> Self {
        let key = exchange.communication_key.clone();
        Self::new(exchange.id, exchange.epoch, &exchange.link_in, key, received, Timing::start())
    }
}
