//! Message queues: publish-and-confirm, deliveries, acknowledgement.
//!
//! `amqp.rs` is RabbitMQ, spoken to by ourselves inside a supervisor; `memory.rs` is the embedded one. Both hide reconnection:
//! a consumer goes on after the broker comes back, an acknowledgement of an old connection generation is dropped.

pub mod amqp;
mod limits;
pub mod memory;

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// A message to publish. It is always persistent and mandatory.
#[derive(Clone, Debug)]
pub struct Publication {
    pub queue: String,
    pub message_id: String,
    pub correlation_id: Option<String>,
    pub content_type: &'static str,
    pub body: Bytes,
}

/// The broker's word on a publication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Published {
    /// The broker took the message (confirmed and not returned).
    Confirmed,
    /// The broker certainly did not take it: nacked, returned as unroutable, or never sent.
    Refused(String),
    /// Connection lost, blocked or too slow: it may or may not have been taken.
    Unknown(String),
}

/// What a consumer hands on. It stays unacknowledged until `ack` or `requeue`; dropping it leaves it to the broker.
/// A body over the link's limit arrives cut one byte over it.
pub struct Delivery {
    pub queue: String,
    pub body: Bytes,
    pub message_id: Option<String>,
    pub redelivered: bool,
    pub settle: Box<dyn Settle>,
}

/// The acknowledgement of one delivery, bound to the connection generation that delivered it.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Takes the message off the queue. A no-op if the generation that delivered it is gone.
    async fn ack(self: Box<Self>);
    /// Gives the message back, to be delivered again.
    async fn requeue(self: Box<Self>);
}

/// Deliveries of one queue.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next delivery, across reconnections. `None` after `Mq::close`. Cancel-safe.
    async fn next(&mut self) -> Option<Delivery>;
}

/// What a passive check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueState {
    pub queue: String,
    pub messages: u64,
    pub consumers: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MqError {
    #[error("broker is not reachable: {0}")]
    Unavailable(String),
    #[error("queue {queue}: {detail}")]
    Queue { queue: String, detail: String },
}

/// Whether the link is usable, for readiness and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MqState {
    pub connected: bool,
    /// Confirms are overdue: the broker is blocked or gone silent.
    pub stalled: bool,
    /// Connection generations so far.
    pub generations: u64,
    pub unconfirmed: u64,
}

#[async_trait]
pub trait Mq: Send + Sync {
    /// Publishes and waits for the broker's word, at most the configured confirm time (default 5 s).
    async fn publish(&self, publication: Publication) -> Published;

    /// Starts to consume with a bound on unacknowledged deliveries.
    fn consume(&self, queue: &str, prefetch: u16) -> Box<dyn Consumer>;

    /// Checks passively that queues exist.
    async fn check(&self, queues: &[String]) -> Result<Vec<QueueState>, MqError>;

    /// Declares durable queues; an operator's act, never done by `run`.
    async fn declare(&self, queues: &[String]) -> Result<(), MqError>;

    /// Declares queues whose messages go to their dead-letter queue after `delivery_limit` failed deliveries, and those
    /// queues; an operator's act too. A broker that counts no deliveries has nothing to limit, and makes both kinds alike.
    async fn declare_limited(&self, queues: &[String], _delivery_limit: u32) -> Result<(), MqError> {
        let dead: Vec<String> = queues.iter().map(|queue| dead_letter_queue(queue)).collect();
        self.declare(&dead).await?;
        self.declare(queues).await
    }

    fn state(&self) -> MqState;

    /// Stops consumers and closes; publications in flight are given their word first, bounded.
    async fn close(&self);
}

/// Where the broker puts what `queue` gave up on.
pub fn dead_letter_queue(queue: &str) -> String {
    format!("{queue}{DEAD_LETTER_SUFFIX}")
}

pub const DEAD_LETTER_SUFFIX: &str = ".dead";

/// A shared queue service.
pub type SharedMq = Arc<dyn Mq>;
