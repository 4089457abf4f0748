//! What happens to a message of the centre on its way to the bank: others go before it, or its broker puts it back.

use super::Shared;
use crate::fault::Fault;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages that wait for the next one of their queue.
#[derive(Default)]
pub(super) struct Overtaken(Mutex<VecDeque<Held>>);

struct Held {
    queue: String,
    id: String,
    body: Vec<u8>,
}

impl Shared {
    /// Puts a message, and behind it those that it has overtaken.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        queue: &str,
        id: &str,
        body: Vec<u8>,
        fault: Option<Fault>,
    ) -> Result<(), String> {
        match fault {
            Some(Fault::Reorder) => {
                self.hold(queue, id, body);
                return Ok(());
            }
            Some(Fault::NackStorm) => self.queues.put_in_storm(queue, id, body, PUT_BACKS).await?,
            _ => self.queues.put(queue, id, body).await?,
        }
        self.let_go(queue, |_| true).await
    }

    /// A message that nothing overtakes goes after a while.
    fn hold(self: &Arc<Self>, queue: &str, id: &str, body: Vec<u8>) {
        let (shared, queue, id) = (Arc::clone(self), queue.to_owned(), id.to_owned());
        let held = Held {
            queue: queue.clone(),
            id: id.clone(),
            body,
        };
        self.overtaken
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(held);
        drop(tokio::spawn(async move {
            tokio::time::sleep(HELD_MAX).await;
            if let Err(error) = shared.let_go(&queue, |held| held.id == id).await {
                tracing::warn!(%error, "a message that was held could not be put");
            }
        }));
    }

    async fn let_go(&self, queue: &str, is_due: impl Fn(&Held) -> bool) -> Result<(), String> {
        loop {
            let due = {
                let mut overtaken = self.overtaken.0.lock().unwrap_or_else(PoisonError::into_inner);
                let place = overtaken.iter().position(|held| held.queue == queue && is_due(held));
                place.and_then(|place| overtaken.remove(place))
            };
            let Some(held) = due else { return Ok(()) };
            self.queues.put(queue, &held.id, held.body).await?;
        }
    }
}

/// How often a broker puts back what is in a nack storm.
const PUT_BACKS: u64 = 3;
const HELD_MAX: Duration = Duration::from_secs(1);
