//! A broker that outlives the gateway: it delays, reorders, repeats, redelivers what was not acknowledged, and its word on a
//! publication can be missing or wrong.

use super::world::{INSTANCES, Kind, World, lock};
use async_trait::async_trait;
use bytes::Bytes;
use hangu::mq::{Consumer, Delivery, Mq, MqError, MqState, Publication, Published, QueueState, Settle};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

pub(crate) const REQUESTS: &str = "nps.B.req";
pub(crate) const REPLIES: &str = "nps.B.rsp";
pub(crate) const CENTRE: &str = "nps.centre.B";
/// Of each instance.
pub(crate) const HAND_OFFS: [&str; INSTANCES] = ["hangu.hand-off.sim-0", "hangu.hand-off.sim-1"];

/// The broker.
#[derive(Clone)]
pub(crate) struct Broker {
    world: Arc<World>,
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    ready: BTreeMap<String, Vec<Held>>,
    unacked: BTreeMap<u64, Held>,
    /// Rises when the connection breaks; acknowledgements of older generations count for nothing.
    generation: u64,
    deliveries: u64,
    /// Bodies that the gateway tried to publish, by message id.
    published: BTreeMap<String, Bytes>,
}

#[derive(Clone)]
struct Held {
    queue: String,
    body: Bytes,
    from: Instant,
    redelivered: bool,
}

impl Broker {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            inner: Arc::default(),
            arrived: Arc::default(),
        }
    }

    /// Puts a message that the broker confirms; it may arrive late, out of order, or twice.
    pub(crate) fn put(&self, queue: &str, body: Bytes) {
        let copies = if self.world.fault(6) { 2 } else { 1 };
        for _ in 0..copies {
            let late = if self.world.fault(5) { 8_000 } else { 60 };
            let held = Held {
                queue: queue.to_owned(),
                body: body.clone(),
                from: Instant::now() + self.world.up_to(late),
                redelivered: false,
            };
            lock(&self.inner).ready.entry(queue.to_owned()).or_default().push(held);
        }
        self.arrived.notify_waiters();
    }

    /// Takes a message off a queue for good; for the centre's side, whose consumers are never lost.
    pub(crate) async fn take(&self, queue: &str) -> Bytes {
        self.next(queue).await.body
    }

    /// What is still with the broker for the gateway.
    pub(crate) fn waiting(&self) -> usize {
        let inner = lock(&self.inner);
        let ready = [REQUESTS, REPLIES]
            .iter()
            .filter_map(|queue| inner.ready.get(*queue))
            .map(Vec::len);
        ready.sum::<usize>() + inner.unacked.len()
    }

    /// The connection is gone: what was not acknowledged is delivered again.
    pub(crate) fn disconnect(&self) {
        {
            let mut inner = lock(&self.inner);
            inner.generation += 1;
            for (_, held) in std::mem::take(&mut inner.unacked) {
                let redelivered = Held {
                    from: Instant::now() + self.world.up_to(300),
                    redelivered: true,
                    ..held
                };
                inner.ready.entry(redelivered.queue.clone()).or_default().push(redelivered);
            }
        }
        self.arrived.notify_waiters();
    }

    async fn next(&self, queue: &str) -> Held {
        loop {
            let arrived = self.arrived.notified();
            let (found, wait) = self.pick(queue);
            if let Some(held) = found {
                return held;
            }
            // Nothing is ready: the next thing that can happen is an arrival or the end of a delay.
            timeout(wait, arrived).await.ok();
        }
    }

    /// A message whose time has come, mostly the oldest.
    fn pick(&self, queue: &str) -> (Option<Held>, Duration) {
        let now = Instant::now();
        let mut inner = lock(&self.inner);
        let list = inner.ready.entry(queue.to_owned()).or_default();
        let due: Vec<usize> = (0..list.len()).filter(|place| list[*place].from <= now).collect();
        if due.is_empty() {
            let wait = list.iter().map(|held| held.from.saturating_duration_since(now)).min();
            return (None, wait.unwrap_or(Duration::from_hours(1)));
        }
        let place = if self.world.fault(30) {
            self.world.below(due.len() as u64)
        } else {
            0
        };
        (Some(list.remove(due[usize::try_from(place).unwrap()])), Duration::ZERO)
    }

    /// A serial of ours stands on one message only, whoever asks to send it and however often.
    fn watch(&self, publication: &Publication) {
        let known = lock(&self.inner)
            .published
            .insert(publication.message_id.clone(), publication.body.clone());
        if known.is_some_and(|known| known != publication.body) {
            let text = format!("serial {} stands on two messages", publication.message_id);
            self.world.complain(Kind::SerialReused, text);
        }
    }
}

#[async_trait]
impl Mq for Broker {
    async fn publish(&self, publication: Publication) -> Published {
        if !HAND_OFFS.contains(&publication.queue.as_str()) {
            self.watch(&publication);
        }
        self.world.pause(10).await;
        let word = self.world.below(100);
        let faulty = self.world.fault(100);
        let Publication { queue, body, .. } = publication;
        match word {
            0..6 if faulty => Published::Refused("nacked".to_owned()),
            6..12 if faulty => Published::Unknown("connection lost before".to_owned()),
            12..18 if faulty => {
                self.put(&queue, body);
                self.world.pause(20).await;
                Published::Unknown("connection lost after".to_owned())
            }
            _ => {
                self.put(&queue, body);
                self.world.pause(10).await;
                Published::Confirmed
            }
        }
    }

    fn consume(&self, queue: &str, _prefetch: u16) -> Box<dyn Consumer> {
        Box::new(Consuming {
            broker: self.clone(),
            queue: queue.to_owned(),
        })
    }

    async fn check(&self, _queues: &[String]) -> Result<Vec<QueueState>, MqError> {
        Ok(Vec::new())
    }

    async fn declare(&self, _queues: &[String]) -> Result<(), MqError> {
        Ok(())
    }

    fn state(&self) -> MqState {
        MqState::default()
    }

    async fn close(&self) {}
}

struct Consuming {
    broker: Broker,
    queue: String,
}

#[async_trait]
impl Consumer for Consuming {
    async fn next(&mut self) -> Option<Delivery> {
        let held = self.broker.next(&self.queue).await;
        let mut inner = lock(&self.broker.inner);
        inner.deliveries += 1;
        let (tag, generation) = (inner.deliveries, inner.generation);
        inner.unacked.insert(tag, held.clone());
        let settle = Settling {
            broker: self.broker.clone(),
            tag,
            generation,
        };
        Some(Delivery {
            queue: held.queue,
            body: held.body,
            message_id: None,
            redelivered: held.redelivered,
            settle: Box::new(settle),
        })
    }
}

struct Settling {
    broker: Broker,
    tag: u64,
    generation: u64,
}

impl Settling {
    fn take(&self) -> Option<Held> {
        let mut inner = lock(&self.broker.inner);
        let is_current = inner.generation == self.generation;
        is_current.then(|| inner.unacked.remove(&self.tag)).flatten()
    }
}

#[async_trait]
impl Settle for Settling {
    async fn ack(self: Box<Self>) {
        self.broker.world.point().await;
        if self.broker.world.fault(4) {
            self.broker.disconnect();
        }
        drop(self.take());
        self.broker.world.point().await;
    }

    async fn requeue(self: Box<Self>) {
        self.broker.world.point().await;
        let Some(held) = self.take() else { return };
        let held = Held {
            redelivered: true,
            ..held
        };
        lock(&self.broker.inner)
            .ready
            .entry(held.queue.clone())
            .or_default()
            .push(held);
        self.broker.arrived.notify_waiters();
    }
}
