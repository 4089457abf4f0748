//! Queues in a storm: each message comes once or several times, and not in its order.
//!
//! This is what a broker may do to a receiver: deliver again after every lost connection, and requeue behind later ones.

use super::{Queues, Taken};
use crate::world::Dice;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Puts each message up to `copies_max` times, each copy after a wait of its own; with 1 it is no storm at all.
pub struct Storm {
    inner: Arc<dyn Queues>,
    copies_max: u64,
    dice: Mutex<Dice>,
}

impl Storm {
    pub fn new(inner: Arc<dyn Queues>, copies_max: u64, seed: u64) -> Self {
        Self {
            inner,
            copies_max,
            dice: Mutex::new(Dice::new(seed, 0)),
        }
    }

    /// The wait of the first copy, and of the others.
    fn waits(&self) -> (Duration, Vec<Duration>) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = || Duration::from_millis(dice.below(WAIT_MS_MAX));
        let (first, second) = (wait(), wait());
        let copies = dice.below(self.copies_max.max(1));
        let mut others = vec![second; usize::try_from(copies).unwrap_or(0)];
        for (n, other) in (1..).zip(&mut others) {
            *other *= n;
        }
        (first, others)
    }
}

#[async_trait]
impl Queues for Storm {
    async fn put(&self, queue: &str, message_id: &str, body: Vec<u8>) -> Result<(), String> {
        if self.copies_max <= 1 {
            return self.inner.put(queue, message_id, body).await;
        }
        let (first, others) = self.waits();
        for wait in others {
            let (inner, queue, id, body) = (self.inner.clone(), queue.to_owned(), message_id.to_owned(), body.clone());
            drop(tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                // A copy that does not arrive is one that was not made.
                drop(inner.put(&queue, &id, body).await);
            }));
        }
        tokio::time::sleep(first).await;
        self.inner.put(queue, message_id, body).await
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        self.inner.take(queue).await
    }
}

/// Longer than most payments take, so that a copy may meet its original in work or done.
const WAIT_MS_MAX: u64 = 400;
