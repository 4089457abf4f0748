//! Nack storms on a stage: a broker that puts back what the gateway acknowledged, and refuses to confirm what it took.
//!
//! It stands between the gateway and its queues; the centre, which puts the message, says which one.

use async_trait::async_trait;
use bytes::Bytes;
use hangu::mq::{Consumer, Delivery, Mq, MqError, MqState, Publication, Published, QueueState, Settle, SharedMq};
use simulators::queues::{Queues, Taken};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The storms of one stage.
#[derive(Clone, Default)]
pub(super) struct Storms(Arc<Mutex<Raging>>);

#[derive(Default)]
struct Raging {
    /// How often a body is still put back.
    put_backs: BTreeMap<Bytes, u64>,
    /// How many publications of the gateway are still refused.
    refusals: u64,
}

impl Storms {
    /// The gateway's queues.
    pub(super) fn over(&self, inner: SharedMq) -> SharedMq {
        Arc::new(StormyMq {
            inner,
            storms: self.clone(),
        })
    }

    /// The queues of whoever begins storms.
    pub(super) fn begun_by(&self, inner: impl Queues + 'static) -> Arc<dyn Queues> {
        Arc::new(Beginner {
            inner,
            storms: self.clone(),
        })
    }

    fn begin(&self, body: &[u8], times: u64) {
        let mut raging = self.lock();
        raging.put_backs.insert(Bytes::copy_from_slice(body), times);
        raging.refusals = times;
    }

    fn puts_back(&self, body: &Bytes) -> bool {
        let mut raging = self.lock();
        raging.put_backs.get_mut(body).is_some_and(one_less)
    }

    fn refuses(&self) -> bool {
        one_less(&mut self.lock().refusals)
    }

    fn lock(&self) -> MutexGuard<'_, Raging> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there was one left.
const fn one_less(left: &mut u64) -> bool {
    let was_left = *left > 0;
    *left = left.saturating_sub(1);
    was_left
}

struct Beginner<Q> {
    inner: Q,
    storms: Storms,
}

#[async_trait]
impl<Q: Queues> Queues for Beginner<Q> {
    async fn put(&self, queue: &str, message_id: &str, body: Vec<u8>) -> Result<(), String> {
        self.inner.put(queue, message_id, body).await
    }

    async fn put_in_storm(&self, queue: &str, message_id: &str, body: Vec<u8>, times: u64) -> Result<(), String> {
        self.storms.begin(&body, times);
        self.inner.put(queue, message_id, body).await
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        self.inner.take(queue).await
    }
}

struct StormyMq {
    inner: SharedMq,
    storms: Storms,
}

#[async_trait]
impl Mq for StormyMq {
    async fn publish(&self, publication: Publication) -> Published {
        let published = self.inner.publish(publication).await;
        if published == Published::Confirmed && self.storms.refuses() {
            return Published::Refused("nacked, though the broker has it".to_owned());
        }
        published
    }

    fn consume(&self, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
        Box::new(StormyConsumer {
            inner: self.inner.consume(queue, prefetch),
            storms: self.storms.clone(),
        })
    }

    async fn check(&self, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
        self.inner.check(queues).await
    }

    async fn declare(&self, queues: &[String]) -> Result<(), MqError> {
        self.inner.declare(queues).await
    }

    fn state(&self) -> MqState {
        self.inner.state()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct StormyConsumer {
    inner: Box<dyn Consumer>,
    storms: Storms,
}

#[async_trait]
impl Consumer for StormyConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        let mut delivery = self.inner.next().await?;
        if self.storms.puts_back(&delivery.body) {
            delivery.settle = Box::new(PutBack(delivery.settle));
        }
        Some(delivery)
    }
}

/// An acknowledgement that the broker does not hear.
struct PutBack(Box<dyn Settle>);

#[async_trait]
impl Settle for PutBack {
    async fn ack(self: Box<Self>) {
        self.0.requeue().await;
    }

    async fn requeue(self: Box<Self>) {
        self.0.requeue().await;
    }
}
