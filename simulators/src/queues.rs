//! The queues as a simulator sees them, and a small in-memory set of them.
//!
//! The gateway's binary implements `Queues` over its own connection to a broker.

pub mod storm;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Named queues: put, and take with a later acknowledgement.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Returns once the broker has confirmed the message.
    async fn put(&self, queue: &str, message_id: &str, body: Vec<u8>) -> Result<(), String>;

    /// Puts a message in a storm: its broker puts it back so many times, whatever its receiver says. Queues that see no
    /// acknowledgement put it as often as it would come.
    async fn put_in_storm(&self, queue: &str, message_id: &str, body: Vec<u8>, times: u64) -> Result<(), String> {
        for _ in 0..times {
            self.put(queue, message_id, body.clone()).await?;
        }
        self.put(queue, message_id, body).await
    }

    /// Waits for the next message. `None` once the queues are closed. Cancel-safe.
    async fn take(&self, queue: &str) -> Option<Taken>;
}

/// A message taken from a queue; it is the broker's until `done`.
pub struct Taken {
    pub body: Vec<u8>,
    acknowledge: Option<Box<dyn Acknowledge>>,
}

/// Takes a message off its queue.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    async fn acknowledge(self: Box<Self>);
}

impl Taken {
    pub fn new(body: Vec<u8>, acknowledge: Box<dyn Acknowledge>) -> Self {
        Self {
            body,
            acknowledge: Some(acknowledge),
        }
    }

    /// A message that needs no acknowledgement.
    pub fn settled(body: Vec<u8>) -> Self {
        Self { body, acknowledge: None }
    }

    pub async fn done(self) {
        if let Some(acknowledge) = self.acknowledge {
            acknowledge.acknowledge().await;
        }
    }
}

/// Queues in memory, for runs in one process. A message is gone as soon as it is taken.
#[derive(Default)]
pub struct MemoryQueues {
    state: Mutex<MemoryState>,
    arrived: Arc<Notify>,
}

#[derive(Default)]
struct MemoryState {
    queues: BTreeMap<String, VecDeque<Vec<u8>>>,
    closed: bool,
}

impl MemoryQueues {
    /// Every waiting and later `take` gets `None`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_waiters();
    }

    pub fn length(&self, queue: &str) -> usize {
        self.lock().queues.get(queue).map_or(0, VecDeque::len)
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn put(&self, queue: &str, _message_id: &str, body: Vec<u8>) -> Result<(), String> {
        self.lock().queues.entry(queue.to_owned()).or_default().push_back(body);
        self.arrived.notify_waiters();
        Ok(())
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Registered before the look, so that a put between the look and the wait is not missed.
            arrived.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(body) = state.queues.get_mut(queue).and_then(VecDeque::pop_front) {
                    return Some(Taken::settled(body));
                }
                if state.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }
}
