//! The driver's own ceiling: a whole load without a gateway.
//!
//! Each reply is written, sealed and signed before the clock starts, as the bank would write it; then the load is played as
//! ever, and a request finds its reply at once. What is measured is all that a payment costs the driver, and nothing else.

use super::mixture::{Mixture, Order};
use crate::centre::{CentreConfig, OnTimeout};
use crate::counterparty::{Party, Refusal, Step};
use crate::institution;
use crate::load::{Load, drive};
use crate::mix::{Planned, SERIALS_EACH};
use crate::queues::{MemoryQueues, Queues, Taken};
use crate::world::World;
use async_trait::async_trait;
use codecs::payment::{Attribute, Operation, Outcome, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What was reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ceiling {
    pub payments: u64,
    /// Of them, those whose reply was verified, opened and a success.
    pub succeeded: u64,
    pub took: Duration,
    /// Spent before, on the replies.
    pub prepared: Duration,
}

impl Ceiling {
    pub fn per_second(&self) -> f64 {
        self.payments as f64 / self.took.as_secs_f64().max(0.001)
    }
}

/// Plays so many debits as fast as the driver can. `bank` is the gateway's side of the centre's link.
pub async fn ceiling(centre: Party, bank: &Party, world: World, seed: u64, payments: u64) -> Result<Ceiling, Refusal> {
    let now = world.now();
    // Dates stand in what a reply refers to, so a run has one moment.
    let world = world.at(now);
    let config = CentreConfig {
        workers: WORKERS,
        reply_ms: PATIENCE_MS,
        final_ms: PATIENCE_MS,
        on_timeout: OnTimeout::Wait,
        ..CentreConfig::new(now.date())
    };
    let started = Instant::now();
    let planned = planned(seed, payments);
    let mut mirror = Mirror::new(&config.queue_in);
    for one in &planned {
        let (id, reply) = reply(&centre, bank, &world, &config, one)?;
        mirror
            .replies
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, reply);
    }
    let prepared = started.elapsed();
    let handle = crate::centre::start(Arc::new(mirror), centre, world, config);
    let desk = handle.desk();
    let load = Load {
        rate_per_s: 0,
        concurrency_max: UNDER_WAY,
    };
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move {
            desk.play(&planned)
                .await
                .messages
                .iter()
                .all(|message| message.outcome == "success")
        }
    };
    let started = Instant::now();
    let finished = drive(planned, load, work, |_done| {}).await;
    let took = started.elapsed();
    handle.stop().await;
    Ok(Ceiling {
        payments,
        succeeded: finished.iter().filter(|one| one.result).count() as u64,
        took,
        prepared,
    })
}

fn planned(seed: u64, payments: u64) -> Vec<Planned> {
    let debits = Mixture::debits();
    let orders = (0..payments).filter_map(|n| match debits.order(seed, n)? {
        Order::Planned(planned) => Some(*planned),
        Order::Course { .. } => None,
    });
    orders.collect()
}

/// The request's message id, and the bytes that answer it.
fn reply(
    centre: &Party,
    bank: &Party,
    world: &World,
    config: &CentreConfig,
    planned: &Planned,
) -> Result<(String, Vec<u8>), Refusal> {
    let order = institution::Order {
        serial: config.first_serial + planned.n * SERIALS_EACH,
        institution: planned.institution,
        person: planned.person.clone(),
        amount: planned.amount,
    };
    let mut request = config.sending().request(Operation::Debit, &order, None, world.now());
    request.set_text(Attribute::MessageCode, centre.code(Operation::Debit, Role::Request)?);
    let id = request.text(Attribute::MsgId).unwrap_or_default().to_owned();
    let answering = config.sending().turned();
    let reply = answering.reply(&request, Outcome::Success, BANK_SERIAL + order.serial, world.now());
    let code = bank.code(Operation::Debit, Role::Reply)?;
    let wire = bank.emit(&code, &reply, world.now(), &mut world.rng())?;
    if id.is_empty() {
        let text = "a request without a message id".to_owned();
        return Err(Refusal { step: Step::Build, text });
    }
    Ok((id, wire.body))
}

/// Queues at whose other end nobody stands: what is put fetches its reply.
struct Mirror {
    replies: Mutex<BTreeMap<String, Vec<u8>>>,
    queue: String,
    queues: MemoryQueues,
}

impl Mirror {
    fn new(queue: &str) -> Self {
        Self {
            replies: Mutex::default(),
            queue: queue.to_owned(),
            queues: MemoryQueues::default(),
        }
    }
}

#[async_trait]
impl Queues for Mirror {
    async fn put(&self, _queue: &str, message_id: &str, _body: Vec<u8>) -> Result<(), String> {
        let reply = self.replies.lock().unwrap_or_else(PoisonError::into_inner).remove(message_id);
        match reply {
            Some(reply) => self.queues.put(&self.queue, message_id, reply).await,
            None => Err("no reply was written for it".to_owned()),
        }
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        self.queues.take(queue).await
    }
}

const WORKERS: usize = 4;
const UNDER_WAY: usize = 256;
const PATIENCE_MS: u64 = 30_000;
const BANK_SERIAL: u64 = 70_000_000;
