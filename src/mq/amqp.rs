//! RabbitMQ over AMQP 0-9-1, behind a supervisor that trusts neither the network nor the broker.
//!
//! Each connection generation is one task, which is dropped when anything looks wrong; publishing and every consumer have
//! connections of their own; a publication has its word within the confirm time, and every other call ends within five
//! seconds more. The tasks run where the gateway's run, so that no message changes threads on its way, and what is said
//! at about the same time goes out in one write.
//! The protocol is spoken here (`wire.rs`, `reading.rs`, `outbound.rs`), no more of it than a gateway needs.

mod admin;
mod broker_side;
mod config;
mod confirms;
mod consume;
mod generation;
mod link;
mod outbound;
mod publish;
mod pulse;
mod reading;
mod settlements;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use crate::secret::Password;
pub use crate::tls::{TlsClient, TlsConfig};
pub use config::{AmqpConfig, AmqpConfigError, QueueType};

use super::{Consumer, Mq, MqError, MqState, Publication, Published, QueueState, dead_letter_queue, limits};
use admin::Act;
use async_trait::async_trait;
use confirms::{Room, Waiter};
use consume::ConsumeSession;
use link::{Broker, Health, Session, supervise};
use publish::{Outgoing, Outlet, PublishSession};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a publication waits for a connection before it is refused.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(1);
/// Longest goodbye of the links.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// A RabbitMQ broker. It connects by itself and goes on connecting until it is closed or dropped.
pub struct AmqpMq {
    broker: Arc<Broker>,
    publisher: Arc<PublishSession>,
    outlet: Arc<Outlet>,
    count: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    links: TaskTracker,
    handle: Handle,
}

impl AmqpMq {
    /// Checks the settings and starts to connect, on the runtime that this is called on; it does not wait for the connection.
    pub fn open(config: AmqpConfig) -> Result<Self, AmqpConfigError> {
        let addresses = config.checked_addresses()?;
        let handle = Handle::try_current().map_err(|error| AmqpConfigError {
            field: "runtime",
            detail: error.to_string(),
        })?;
        let count = Arc::new(Semaphore::new(config.unconfirmed_max as usize));
        let bytes = Arc::new(Semaphore::new(config.unconfirmed_bytes_max as usize));
        let broker = Arc::new(Broker {
            config,
            addresses,
            health: Health::default(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            over: CancellationToken::new(),
        });
        let outlet = Arc::new(watch::Sender::new(None));
        let publisher = Arc::new(PublishSession::new(Arc::clone(&broker), Arc::clone(&outlet)));
        let mq = Self {
            broker,
            publisher,
            outlet,
            count,
            bytes,
            links: TaskTracker::new(),
            handle,
        };
        let publishing = Arc::clone(&mq.publisher);
        mq.keep_up(publishing);
        Ok(mq)
    }

    fn keep_up(&self, session: Arc<dyn Session>) {
        let (broker, over) = (Arc::clone(&self.broker), self.broker.over.clone());
        let supervised = async move { over.run_until_cancelled(supervise(broker, session)).await };
        self.links.spawn_on(supervised, &self.handle);
    }

    /// Room under the bounds, then a connection; what fails here was never sent. It leaves half the time to the confirm.
    async fn admit(&self, body_bytes: usize, begin: Instant) -> Result<(Room, mpsc::Sender<Outgoing>), &'static str> {
        let size = u32::try_from(body_bytes).map_err(|_| "too large")?;
        let end = begin + self.confirm_timeout() / 2;
        let room = timeout_at(end, async {
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(size).await.ok();
            let count = Arc::clone(&self.count).acquire_owned().await.ok();
            Room::new(count, bytes)
        });
        let room = room.await.map_err(|_| "too many unconfirmed publications")?;
        let mut outlet = self.outlet.subscribe();
        let patience = end.min(Instant::now() + CONNECTION_PATIENCE);
        let connected = timeout_at(patience, outlet.wait_for(Option::is_some)).await;
        let outlet = connected.ok().and_then(Result::ok).and_then(|outlet| outlet.clone());
        Ok((room, outlet.ok_or("not connected")?))
    }

    fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.broker.config.confirm_timeout_ms)
    }

    fn is_closing(&self) -> bool {
        self.broker.closing.is_cancelled()
    }
}

#[async_trait]
impl Mq for AmqpMq {
    async fn publish(&self, publication: Publication) -> Published {
        if self.is_closing() {
            return Published::Refused("closed".to_owned());
        }
        if let Some(reason) = limits::refusal(&publication, self.broker.config.message_bytes_max) {
            return Published::Refused(reason);
        }
        if let Some(reason) = self.publisher.blocked() {
            return Published::Refused(format!("the broker is blocked: {reason}"));
        }
        let begin = Instant::now();
        let (room, outlet) = match self.admit(publication.body.len(), begin).await {
            Ok(admitted) => admitted,
            Err(reason) => return Published::Refused(reason.to_owned()),
        };
        let (word, heard) = oneshot::channel();
        let waiter = Waiter::new(word, room);
        // A line that is gone gives the waiter back unsent, and its drop says so.
        drop(outlet.try_send(Outgoing { publication, waiter }));
        match timeout_at(begin + self.confirm_timeout(), heard).await {
            Ok(Ok(published)) => published,
            Ok(Err(_)) => Published::Unknown("connection lost".to_owned()),
            Err(_) => Published::Unknown("no confirm in time".to_owned()),
        }
    }

    fn consume(&self, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
        let (session, consumer) = ConsumeSession::new(Arc::clone(&self.broker), queue, prefetch);
        if let Some(reason) = limits::name_refusal(queue) {
            // The consumer stays down, and `state` says so: there is no such queue on any broker.
            tracing::error!(queue, reason, "cannot consume");
            let unusable = async move { session.wait_unusable().await };
            self.links.spawn_on(unusable, &self.handle);
        } else {
            self.keep_up(Arc::new(session));
        }
        Box::new(consumer)
    }

    async fn check(&self, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
        if self.is_closing() {
            return Err(MqError::Unavailable("closed".to_owned()));
        }
        admin::ask(&self.broker, Act::Check, queues).await
    }

    async fn declare(&self, queues: &[String]) -> Result<(), MqError> {
        if self.is_closing() {
            return Err(MqError::Unavailable("closed".to_owned()));
        }
        admin::ask(&self.broker, Act::Declare, queues).await.map(drop)
    }

    async fn declare_limited(&self, queues: &[String], delivery_limit: u32) -> Result<(), MqError> {
        let dead: Vec<String> = queues.iter().map(|queue| dead_letter_queue(queue)).collect();
        // The place for what is given up comes first: without it the broker would keep trying to put it there.
        self.declare(&dead).await?;
        let limited = Act::DeclareLimited { delivery_limit };
        admin::ask(&self.broker, limited, queues).await.map(drop)
    }

    fn state(&self) -> MqState {
        let health = &self.broker.health;
        MqState {
            connected: !self.is_closing() && health.is_connected(),
            stalled: health.stalled.load(Ordering::Acquire),
            generations: health.generations.load(Ordering::Relaxed),
            unconfirmed: self.publisher.unconfirmed() as u64,
        }
    }

    async fn close(&self) {
        self.broker.closing.cancel();
        // Every publication holds a room until it has its word.
        let rooms = self.broker.config.unconfirmed_max as usize;
        let drained = async {
            while self.count.available_permits() < rooms {
                sleep(DRAIN_INTERVAL).await;
            }
        };
        drop(timeout(self.confirm_timeout(), drained).await);
        self.broker.closed.cancel();
        self.links.close();
        drop(timeout(CLOSE_TIMEOUT, self.links.wait()).await);
        self.broker.over.cancel();
    }
}

impl Drop for AmqpMq {
    fn drop(&mut self) {
        self.broker.closing.cancel();
        self.broker.closed.cancel();
        self.broker.over.cancel();
    }
}
