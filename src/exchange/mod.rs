//! The life of an exchange: what is journalled, sent, awaited and answered, in which order.
//!
//! ```text
//! received -> [rejected]                          answered with a rejection, or parked
//! received -> accepted -> sent -> answered -> delivered
//!                            \-> unknown -> (query | late reply | cancel) -> answered
//! ```
//!
//! Nothing here opens a socket, spawns a task or reads the wall clock itself. Every send is preceded by a durable
//! attempt; every acknowledgement by a durable record.

mod accept;
mod address;
mod answer;
mod cancel;
mod counters;
mod forward;
mod http;
mod queue;
mod release;
mod reply;
mod revisit;
mod state;
mod waiting;

pub use counters::{Counters, InFlight, LegTimes, OperationTimes};
pub use http::HttpAnswer;
pub use release::Unreleased;
pub use state::{SystemState, Trouble};

use crate::clock::{Clock, Entropy};
use crate::config::{Config, LinkConfig};
use crate::journal::{Exchange, ExchangeId, SharedJournal};
use crate::mq::SharedMq;
use crate::pipeline::LinkView;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use codecs::payment::Payment;
use codecs::spec::Spec;
use codecs::wire::Wire;
use keys::keyring::Keyring;
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
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    numbering: crate::numbering::Numbering,
    system: state::System,
    waiting: waiting::Waiting,
    hands: waiting::Hands,
    releases: release::Releases,
    counters: Counters,
    stopping: tokio::sync::watch::Sender<bool>,
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
        Self {
            config,
            links,
            keyring: ArcSwap::new(keyring),
            journal,
            clock,
            entropy,
            numbering: crate::numbering::Numbering::default(),
            system: state::System::default(),
            waiting: waiting::Waiting::default(),
            hands: waiting::Hands::default(),
            releases: release::Releases::default(),
            counters: Counters::default(),
            stopping: tokio::sync::watch::Sender::new(false),
        }
    }

    /// From here on nothing that is not durable yet is waited for.
    pub fn begin_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// True when it is time to stop.
    async fn wait_or_stop(&self, pause: Duration) -> bool {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as the gateway, so waiting ends by a stop or by the pause.
        tokio::time::timeout(pause, stopping.wait_for(|stop| *stop)).await.is_ok()
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

    /// Puts another keyring in place; messages in hand finish with the one they began with.
    pub fn replace_keyring(&self, keyring: Arc<Keyring>) {
        self.keyring.store(keyring);
    }

    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.load_full()
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
        }
    }

    fn of(exchange: &Exchange, received: crate::pipeline::Received) -> Self {
        let key = exchange.communication_key.clone();
        Self::new(exchange.id, exchange.epoch, &exchange.link_in, key, received, Timing::start())
    }
}
