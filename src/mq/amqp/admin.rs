//! Looking at queues and making them, on a connection of its own that lives for one call.
//!
//! A wrong queue closes the channel that asked, so nothing here may touch the links that carry messages.

use super::config::{Address, QueueType};
use super::generation::{ANSWER_TIMEOUT, Generation, OPEN_TIMEOUT};
use super::link::Broker;
use super::wire::{Frame, MethodId, long_string, short_string};
use crate::mq::{MqError, QueueState, dead_letter_queue, limits};
use tokio::time::timeout;

const NAME: &str = "hangu queues";

const DECLARE: MethodId = (50, 10);
const DECLARE_OK: MethodId = (50, 11);
const PASSIVE: u8 = 1;
const DURABLE: u8 = 2;

/// What is asked about each queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Check,
    Declare,
    /// With a delivery limit and a dead-letter queue.
    DeclareLimited {
        delivery_limit: u32,
    },
}

/// Asks for every queue in turn, within `OPEN_TIMEOUT` and stopping at the first that is wrong.
pub(super) async fn ask(broker: &Broker, act: Act, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
    for queue in queues {
        if let Some(detail) = limits::name_refusal(queue) {
            return Err(MqError::Queue {
                queue: queue.clone(),
                detail,
            });
        }
    }
    let asked = timeout(OPEN_TIMEOUT, ask_all(broker, act, queues)).await;
    asked.unwrap_or_else(|_| Err(MqError::Unavailable(format!("no answer within {} s", OPEN_TIMEOUT.as_secs()))))
}

async fn ask_all(broker: &Broker, act: Act, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
    let mut generation = open_any(broker).await.map_err(MqError::Unavailable)?;
    let mut states = Vec::with_capacity(queues.len());
    for queue in queues {
        states.push(ask_one(&mut generation, act, broker.config.queue_type, queue).await?);
    }
    generation.close().await;
    Ok(states)
}

/// The first node that answers; each gets its share of the time.
async fn open_any(broker: &Broker) -> Result<Generation, String> {
    let mut reason = String::new();
    let nodes = u32::try_from(broker.addresses.len()).unwrap_or(u32::MAX).max(1);
    for address in &broker.addresses {
        let opening = Generation::open(&broker.config, address, NAME, None);
        match timeout(OPEN_TIMEOUT / nodes, opening).await {
            Ok(Ok(generation)) => return Ok(generation),
            Ok(Err(error)) => reason = described(address, &error),
            Err(_) => reason = described(address, "no answer"),
        }
    }
    Err(reason)
}

fn described(address: &Address, error: &str) -> String {
    format!("{}:{}: {error}", address.host, address.port)
}

async fn ask_one(generation: &mut Generation, act: Act, queue_type: QueueType, queue: &str) -> Result<QueueState, MqError> {
    let (how, table) = match act {
        Act::Check => (PASSIVE, Vec::new()),
        Act::Declare => (DURABLE, kind(queue_type)),
        Act::DeclareLimited { delivery_limit } => (DURABLE, limited(queue, queue_type, delivery_limit)),
    };
    let (name, table) = (short_string(queue.as_bytes()), long_string(&table));
    let arguments = [&[0, 0], name.as_slice(), &[how], &table];
    let asking = generation.ask(DECLARE, &arguments, DECLARE_OK);
    let answer = timeout(ANSWER_TIMEOUT, asking).await;
    let answer = answer.map_err(|_| MqError::Unavailable("no answer about a queue".to_owned()))?;
    // The broker says why by closing the channel: 404 for a missing queue, 406 for other arguments.
    let state = answer.and_then(|answer| counted(queue, &answer).ok_or_else(|| "the answer cannot be read".to_owned()));
    state.map_err(|detail| MqError::Queue {
        queue: queue.to_owned(),
        detail,
    })
}

fn counted(queue: &str, answer: &Frame) -> Option<QueueState> {
    let mut fields = answer.arguments();
    fields.short_string()?;
    Some(QueueState {
        queue: queue.to_owned(),
        messages: u64::from(fields.long()?),
        consumers: u64::from(fields.long()?),
    })
}

/// A queue of the type classic takes no arguments, so that any tool can declare the same.
fn kind(queue_type: QueueType) -> Vec<u8> {
    match queue_type {
        QueueType::Classic => Vec::new(),
        QueueType::Quorum => text("x-queue-type", "quorum"),
    }
}

/// A quorum queue that gives a message up after so many failed deliveries, and loses none on the way to its dead-letter
/// queue: at least once needs a queue that refuses rather than drops (RabbitMQ, quorum queues). A classic queue counts nothing.
fn limited(queue: &str, queue_type: QueueType, delivery_limit: u32) -> Vec<u8> {
    if queue_type == QueueType::Classic {
        return kind(queue_type);
    }
    let limit = i64::from(delivery_limit).to_be_bytes();
    let arguments = [
        kind(queue_type),
        [short_string(b"x-delivery-limit"), vec![b'l'], limit.to_vec()].concat(),
        text("x-dead-letter-exchange", ""),
        text("x-dead-letter-routing-key", &dead_letter_queue(queue)),
        text("x-dead-letter-strategy", "at-least-once"),
        text("x-overflow", "reject-publish"),
    ];
    arguments.concat()
}

/// One entry of a table whose value is a long string.
fn text(key: &str, value: &str) -> Vec<u8> {
    [short_string(key.as_bytes()), vec![b'S'], long_string(value.as_bytes())].concat()
}
