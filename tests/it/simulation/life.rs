//! One life of one instance of the gateway: a small copy of `hangu::shell` whose tasks all end at a crash, or stand still while
//! the process is paused.

use super::broker::{Broker, HAND_OFFS};
use super::world::{INSTANCE, lock};
use codecs::wire::Wire;
use hangu::exchange::{Gateway, HttpAnswer, Phase};
use hangu::journal::Exchange;
use hangu::limits;
use hangu::mq::Mq;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running gateway; cheap to clone.
#[derive(Clone)]
pub(crate) struct Life {
    gateway: Arc<Gateway>,
    instance: usize,
    end: CancellationToken,
    tasks: TaskTracker,
    frost: Arc<Frost>,
}

/// Whether the process is paused, and whom to wake when it is not.
#[derive(Default)]
struct Frost {
    frozen: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Life {
    pub(crate) fn new(gateway: Gateway, instance: usize) -> Self {
        Self {
            gateway: Arc::new(gateway),
            instance,
            end: CancellationToken::new(),
            tasks: TaskTracker::new(),
            frost: Arc::default(),
        }
    }

    /// Starts as the shell does: status, take-over, consumers, sweeper, leases.
    pub(crate) async fn start(&self, broker: &Broker, queues: [&'static str; 2]) {
        let (life, broker) = (self.clone(), broker.clone());
        let started = self.tasks.spawn(self.living(async move {
            while life.gateway.load_system().await.is_err() {
                sleep(RETRY).await;
            }
            while life.gateway.release_leases().await.is_err() {
                sleep(RETRY).await;
            }
            loop {
                match life.gateway.take_over().await {
                    Ok(taken) => {
                        life.revisit_all(taken.for_now);
                        break;
                    }
                    Err(_) => sleep(RETRY).await,
                }
            }
            for queue in queues {
                life.spawn(life.clone().consume(broker.clone(), queue));
            }
            let words = life.gateway.clone();
            life.spawn(async move { words.send_hand_offs().await });
            life.spawn(life.clone().hear_hand_offs(broker.clone()));
            for link in ["centre", "platform"] {
                life.spawn(life.clone().take_turns(link));
            }
            life.spawn(life.clone().sweep());
            life.spawn(life.clone().hold_leases());
            life.spawn(life.clone().take_over());
        }));
        started.await.ok();
    }

    /// Every task ends where it waits; what it had not made durable is gone.
    pub(crate) async fn kill(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What a process does last when it is told to stop and its grace period is over: leases and name are given up.
    pub(crate) async fn leave(&self) {
        let gateway = self.gateway.clone();
        // A paused process hears the signal when it goes on.
        self.thaw();
        gateway.enter(Phase::Stopping);
        let left = self.tasks.spawn(self.living(async move { gateway.leave().await }));
        drop(left.await);
    }

    /// Pauses the whole process, and lets it go on as if nothing had happened.
    pub(crate) async fn freeze(&self, time: Duration) {
        self.frost.frozen.store(true, Ordering::Relaxed);
        sleep(time).await;
        self.thaw();
    }

    fn thaw(&self) {
        self.frost.frozen.store(false, Ordering::Relaxed);
        lock(&self.frost.waiting).drain(..).for_each(Waker::wake);
    }

    /// `None` when this life ends before it answers.
    pub(crate) async fn http(&self, wire: Wire) -> Option<HttpAnswer> {
        let work = self.gateway.clone().from_http("platform".to_owned(), wire);
        self.tasks.spawn(self.living(work)).await.ok().flatten()
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn(self.living(work)));
    }

    /// Work that goes no further than its life, and not while that is paused.
    fn living<T>(&self, work: impl Future<Output = T> + Send + 'static) -> impl Future<Output = Option<T>> + Send + 'static
    where
        T: Send + 'static,
    {
        let (end, frost) = (self.end.clone(), self.frost.clone());
        let work = INSTANCE.scope(self.instance, work);
        async move {
            tokio::select! {
                biased;
                () = end.cancelled() => None,
                done = frost.hold(work) => Some(done),
            }
        }
    }

    async fn consume(self, broker: Broker, queue: &'static str) {
        let permits = Arc::new(Semaphore::new(8));
        let mut consumer = broker.consume(queue, 8);
        loop {
            let permit = permits.clone().acquire_owned().await.unwrap();
            let Some(delivery) = consumer.next().await else { return };
            let gateway = self.gateway.clone();
            self.spawn(async move {
                let _permit = permit;
                gateway.from_queue("centre", delivery).await;
            });
        }
    }

    async fn hear_hand_offs(self, broker: Broker) {
        let mut consumer = broker.consume(HAND_OFFS[self.instance], 8);
        while let Some(delivery) = consumer.next().await {
            self.gateway.take_hand_off(&delivery.body);
            delivery.settle.ack().await;
        }
    }

    async fn take_turns(self, link: &'static str) {
        loop {
            let (id, place) = self.gateway.next_turn(link).await;
            let gateway = self.gateway.clone();
            self.spawn(async move { gateway.take_turn(id, place).await });
        }
    }

    async fn sweep(self) {
        loop {
            sleep(Duration::from_millis(limits::SWEEP_MS)).await;
            self.revisit_all(self.gateway.due().await.unwrap_or_default());
        }
    }

    async fn hold_leases(self) {
        loop {
            sleep(Duration::from_millis(limits::LEASE_RENEW_MS)).await;
            // A lease that is not renewed in time is what an instance has to live with.
            drop(self.gateway.renew_leases().await);
        }
    }

    async fn take_over(self) {
        loop {
            sleep(Duration::from_millis(limits::TAKE_OVER_MS)).await;
            if let Ok(taken) = self.gateway.take_over().await {
                self.revisit_all(taken.for_now);
            }
        }
    }

    fn revisit_all(&self, exchanges: Vec<Exchange>) {
        for exchange in exchanges {
            let gateway = self.gateway.clone();
            self.spawn(async move { gateway.revisit(exchange).await });
        }
    }
}

impl Frost {
    async fn hold<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self.frozen.load(Ordering::Relaxed) {
                lock(&self.waiting).push(context.waker().clone());
                return Poll::Pending;
            }
            work.as_mut().poll(context)
        })
        .await
    }
}

/// Between two attempts to start on a journal that refuses.
const RETRY: Duration = Duration::from_millis(500);
