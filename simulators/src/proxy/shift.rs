//! Messages between two queues: whoever puts puts into the one, whoever takes takes from the other.

use super::content::Reading;
use super::judge::{Judge, Verdict};
use super::rules::{Direction, Mishap, Rules, Told};
use crate::queues::{Queues, Taken};
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// From which queue to which, and what goes wrong between them.
pub struct Shift<'a> {
    pub queues: &'a dyn Queues,
    pub from: &'a str,
    pub to: &'a str,
    pub rules: Rules,
    pub seed: u64,
    pub reading: Option<Reading>,
}

/// A message that others go before: not acknowledged, so that it stays the broker's.
struct Held {
    taken: Taken,
    left: u64,
    until: Instant,
}

/// Moves messages until the queues are closed. One that cannot be put stays with the broker.
pub async fn shift(way: Shift<'_>, told: impl FnMut(Told) + Send + 'static) {
    let mut judge = Judge::new(way.rules.clone(), way.seed, Box::new(told));
    let mut held = Vec::new();
    loop {
        let taken = tokio::select! {
            taken = way.queues.take(way.from) => taken,
            () = first_due(&held) => {
                release(&way, &mut held, 0).await;
                continue;
            }
        };
        let Some(taken) = taken else { return };
        let fields = way.reading.as_ref().and_then(|reading| reading.of_body(&taken.body));
        let mut body = taken.body.clone();
        let (mut copies, mut pause) = (1, Duration::ZERO);
        if let Some(verdict) = judge.over(Direction::Request, &body, fields.as_ref()) {
            if verdict.rule.fault == Mishap::Reorder {
                held.push(Held {
                    taken,
                    left: verdict.rule.count(),
                    until: Instant::now() + Duration::from_millis(verdict.rule.ms),
                });
                continue;
            }
            if let (Some(fields), Some(field), Mishap::CorruptField) = (fields, verdict.rule.field(), verdict.rule.fault) {
                fields.corrupt(field, &mut body);
            }
            if verdict.rule.fault == Mishap::Die {
                pause = Duration::from_millis(verdict.rule.ms);
            }
            copies = spoil(&mut body, verdict).await;
        }
        put(&way, taken, &body, copies).await;
        sleep(pause).await;
        release(&way, &mut held, copies).await;
    }
}

/// How often it is put. A message on a queue has no connection: what would cut one leaves it out.
async fn spoil(body: &mut Vec<u8>, mut verdict: Verdict) -> u64 {
    match verdict.rule.fault {
        Mishap::Drop | Mishap::Never => return 0,
        Mishap::Repeat => return 1 + verdict.rule.count(),
        Mishap::Truncate => body.truncate(verdict.beginning(body.len())),
        Mishap::CorruptByte => verdict.corrupt(body),
        Mishap::Delay => sleep(Duration::from_millis(verdict.rule.ms)).await,
        Mishap::Die
        | Mishap::Reorder
        | Mishap::Stall
        | Mishap::CorruptField
        | Mishap::WrongLength
        | Mishap::Join
        | Mishap::Drip
        | Mishap::NackStorm => {}
    }
    1
}

async fn put(way: &Shift<'_>, taken: Taken, body: &[u8], copies: u64) {
    let mut is_put = true;
    for _ in 0..copies {
        if let Err(error) = way.queues.put(way.to, "", body.to_vec()).await {
            tracing::warn!(%error, "a message could not be moved");
            is_put = false;
        }
    }
    if is_put {
        taken.done().await;
    }
}

async fn first_due(held: &[Held]) {
    match held.iter().map(|one| one.until).min() {
        Some(first) => sleep_until(first).await,
        None => pending().await,
    }
}

/// Puts those before which enough have gone, or that have waited long enough.
async fn release(way: &Shift<'_>, held: &mut Vec<Held>, gone: u64) {
    for one in held.iter_mut() {
        one.left = one.left.saturating_sub(gone);
    }
    let now = Instant::now();
    while let Some(place) = held.iter().position(|one| one.left == 0 || one.until <= now) {
        let one = held.remove(place);
        let body = one.taken.body.clone();
        put(way, one.taken, &body, 1).await;
    }
}
