//! A proxy that goes wrong on purpose, between a gateway and a counterparty that somebody else started.
//!
//! It knows where one message ends and the next begins and, with the spec of a link, what stands in it in the clear. It holds no
//! keys, so whatever it changes must be found out by whoever gets it.

mod amqp; // messages between a gateway and its broker, and the words about them
mod content; // what can be read of a message
mod frame; // one message on a stream
mod judge; // whose turn it is
mod relay; // one connection, both ways
mod rules; // what goes wrong, and when
mod shift; // messages between two queues
mod waiting; // messages that are held

#[cfg(test)]
mod tests;

pub use content::Reading;
pub use frame::Framing;
pub use rules::{Carrier, Direction, Mishap, Rule, Rules, Told};
pub use shift::{Shift, shift};

use amqp::Fate;
use async_trait::async_trait;
use judge::Judge;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection, in clear or under TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What becomes of a fresh connection before messages go over it.
#[async_trait]
pub trait Handshake: Send + Sync {
    async fn shake(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>>;
}

/// Nothing: the connection is in clear.
pub struct InClear;

#[async_trait]
impl Handshake for InClear {
    async fn shake(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// Where to, how messages are told apart, and what is done at both ends.
#[derive(Clone)]
pub struct Route {
    pub target: String,
    pub framing: Framing,
    /// How its fields are read, for rules that ask for them.
    pub reading: Option<Reading>,
    pub inbound: Arc<dyn Handshake>,
    pub outbound: Arc<dyn Handshake>,
}

/// What its tasks share.
struct Shared {
    route: Route,
    judge: Mutex<Judge>,
    /// Until then nobody is let in.
    dead_until: Mutex<Option<Instant>>,
    /// Counts deaths; every connection ends with the one that follows its beginning.
    deaths: watch::Sender<u64>,
    /// Messages that were passed on: requests, replies.
    passed: [watch::Sender<u64>; 2],
    /// How often contents are still put back or refused, by their digest.
    storms: Mutex<BTreeMap<[u8; 32], u64>>,
}

/// A running proxy.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Takes connections on a bound listener; `told` gets each mishap as it happens.
    pub fn start(
        listener: TcpListener,
        route: Route,
        rules: Rules,
        seed: u64,
        told: impl FnMut(Told) + Send + 'static,
    ) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            route,
            judge: Mutex::new(Judge::new(rules, seed, Box::new(told))),
            dead_until: Mutex::default(),
            deaths: watch::Sender::new(0),
            passed: [watch::Sender::new(0), watch::Sender::new(0)],
            storms: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self {
            address,
            shared,
            stop,
            accepting,
        })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Messages so far: requests, replies.
    pub fn carried(&self) -> [u64; 2] {
        self.shared.judge().carried()
    }

    /// Ends every connection.
    pub async fn stop(self) {
        self.stop.cancel();
        if self.accepting.await.is_err() {
            tracing::warn!("the proxy ended by a panic");
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut relays = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        while relays.try_join_next().is_some() {}
        match accepted {
            Ok((client, _)) if !shared.is_dead() => {
                relays.spawn(relay::connection(client, Arc::clone(&shared)));
            }
            Ok(_) => {}
            // Out of descriptors, for one; the next one may be let in again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl Shared {
    fn judge(&self) -> MutexGuard<'_, Judge> {
        held(&self.judge)
    }

    const fn passed(&self, direction: Direction) -> &watch::Sender<u64> {
        let [requests, replies] = &self.passed;
        match direction {
            Direction::Request => requests,
            Direction::Reply => replies,
        }
    }

    fn one_more(&self, direction: Direction) {
        self.passed(direction).send_modify(|passed| *passed += 1);
    }

    /// What becomes of a content whose storm has begun; behind its last time it passes, and is looked at as ever afterwards.
    fn in_storm(&self, digest: &[u8; 32]) -> Option<Fate> {
        let mut storms = held(&self.storms);
        let left = storms.get_mut(digest)?;
        if let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            return Some(Fate::Back);
        }
        storms.remove(digest);
        Some(Fate::Plain)
    }

    fn is_dead(&self) -> bool {
        let until = *held(&self.dead_until);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Cuts every connection, and takes none for a while.
    fn die(&self, length: Duration) {
        *held(&self.dead_until) = Some(Instant::now() + length);
        self.deaths.send_modify(|deaths| *deaths += 1);
    }

    /// Returns at the next death.
    fn death(&self) -> impl Future<Output = ()> + use<> {
        let mut deaths = self.deaths.subscribe();
        async move {
            // The sender lives as long as the proxy.
            drop(deaths.changed().await);
        }
    }
}

/// What is behind the locks is whole between any two calls.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
