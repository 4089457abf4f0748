//! One connection generation: its own runtime, one connection, one channel, and the watch over them.
//!
//! The client library dials a door of ours, behind which the broker is (`door.rs`). It loses calls and tasks when a link
//! dies badly (facts/reliability.md 2.2). Nothing here repairs a connection: whatever looks wrong ends the generation, and
//! dropping its runtime frees every call that is stuck in it.

use super::broker_side::BrokerSide;
use super::config::{Address, AmqpConfig};
use super::confirms::Confirms;
use super::door::Door;
use amqprs::callbacks::{ChannelCallback, ConnectionCallback};
use amqprs::channel::{BasicQosArguments, Channel};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{Ack, BasicProperties, Cancel, Close, CloseChannel, Nack, Return};
use async_trait::async_trait;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// Longest wait for a connection with its channel.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one answer of the broker on an open connection.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const GLANCE_INTERVAL: Duration = Duration::from_millis(250);
const HEARSAY_DELAY: Duration = Duration::from_millis(50);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// The runtime of a generation. Dropping it is the kill switch: stuck tasks are freed and the socket closes.
pub(super) struct GenerationRuntime(Option<Runtime>);

impl GenerationRuntime {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hangu mq link")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs the work of the generation; everything of the client lives and dies inside it.
    pub(super) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(work))
    }
}

impl Drop for GenerationRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An open connection with its one channel.
pub(super) struct Generation {
    pub(super) channel: Channel,
    connection: Connection,
    signals: Signals,
    death: mpsc::Receiver<String>,
}

impl Generation {
    /// Opens within `OPEN_TIMEOUT`.
    pub(super) async fn open(
        config: &AmqpConfig,
        address: &Address,
        name: &str,
        confirms: Option<Arc<Confirms>>,
    ) -> Result<Self, String> {
        let opening = Self::open_unbounded(config, address, name, confirms);
        let opened = timeout(OPEN_TIMEOUT, opening).await;
        opened.unwrap_or_else(|_| Err(format!("no answer within {} s", OPEN_TIMEOUT.as_secs())))
    }

    async fn open_unbounded(
        config: &AmqpConfig,
        address: &Address,
        name: &str,
        confirms: Option<Arc<Confirms>>,
    ) -> Result<Self, String> {
        let broker = BrokerSide::open(config, address, name).await?;
        let tuning = broker.tuning;
        let door = Door::open().await?;
        let mut arguments = OpenConnectionArguments::new("127.0.0.1", door.port, "", &door.word);
        arguments.heartbeat(tuning.heartbeat_s).connection_name(name);
        let (died, death) = mpsc::channel(1);
        let signals = Signals { died, confirms };
        carry(door, broker, config.message_bytes_max, &signals);
        let connection = Connection::open(&arguments).await.map_err(|error| error.to_string())?;
        watch_socket(&connection, &signals);
        connection
            .register_callback(signals.clone())
            .await
            .map_err(|error| error.to_string())?;
        let channel = connection.open_channel(None).await.map_err(|error| error.to_string())?;
        channel
            .register_callback(signals.clone())
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self {
            channel,
            connection,
            signals,
            death,
        })
    }

    /// Starts the watch. `prefetch` is what the channel's qos stays at: the probe sets it again.
    pub(super) fn watch(&self, prefetch: u16) {
        let (connection, channel) = (self.connection.clone(), self.channel.clone());
        tokio::spawn(monitor(connection, channel, self.signals.clone(), prefetch));
    }

    /// Waits for the end of the generation and says why it came.
    pub(super) async fn death(&mut self) -> String {
        // The senders live as long as `self.signals`, so a word always comes.
        self.death.recv().await.unwrap_or_default()
    }

    /// The reason of a death that came already.
    pub(super) fn dead(&mut self) -> Option<String> {
        self.death.try_recv().ok()
    }

    /// Says goodbye, at most twice `ANSWER_TIMEOUT`; an unanswered goodbye is left to the kill switch.
    pub(super) async fn close(self) {
        drop(timeout(ANSWER_TIMEOUT, self.channel.close()).await);
        drop(timeout(ANSWER_TIMEOUT, self.connection.close()).await);
    }
}

/// Stands between the client library and the broker for as long as the generation lives.
fn carry(door: Door, broker: BrokerSide, body_bytes_max: usize, signals: &Signals) {
    let signals = signals.clone();
    tokio::spawn(async move {
        let reason = door.carry(broker, body_bytes_max).await;
        signals.die(reason);
    });
}

/// Listens for the end of the socket. Subscribed before anything is sent: a late listener never hears (trap 3).
fn watch_socket(connection: &Connection, signals: &Signals) {
    let (connection, signals) = (connection.clone(), signals.clone());
    tokio::spawn(async move {
        connection.listen_network_io_failure().await;
        // The other side of the door knows more, and is about to say it.
        sleep(HEARSAY_DELAY).await;
        signals.die("the connection broke");
    });
}

/// Looks at the generation until something is wrong with it.
async fn monitor(connection: Connection, channel: Channel, signals: Signals, prefetch: u16) {
    let mut ticks = interval(GLANCE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut probed = Instant::now();
    loop {
        ticks.tick().await;
        if let Err(reason) = glance(&connection, &channel, &signals).await {
            return signals.die(reason);
        }
        // While confirms are due, their age says more than a probe, and a blocked broker answers none.
        if probed.elapsed() < PROBE_INTERVAL || signals.awaits_confirms() {
            continue;
        }
        if let Err(reason) = probe(&channel, prefetch).await {
            return signals.die(reason);
        }
        probed = Instant::now();
    }
}

/// Finds what the client knows or would rather not: a closed link, and a reader or dispatcher task that panicked while
/// `is_open` still says true (trap 4). Such a task no longer takes callbacks.
async fn glance(connection: &Connection, channel: &Channel, signals: &Signals) -> Result<(), &'static str> {
    if !connection.is_open() || !channel.is_open() {
        return Err("the connection or its channel is closed");
    }
    let registered = timeout(ANSWER_TIMEOUT, async {
        connection.register_callback(signals.clone()).await?;
        channel.register_callback(signals.clone()).await
    });
    match registered.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the client's reader is gone"),
        Err(_) => Err("the client's reader is stuck"),
    }
}

/// One round trip through reader, dispatcher and the broker's channel. It asks for the qos that is set already, so it
/// changes nothing and needs no queue.
async fn probe(channel: &Channel, prefetch: u16) -> Result<(), &'static str> {
    match timeout(ANSWER_TIMEOUT, channel.basic_qos(BasicQosArguments::new(0, prefetch, false))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the probe failed"),
        Err(_) => Err("the probe had no answer"),
    }
}

/// The client's callbacks: they note and return, for they run inside its dispatcher (trap 10).
#[derive(Clone)]
struct Signals {
    died: mpsc::Sender<String>,
    confirms: Option<Arc<Confirms>>,
}

impl Signals {
    fn die(&self, reason: impl Into<String>) {
        // The first reason is the telling one; a full line means that one is waiting to be read.
        drop(self.died.try_send(reason.into()));
    }

    fn awaits_confirms(&self) -> bool {
        let awaits = |confirms: &Arc<Confirms>| confirms.len() > 0 || confirms.blocked().is_some();
        self.confirms.as_ref().is_some_and(awaits)
    }
}

#[async_trait]
impl ConnectionCallback for Signals {
    async fn close(&mut self, _connection: &Connection, close: Close) -> Result<(), amqprs::error::Error> {
        self.die(format!(
            "the broker closed the connection: {} {}",
            close.reply_code(),
            close.reply_text()
        ));
        Ok(())
    }

    async fn blocked(&mut self, _connection: &Connection, reason: String) {
        if let Some(confirms) = &self.confirms {
            confirms.block(reason);
        }
    }

    async fn unblocked(&mut self, _connection: &Connection) {
        if let Some(confirms) = &self.confirms {
            confirms.unblock();
        }
    }

    async fn secret_updated(&mut self, _connection: &Connection) {}
}

#[async_trait]
impl ChannelCallback for Signals {
    async fn close(&mut self, _channel: &Channel, close: CloseChannel) -> Result<(), amqprs::error::Error> {
        self.die(format!("{} {}", close.reply_code(), close.reply_text()));
        Ok(())
    }

    async fn cancel(&mut self, _channel: &Channel, _cancel: Cancel) -> Result<(), amqprs::error::Error> {
        self.die("the broker cancelled the consumer");
        Ok(())
    }

    async fn flow(&mut self, _channel: &Channel, active: bool) -> Result<bool, amqprs::error::Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _channel: &Channel, ack: Ack) {
        if let Some(confirms) = &self.confirms {
            confirms.acked(ack.delivery_tag(), ack.mutiple());
        }
    }

    async fn publish_nack(&mut self, _channel: &Channel, nack: Nack) {
        if let Some(confirms) = &self.confirms {
            confirms.nacked(nack.delivery_tag(), nack.multiple());
        }
    }

    async fn publish_return(&mut self, _channel: &Channel, ret: Return, properties: BasicProperties, _content: Vec<u8>) {
        if let Some(confirms) = &self.confirms {
            let reason = format!("unroutable: {} {}", ret.reply_code(), ret.reply_text());
            confirms.returned(ret.routing_key(), properties.message_id().map(String::as_str), &reason);
        }
    }
}
