//! A consume link: the deliveries of one queue, over its own connection, across generations.
//!
//! One link for each consumer: a missing queue or a message that kills its connection harms no other queue.

use super::config::Address;
use super::generation::{ANSWER_TIMEOUT, Generation, Said, UNASKED};
use super::link::{Broker, Ending, Session};
use super::reading::Delivered;
use super::settlements::{Book, Settlement};
use super::wire::{MethodId, short_string};
use crate::mq::{Consumer, Delivery, Settle};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

/// One channel has one consumer, so its tag need not be unique.
const CONSUMER_TAG: &[u8] = b"hangu";
const WITH_ACKNOWLEDGEMENT: u8 = 0;
const NO_TABLE: [u8; 4] = [0; 4];

/// Nobody waits for an acknowledgement while the broker has places left, so that several go out together.
const SETTLE_PATIENCE: Duration = Duration::from_millis(40);

const CONSUME: MethodId = (60, 20);
const CONSUME_OK: MethodId = (60, 21);

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
        let subscribed = timeout(ANSWER_TIMEOUT, self.subscribe(&mut generation)).await;
        subscribed.map_err(|_| "no answer".to_owned())??;
        generation.watch(self.prefetch);
        self.up.store(true, Ordering::Release);
        tracing::info!(link = self.name(), host = address.host, port = address.port, "broker link up");
        let (settlements, mut settled) = mpsc::channel(usize::from(self.prefetch));
        let mut book = Book::new(self.prefetch);
        self.serve(&mut generation, &settlements, &mut settled, &mut book).await?;
        // What was settled before the end counts: the broker reads it before it hears the goodbye.
        book.note_all(None, &mut settled);
        tell(&mut generation, &mut book);
        generation.close().await;
        Ok(())
    }

    /// The bound comes first: without it the broker would send everything it has.
    async fn subscribe(&self, generation: &mut Generation) -> Result<(), String> {
        generation.bound(self.prefetch).await?;
        let (queue, tag) = (short_string(self.queue.as_bytes()), short_string(CONSUMER_TAG));
        let arguments = [&[0, 0], queue.as_slice(), &tag, &[WITH_ACKNOWLEDGEMENT], &NO_TABLE];
        generation.ask(CONSUME, &arguments, CONSUME_OK).await.map(drop)
    }

    async fn serve(
        &self,
        generation: &mut Generation,
        settlements: &mpsc::Sender<Settlement>,
        settled: &mut mpsc::Receiver<Settlement>,
        book: &mut Book,
    ) -> Result<(), String> {
        let mut held = VecDeque::new();
        let mut unwanted = self.unwanted();
        let mut due = pin!(sleep(Duration::ZERO));
        loop {
            tokio::select! {
                biased;
                said = generation.next() => match said? {
                    Said::Delivery(delivered) => {
                        // A word about several would speak of one whose tag nobody knows, too.
                        book.add(delivered.tag);
                        self.hand_on(Item::new(delivered, settlements), &mut held)?;
                    }
                    Said::Answer(_) => return Err(UNASKED.to_owned()),
                    Said::Room => {}
                },
                () = &mut unwanted => return Ok(()),
                Some(settlement) = settled.recv() => {
                    if book.is_told() {
                        due.as_mut().reset(Instant::now() + SETTLE_PATIENCE);
                    }
                    book.note_all(Some(settlement), settled);
                    if book.is_urgent() {
                        // Whoever else is about to settle does so first: all of it goes out in one write.
                        yield_now().await;
                        book.note_all(None, settled);
                        tell(generation, book);
                    }
                }
                () = &mut due, if !book.is_told() => tell(generation, book),
                permit = self.items.reserve(), if !held.is_empty() => {
                    if let (Ok(permit), Some(item)) = (permit, held.pop_front()) {
                        permit.send(item);
                    }
                }
            }
        }
    }

    /// To the consumer, whose line may still hold deliveries of the generation before.
    fn hand_on(&self, item: Item, held: &mut VecDeque<Item>) -> Result<(), String> {
        if held.is_empty() {
            match self.items.try_send(item) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(item) | TrySendError::Closed(item)) => held.push_back(item),
            }
        } else {
            held.push_back(item);
        }
        let is_flooded = held.len() > usize::from(self.prefetch);
        if is_flooded { Err(FLOODED.to_owned()) } else { Ok(()) }
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

    /// Every wait of this session is bounded, and its generation probes the same channel.
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

impl Item {
    fn new(delivered: Delivered, settlements: &mpsc::Sender<Settlement>) -> Self {
        Self {
            body: Bytes::from(delivered.body),
            message_id: delivered.message_id,
            redelivered: delivered.redelivered,
            tag: delivered.tag,
            settlements: settlements.clone(),
        }
    }
}

fn tell(generation: &mut Generation, book: &mut Book) {
    for word in book.words() {
        generation.outbound.settle(word);
    }
}

const FLOODED: &str = "the broker sends more than was agreed";

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
