//! Consumers of queues: as many deliveries in hand as there are permits, and none once it is time to stop.

use crate::exchange::Gateway;
use crate::mq::Consumer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The consumer of one queue.
pub(super) struct Consuming {
    pub(super) gateway: Arc<Gateway>,
    pub(super) link: String,
    /// The queue that gave the messages up, if this one holds dead letters.
    pub(super) given_up_by: Option<String>,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    pub(super) work: TaskTracker,
}

impl Consuming {
    /// Hands deliveries to tasks while there are permits; at the bound it takes no more, and prefetch stops the broker.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.take() => {}
        }
        // With the consumer goes the way of its acknowledgements: those that are due any moment still get through.
        tokio::time::sleep(ACKS_END).await;
    }

    async fn take(&mut self) {
        loop {
            let Ok(permit) = self.permits.clone().acquire_owned().await else {
                return;
            };
            let Some(delivery) = self.consumer.next().await else { return };
            let (gateway, link, given_up_by) = (self.gateway.clone(), self.link.clone(), self.given_up_by.clone());
            // On the heap from the beginning: a task is moved several times, and this one is large.
            self.work.spawn(Box::pin(async move {
                let _permit = permit;
                let _in_flight = gateway.counters().enter();
                match given_up_by {
                    None => gateway.from_queue(&link, delivery).await,
                    Some(queue) => gateway.from_dead_letters(&link, &queue, delivery).await,
                }
            }));
        }
    }
}

/// Takes what other instances say of our exchanges. It holds nothing back: every message is acknowledged when read.
pub(super) async fn hear_hand_offs(gateway: Arc<Gateway>, mut consumer: Box<dyn Consumer>) {
    while let Some(delivery) = consumer.next().await {
        gateway.take_hand_off(&delivery.body);
        delivery.settle.ack().await;
    }
}

/// Between the last delivery that is taken and the end of its consumer.
const ACKS_END: Duration = Duration::from_millis(200);
