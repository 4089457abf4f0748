//! The simulators' queues over the gateway's broker connection: the one place where the two meet.

use async_trait::async_trait;
use hangu::mq::{Consumer, Publication, Published, Settle, SharedMq};
use simulators::queues::{Acknowledge, Queues, Taken};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Queues of one simulator.
pub(crate) struct MqQueues {
    mq: SharedMq,
    consumers: Mutex<BTreeMap<String, Shared>>,
}

/// A consumer that several takers wait on in turn.
type Shared = Arc<Mutex<Box<dyn Consumer>>>;

impl MqQueues {
    pub(crate) fn new(mq: SharedMq) -> Self {
        Self {
            mq,
            consumers: Mutex::default(),
        }
    }

    async fn consumer(&self, queue: &str) -> Shared {
        let mut consumers = self.consumers.lock().await;
        let entry = consumers.entry(queue.to_owned());
        entry
            .or_insert_with(|| Arc::new(Mutex::new(self.mq.consume(queue, PREFETCH))))
            .clone()
    }
}

#[async_trait]
impl Queues for MqQueues {
    async fn put(&self, queue: &str, message_id: &str, body: Vec<u8>) -> Result<(), String> {
        let publication = Publication {
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            correlation_id: None,
            content_type: "application/xml",
            body: body.into(),
        };
        match self.mq.publish(publication).await {
            Published::Confirmed => Ok(()),
            Published::Refused(reason) | Published::Unknown(reason) => Err(reason),
        }
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        let consumer = self.consumer(queue).await;
        let delivery = consumer.lock().await.next().await?;
        Some(Taken::new(delivery.body.to_vec(), Box::new(Ticket(delivery.settle))))
    }
}

struct Ticket(Box<dyn Settle>);

#[async_trait]
impl Acknowledge for Ticket {
    async fn acknowledge(self: Box<Self>) {
        self.0.ack().await;
    }
}

const PREFETCH: u16 = 64;
