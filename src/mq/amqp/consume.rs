//! A consume link: the deliveries of one queue, over its own connection, across generations.
//!
//! One link for each consumer: a missing queue or a message that kills its connection harms no other queue.

use super::config::Address;
use super::generation::{ANSWER_TIMEOUT, Generation};
use super::link::{Broker, Ending, Session};
use super::settlements::{Settlement, Unsettled, Word};
use crate::mq::{Consumer, Delivery, Settle};
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicNackArguments, BasicQosArguments, Channel, ConsumerMessage,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// One channel has one consumer, so its tag need not be unique.
const CONSUMER_TAG: &str = "hangu";

/// One delivery with the way back into its generation.
pub(super) struct Item {
    body: Bytes,
    message_id: Option<String>,
    redelivered: bool,
    tag: u64,
    settlements: mpsc::Sender<Settlement>,
}

pub(super) struct ConsumeSession {
    broker: Arc<Broker>,
    name: String,
    queue: String,
    prefetch: u16,
    up: Arc<AtomicBool>,
    items: mpsc::Sender<Item>,
}

impl ConsumeSession {
    /// A session, and the consumer that it feeds.
    pub(super) fn new(broker: Arc<Broker>, queue: &str, prefetch: u16) -> (Self, AmqpConsumer) {
        // The broker sends no more than the prefetch before it hears a settlement; with 0 it would send everything.
        let prefetch = prefetch.max(1);
        let (items, received) = mpsc::channel(usize::from(prefetch));
        let up = broker.health.enlist();
        let session = Self {
            broker,
            name: format!("hangu consume {queue}"),
            queue: queue.to_owned(),
            prefetch,
            up,
            items,
        };
        let consumer = AmqpConsumer {
            queue: queue.to_owned(),
            items: received,
        };
        (session, consumer)
    }

    async fn work(&self, address: &Address) -> Result<(), String> {
        let mut generation = Generation::open(&self.broker.config, address, &self.name, None).await?;
        let mut messages = match self.subscribe(&generation.channel).await {
            Ok(messages) => messages,
            // The broker's own words tell more than the client's.
            Err(reason) => return Err(generation.dead().unwrap_or(reason)),
        };
        generation.watch(self.prefetch);
        self.up.store(true, Ordering::Release);
        tracing::info!(link = self.name(), host = address.host, port = address.port, "broker link up");
        let (settlements, mut settled) = mpsc::channel(usize::from(self.prefetch));
        let mut held: Option<Item> = None;
        let mut unsettled = Unsettled::default();
        loop {
            tokio::select! {
                biased;
                reason = generation.death() => return Err(reason),
                () = self.unwanted() => break,
                Some(settlement) = settled.recv() => {
                    let more = std::iter::from_fn(|| settled.try_recv().ok());
                    settle_all(&generation.channel, unsettled.take([settlement].into_iter().chain(more))).await?;
                }
                permit = self.items.reserve(), if held.is_some() => {
                    if let (Ok(permit), Some(item)) = (permit, held.take()) {
                        permit.send(item);
                    }
                }
                message = messages.recv(), if held.is_none() => {
                    let message = message.ok_or("the client's dispatcher is gone")?;
                    // A word about several would speak of one whose tag nobody knows, too.
                    let item = item(message, &settlements).ok_or("a delivery without its tag")?;
                    unsettled.add(item.tag);
                    held = Some(item);
                }
            }
        }
        // What was settled before the end counts: the broker reads it before it hears the goodbye.
        let rest = std::iter::from_fn(|| settled.try_recv().ok());
        settle_all(&generation.channel, unsettled.take(rest)).await?;
        generation.close().await;
        Ok(())
    }

    async fn subscribe(&self, channel: &Channel) -> Result<mpsc::UnboundedReceiver<ConsumerMessage>, String> {
        let subscribing = async {
            // The bound comes first: the client's own line behind the subscription has none (trap 10).
            channel.basic_qos(BasicQosArguments::new(0, self.prefetch, false)).await?;
            let arguments = BasicConsumeArguments::new(&self.queue, CONSUMER_TAG)
                .manual_ack(true)
                .finish();
            channel.basic_consume_rx(arguments).await
        };
        let subscribed = timeout(ANSWER_TIMEOUT, subscribing).await;
        let (_, messages) = subscribed
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        Ok(messages)
    }

    /// Stays down until the consumer is dropped: for a name that no broker can have.
    pub(super) async fn wait_unusable(&self) {
        self.unwanted().await;
        self.broker.health.delist(&self.up);
    }
}

#[async_trait]
impl Session for ConsumeSession {
    fn name(&self) -> &str {
        &self.name
    }

    fn up(&self) -> &Arc<AtomicBool> {
        &self.up
    }

    async fn run(self: Arc<Self>, address: Address) -> Ending {
        match self.work(&address).await {
            Ok(()) => Ending::Stopped,
            Err(reason) => Ending::Lost(reason),
        }
    }

    /// Every wait of this session is bounded, and its monitor probes the same channel.
    async fn watchdog(&self) -> String {
        pending().await
    }

    fn ended(&self) {}

    async fn unwanted(&self) {
        tokio::select! {
            () = self.items.closed() => {}
            () = self.broker.closing.cancelled() => {}
        }
    }
}

fn item(message: ConsumerMessage, settlements: &mpsc::Sender<Settlement>) -> Option<Item> {
    let deliver = message.deliver?;
    Some(Item {
        body: Bytes::from(message.content.unwrap_or_default()),
        message_id: message
            .basic_properties
            .and_then(|properties| properties.message_id().cloned()),
        redelivered: deliver.redelivered(),
        tag: deliver.delivery_tag(),
        settlements: settlements.clone(),
    })
}

async fn settle_all(channel: &Channel, words: Vec<Word>) -> Result<(), String> {
    for word in words {
        settle(channel, word).await?;
    }
    Ok(())
}

async fn settle(channel: &Channel, word: Word) -> Result<(), String> {
    let settling = async {
        match word {
            Word::AckUpTo(tag) => channel.basic_ack(BasicAckArguments::new(tag, true)).await,
            Word::Ack(tag) => channel.basic_ack(BasicAckArguments::new(tag, false)).await,
            Word::Requeue(tag) => channel.basic_nack(BasicNackArguments::new(tag, false, true)).await,
        }
    };
    let settled = timeout(ANSWER_TIMEOUT, settling)
        .await
        .map_err(|_| "the client takes no settlement".to_owned())?;
    settled.map_err(|error| error.to_string())
}

/// The user's end of a consume link.
pub(super) struct AmqpConsumer {
    queue: String,
    items: mpsc::Receiver<Item>,
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let item = self.items.recv().await?;
            // A delivery of a generation that ended comes again from the broker.
            if item.settlements.is_closed() {
                continue;
            }
            let settle = AmqpSettle {
                tag: item.tag,
                settlements: item.settlements,
            };
            return Some(Delivery {
                queue: self.queue.clone(),
                body: item.body,
                message_id: item.message_id,
                redelivered: item.redelivered,
                settle: Box::new(settle),
            });
        }
    }
}

struct AmqpSettle {
    tag: u64,
    settlements: mpsc::Sender<Settlement>,
}

impl AmqpSettle {
    async fn settle(&self, taken: bool) {
        // The receiver ends with its generation: a late settlement goes nowhere, and cannot meet another message.
        self.settlements.send(Settlement { tag: self.tag, taken }).await.ok();
    }
}

#[async_trait]
impl Settle for AmqpSettle {
    async fn ack(self: Box<Self>) {
        self.settle(true).await;
    }

    async fn requeue(self: Box<Self>) {
        self.settle(false).await;
    }
}
