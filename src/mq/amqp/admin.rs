//! Looking at queues and making them, on a connection of its own that lives for one call.
//!
//! A wrong queue closes the channel that asked, so nothing here may touch the links that carry messages.

use super::config::{Address, QueueType};
use super::generation::{ANSWER_TIMEOUT, Generation, GenerationRuntime, OPEN_TIMEOUT};
use super::link::Broker;
use crate::mq::{MqError, QueueState, dead_letter_queue, limits};
use amqprs::channel::QueueDeclareArguments;
use amqprs::{FieldTable, FieldValue};
use std::sync::Arc;
use tokio::time::timeout;

const NAME: &str = "hangu queues";

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
pub(super) async fn ask(broker: Arc<Broker>, act: Act, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
    for queue in queues {
        if let Some(detail) = limits::name_refusal(queue) {
            return Err(MqError::Queue {
                queue: queue.clone(),
                detail,
            });
        }
    }
    let runtime = GenerationRuntime::start().map_err(|error| MqError::Unavailable(error.to_string()))?;
    let queues = queues.to_vec();
    let Some(work) = runtime.spawn(async move { ask_all(&broker, act, queues).await }) else {
        return Err(MqError::Unavailable("no runtime".to_owned()));
    };
    match timeout(OPEN_TIMEOUT, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(MqError::Unavailable("the session ended abnormally".to_owned())),
        Err(_) => Err(MqError::Unavailable(format!("no answer within {} s", OPEN_TIMEOUT.as_secs()))),
    }
}

async fn ask_all(broker: &Broker, act: Act, queues: Vec<String>) -> Result<Vec<QueueState>, MqError> {
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

async fn ask_one(generation: &mut Generation, act: Act, queue_type: QueueType, queue: String) -> Result<QueueState, MqError> {
    let arguments = match act {
        Act::Check => QueueDeclareArguments::new(&queue).passive(true).finish(),
        Act::Declare => declaration(&queue, &kind(queue_type)),
        Act::DeclareLimited { delivery_limit } => declaration(&queue, &limited(&queue, queue_type, delivery_limit)),
    };
    let answer = timeout(ANSWER_TIMEOUT, generation.channel.queue_declare(arguments)).await;
    let detail = match answer {
        Ok(Ok(Some((_, messages, consumers)))) => {
            return Ok(QueueState {
                queue,
                messages: u64::from(messages),
                consumers: u64::from(consumers),
            });
        }
        Ok(Ok(None)) => "the broker gave no answer".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => return Err(MqError::Unavailable("no answer about a queue".to_owned())),
    };
    // The broker says why by closing the channel: 404 for a missing queue, 406 for other arguments.
    let detail = generation.dead().unwrap_or(detail);
    Err(MqError::Queue { queue, detail })
}

/// One argument of a declaration.
type Argument = (&'static str, FieldValue);

/// A queue of the type classic takes no arguments, so that any tool can declare the same.
fn kind(queue_type: QueueType) -> Vec<Argument> {
    match queue_type {
        QueueType::Classic => Vec::new(),
        QueueType::Quorum => vec![("x-queue-type", text("quorum"))],
    }
}

/// A quorum queue that gives a message up after so many failed deliveries, and loses none on the way to its dead-letter
/// queue: at least once needs a queue that refuses rather than drops (RabbitMQ, quorum queues). A classic queue counts nothing.
fn limited(queue: &str, queue_type: QueueType, delivery_limit: u32) -> Vec<Argument> {
    let mut arguments = kind(queue_type);
    if queue_type == QueueType::Quorum {
        arguments.extend([
            ("x-delivery-limit", FieldValue::l(i64::from(delivery_limit))),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&dead_letter_queue(queue))),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
    }
    arguments
}

fn declaration(queue: &str, arguments: &[Argument]) -> QueueDeclareArguments {
    let mut declaration = QueueDeclareArguments::durable_client_named(queue);
    let mut table = FieldTable::new();
    for (key, value) in arguments {
        if let Ok(key) = (*key).try_into() {
            table.insert(key, value.clone());
        }
    }
    declaration.arguments(table).finish()
}

fn text(value: &str) -> FieldValue {
    FieldValue::from(value.to_owned())
}
