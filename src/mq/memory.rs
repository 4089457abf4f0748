//! The embedded broker: queues in the memory of one process, for the demonstration, the simulators and tests.
//!
//! It keeps what a broker promises within the life of the process: first in, first out, nothing lost or handed to two
//! consumers at once, what was not acknowledged comes back. It writes nothing down, and it is no network service.

use super::{Consumer, Delivery, Mq, MqError, MqState, Publication, Published, QueueState, Settle, limits};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Bounds of the embedded broker.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Messages that a queue holds, delivered ones included.
    pub queue_length_max: usize,
    /// Bytes of bodies that a queue holds, delivered ones included.
    pub queue_bytes_max: usize,
    pub message_bytes_max: usize,
    /// How long a publication waits for a blocked broker.
    pub confirm_timeout_ms: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            queue_length_max: 100_000,
            queue_bytes_max: 256 * 1024 * 1024,
            message_bytes_max: 1024 * 1024,
            confirm_timeout_ms: 5000,
        }
    }
}

/// A broker in memory; clones are the same broker.
#[derive(Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

impl MemoryBroker {
    pub fn new(limits: MemoryLimits) -> Self {
        let shared = Shared {
            limits,
            store: Mutex::default(),
            bells: Mutex::default(),
            blocked: watch::Sender::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Another connection to this broker.
    pub fn mq(&self) -> MemoryMq {
        MemoryMq {
            shared: Arc::clone(&self.shared),
            line: Arc::default(),
        }
    }

    /// A blocked broker takes nothing: publications wait, and time out as unknown. Deliveries go on.
    pub fn set_blocked(&self, blocked: bool) {
        self.shared.blocked.send_replace(blocked);
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

/// One connection to a `MemoryBroker`; closing it leaves the others alone.
pub struct MemoryMq {
    shared: Arc<Shared>,
    line: Arc<Line>,
}

#[async_trait]
impl Mq for MemoryMq {
    async fn publish(&self, publication: Publication) -> Published {
        if self.line.is_closed() {
            return Published::Refused("closed".to_owned());
        }
        if let Some(reason) = limits::refusal(&publication, self.shared.limits.message_bytes_max) {
            return Published::Refused(reason);
        }
        let _waiting = Waiting::start(&self.line.unconfirmed);
        if !self.shared.opened().await {
            return Published::Unknown("the broker is blocked".to_owned());
        }
        match self.shared.store(publication) {
            Ok(()) => Published::Confirmed,
            Err(reason) => Published::Refused(reason.to_owned()),
        }
    }

    fn consume(&self, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
        let id = self.shared.lock().subscribe(queue);
        self.line.consumers().insert(id, queue.to_owned());
        Box::new(MemoryConsumer {
            shared: Arc::clone(&self.shared),
            line: Arc::clone(&self.line),
            queue: queue.to_owned(),
            prefetch: usize::from(prefetch.max(1)),
            id,
            changed: self.shared.bell(queue),
        })
    }

    async fn check(&self, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
        if self.line.is_closed() {
            return Err(MqError::Unavailable("closed".to_owned()));
        }
        let store = self.shared.lock();
        queues.iter().map(|name| store.state(name)).collect()
    }

    async fn declare(&self, queues: &[String]) -> Result<(), MqError> {
        if self.line.is_closed() {
            return Err(MqError::Unavailable("closed".to_owned()));
        }
        for name in queues {
            if let Some(detail) = limits::name_refusal(name) {
                return Err(MqError::Queue {
                    queue: name.clone(),
                    detail,
                });
            }
            self.shared.lock().queues.entry(name.clone()).or_default();
            self.shared.ring(name);
        }
        Ok(())
    }

    fn state(&self) -> MqState {
        let connected = !self.line.is_closed();
        MqState {
            connected,
            stalled: connected && *self.shared.blocked.borrow(),
            generations: 1,
            unconfirmed: self.line.unconfirmed.load(Ordering::Relaxed),
        }
    }

    async fn close(&self) {
        self.line.closed.store(true, Ordering::Release);
        let consumers = std::mem::take(&mut *self.line.consumers());
        for (id, queue) in consumers {
            self.shared.lock().unsubscribe(&queue, id);
            self.shared.ring(&queue);
        }
    }
}

/// What the consumers of one `MemoryMq` share with it.
#[derive(Default)]
struct Line {
    closed: AtomicBool,
    unconfirmed: AtomicU64,
    /// Queue of each consumer.
    consumers: Mutex<BTreeMap<u64, String>>,
}

impl Line {
    fn consumers(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Counts a publication for as long as it waits, also when its future is dropped.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn start(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Shared {
    limits: MemoryLimits,
    store: Mutex<Store>,
    /// By queue: rung after every change that may let a consumer of it go on.
    bells: Mutex<BTreeMap<String, Arc<Notify>>>,
    blocked: watch::Sender<bool>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, bounded, until the broker is not blocked; true when it is not.
    async fn opened(&self) -> bool {
        if !*self.blocked.borrow() {
            return true;
        }
        let mut blocked = self.blocked.subscribe();
        let open = blocked.wait_for(|blocked| !blocked);
        timeout(Duration::from_millis(self.limits.confirm_timeout_ms), open)
            .await
            .is_ok()
    }

    fn bell(&self, queue: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(queue.to_owned()).or_default())
    }

    fn ring(&self, queue: &str) {
        self.bell(queue).notify_waiters();
    }

    fn store(&self, publication: Publication) -> Result<(), &'static str> {
        let queue = publication.queue.clone();
        self.lock().push(publication, &self.limits)?;
        self.ring(&queue);
        Ok(())
    }
}

#[derive(Default)]
struct Store {
    queues: BTreeMap<String, Queue>,
    /// Order of arrival over all queues, which is also the order of delivery.
    arrivals: u64,
    /// Numbers of deliveries and consumers; never reused, so that a late settlement meets nothing.
    serial: u64,
}

#[derive(Default)]
struct Queue {
    ready: BTreeMap<u64, Stored>,
    delivered: BTreeMap<u64, Delivered>,
    bytes: usize,
    /// What each consumer holds.
    consumers: BTreeMap<u64, Held>,
}

/// Deliveries of one consumer that are not settled yet.
#[derive(Clone, Copy, Default)]
struct Held {
    count: usize,
    /// It asked for more than its bound allows, and waits.
    is_full: bool,
}

struct Stored {
    body: Bytes,
    message_id: String,
    redelivered: bool,
}

struct Delivered {
    arrival: u64,
    consumer: u64,
    stored: Stored,
}

impl Queue {
    /// Takes a delivery from what a consumer holds; true if it was at its bound. One that is gone holds nothing.
    fn let_go(&mut self, consumer: u64) -> bool {
        self.consumers.get_mut(&consumer).is_some_and(|held| {
            held.count = held.count.saturating_sub(1);
            held.is_full
        })
    }
}

impl Store {
    fn push(&mut self, publication: Publication, limits: &MemoryLimits) -> Result<(), &'static str> {
        let arrival = self.arrivals;
        let queue = self.queues.get_mut(&publication.queue).ok_or("unroutable")?;
        let size = publication.body.len();
        let length = queue.ready.len() + queue.delivered.len();
        if length >= limits.queue_length_max || queue.bytes.saturating_add(size) > limits.queue_bytes_max {
            return Err("the queue is full");
        }
        queue.bytes += size;
        let stored = Stored {
            body: publication.body,
            message_id: publication.message_id,
            redelivered: false,
        };
        queue.ready.insert(arrival, stored);
        self.arrivals += 1;
        Ok(())
    }

    fn subscribe(&mut self, queue: &str) -> u64 {
        self.serial += 1;
        // A queue that does not exist yet is counted by its first delivery: consuming declares nothing.
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.consumers.insert(self.serial, Held::default());
        }
        self.serial
    }

    /// Hands the oldest message to `consumer`, unless it holds `prefetch` already.
    fn take(&mut self, name: &str, consumer: u64, prefetch: usize) -> Option<(u64, Bytes, String, bool)> {
        let queue = self.queues.get_mut(name)?;
        let held = queue.consumers.entry(consumer).or_default();
        held.is_full = held.count >= prefetch;
        if held.is_full {
            return None;
        }
        let (arrival, stored) = queue.ready.pop_first()?;
        held.count += 1;
        self.serial += 1;
        let parts = (
            self.serial,
            stored.body.clone(),
            stored.message_id.clone(),
            stored.redelivered,
        );
        queue.delivered.insert(
            self.serial,
            Delivered {
                arrival,
                consumer,
                stored,
            },
        );
        Some(parts)
    }

    /// True if it makes room for a consumer that waits at its bound.
    fn acknowledge(&mut self, name: &str, tag: u64) -> bool {
        let Some(queue) = self.queues.get_mut(name) else {
            return false;
        };
        let Some(delivered) = queue.delivered.remove(&tag) else {
            return false;
        };
        queue.bytes -= delivered.stored.body.len();
        queue.let_go(delivered.consumer)
    }

    fn give_back(&mut self, name: &str, tag: u64) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        if let Some(mut delivered) = queue.delivered.remove(&tag) {
            queue.let_go(delivered.consumer);
            delivered.stored.redelivered = true;
            queue.ready.insert(delivered.arrival, delivered.stored);
        }
    }

    fn unsubscribe(&mut self, name: &str, consumer: u64) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        queue.consumers.remove(&consumer);
        let held = queue.delivered.iter().filter(|(_, delivered)| delivered.consumer == consumer);
        let tags: Vec<u64> = held.map(|(tag, _)| *tag).collect();
        for tag in tags {
            self.give_back(name, tag);
        }
    }

    fn state(&self, name: &str) -> Result<QueueState, MqError> {
        let Some(queue) = self.queues.get(name) else {
            let detail = "does not exist".to_owned();
            return Err(MqError::Queue {
                queue: name.to_owned(),
                detail,
            });
        };
        Ok(QueueState {
            queue: name.to_owned(),
            messages: queue.ready.len() as u64,
            consumers: queue.consumers.len() as u64,
        })
    }
}

struct MemoryConsumer {
    shared: Arc<Shared>,
    line: Arc<Line>,
    queue: String,
    prefetch: usize,
    id: u64,
    changed: Arc<Notify>,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            // Listening starts before looking, so that no change falls between the two.
            let changed = self.changed.notified();
            if self.line.is_closed() {
                self.shared.lock().unsubscribe(&self.queue, self.id);
                return None;
            }
            let taken = self.shared.lock().take(&self.queue, self.id, self.prefetch);
            if let Some(parts) = taken {
                return Some(self.delivery(parts));
            }
            changed.await;
        }
    }
}

impl MemoryConsumer {
    fn delivery(&self, (tag, body, message_id, redelivered): (u64, Bytes, String, bool)) -> Delivery {
        let settle = MemorySettle {
            shared: Arc::clone(&self.shared),
            line: Arc::clone(&self.line),
            queue: self.queue.clone(),
            changed: Arc::clone(&self.changed),
            tag,
        };
        Delivery {
            queue: self.queue.clone(),
            body,
            message_id: Some(message_id),
            redelivered,
            settle: Box::new(settle),
        }
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.line.consumers().remove(&self.id);
        self.shared.lock().unsubscribe(&self.queue, self.id);
        self.changed.notify_waiters();
    }
}

struct MemorySettle {
    shared: Arc<Shared>,
    line: Arc<Line>,
    queue: String,
    changed: Arc<Notify>,
    tag: u64,
}

#[async_trait]
impl Settle for MemorySettle {
    async fn ack(self: Box<Self>) {
        if self.line.is_closed() {
            return;
        }
        let makes_room = self.shared.lock().acknowledge(&self.queue, self.tag);
        if makes_room {
            self.changed.notify_waiters();
        }
    }

    async fn requeue(self: Box<Self>) {
        self.shared.lock().give_back(&self.queue, self.tag);
        self.changed.notify_waiters();
    }
}
