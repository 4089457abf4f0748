//! Messages between two queues: whoever puts puts into the one, whoever takes takes from the other.

use super::rules::{Direction, Judge, Mishap, Rules, Told, Verdict};
use crate::queues::Queues;
use std::time::Duration;

/// Moves messages until the queues are closed. One that cannot be put stays with the broker.
pub async fn shift(queues: &dyn Queues, from: &str, to: &str, rules: Rules, seed: u64, told: impl FnMut(Told) + Send + 'static) {
    let mut judge = Judge::new(rules, seed, Box::new(told));
    while let Some(taken) = queues.take(from).await {
        let mut body = taken.body.clone();
        let verdict = judge.over(Direction::Request, &body);
        let copies = match verdict {
            Some(verdict) => spoil(&mut body, verdict).await,
            None => 1,
        };
        let mut is_put = true;
        for _ in 0..copies {
            let put = queues.put(to, "", body.clone()).await;
            if let Err(error) = put {
                tracing::warn!(%error, "a message could not be moved");
                is_put = false;
            }
        }
        if is_put {
            taken.done().await;
        }
    }
}

/// How often it is put. A message on a queue has no connection: what would cut one leaves it out, what would drip comes late.
async fn spoil(body: &mut Vec<u8>, mut verdict: Verdict) -> usize {
    match verdict.fault {
        Mishap::Drop | Mishap::Never => return 0,
        Mishap::Repeat => return 2,
        Mishap::Truncate => body.truncate(body.len() * 2 / 3),
        Mishap::CorruptByte => verdict.corrupt(body, 0),
        Mishap::Delay | Mishap::Drip | Mishap::Die => tokio::time::sleep(Duration::from_millis(verdict.ms)).await,
    }
    1
}
