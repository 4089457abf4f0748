//! The thin shell: the only place that spawns tasks, reads the clock and owns the order of start and stop.

use crate::clock::{Clock, Entropy};
use crate::exchange::{Gateway, HttpAnswer};
use crate::limits;
use crate::link::http::{Handler, router};
use crate::mq::SharedMq;
use axum::serve::ListenerExt;
use codecs::wire::Wire;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
    fn now(&self) -> OffsetDateTime {
        std::time::SystemTime::now().into()
    }
}

/// The operating system's random source.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::panic, reason = "without randomness no nonce is safe: the process must not go on")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system's random source failed: {error}");
        }
    }
}

/// One queue link as the shell runs it.
pub struct QueueLink {
    pub name: String,
    pub mq: SharedMq,
    pub queues: Vec<String>,
    pub prefetch: u16,
    pub in_flight_max: usize,
}

/// One HTTP link as the shell runs it.
pub struct HttpLink {
    pub name: String,
    pub listener: TcpListener,
    pub in_flight_max: usize,
}

/// A running gateway.
pub struct Running {
    gateway: Arc<Gateway>,
    stop: CancellationToken,
    /// Stops the listeners, after the consumers.
    tasks: TaskTracker,
    mqs: Vec<SharedMq>,
}

impl Running {
    /// Takes over what earlier lives left, then starts to take messages.
    pub async fn start(
        gateway: Arc<Gateway>,
        queues: Vec<QueueLink>,
        https: Vec<HttpLink>,
    ) -> Result<Self, crate::exchange::Trouble> {
        gateway.load_system().await?;
        let taken = gateway.take_over(true).await?;
        tracing::info!(to_revisit = taken.len(), "exchanges of an earlier life taken over");
        let running = Self {
            gateway,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            mqs: queues.iter().map(|link| link.mq.clone()).collect(),
        };
        for link in queues {
            running.run_queue_link(&link);
        }
        for link in https {
            running.run_http_link(link);
        }
        revisit_all(&running.gateway, &running.tasks, taken);
        running.run_sweeper();
        running.run_leases();
        running.run_pruning();
        Ok(running)
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Stops taking, lets what is in flight finish within the grace period; the rest stays in the journal. True when
    /// everything finished.
    pub async fn stop(self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        let finished = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        for mq in &self.mqs {
            mq.close().await;
        }
        finished
    }

    fn run_queue_link(&self, link: &QueueLink) {
        for queue in &link.queues {
            // A bound per queue: requests that wait for a slow counterparty must not hold up the replies of others.
            let permits = Arc::new(Semaphore::new(link.in_flight_max));
            let consumer = link.mq.consume(queue, link.prefetch);
            let (gateway, stop, tasks) = (self.gateway.clone(), self.stop.clone(), self.tasks.clone());
            let name = link.name.clone();
            self.tasks.spawn(consume(gateway, name, consumer, permits, stop, tasks));
        }
    }

    fn run_http_link(&self, link: HttpLink) {
        let app = router(self.handler(link.name, link.in_flight_max));
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let listener = link.listener.tap_io(|stream| {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY not set");
                }
            });
            let serve = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = serve.await {
                tracing::error!(%error, "listener ended");
            }
        });
    }

    /// Every request runs on a task of its own, so that a requester who goes away does not take the exchange with it.
    fn handler(&self, name: String, in_flight_max: usize) -> Handler {
        let permits = Arc::new(Semaphore::new(in_flight_max));
        let (gateway, tasks) = (self.gateway.clone(), self.tasks.clone());
        Arc::new(move |wire: Wire| {
            let later = |reason: &str| HttpAnswer::Later {
                reason: reason.to_owned(),
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                return Box::pin(std::future::ready(later("too many requests in flight")))
                    as Pin<Box<dyn Future<Output = _> + Send>>;
            };
            let (gateway, name) = (gateway.clone(), name.clone());
            let task = tasks.spawn(async move {
                let _permit = permit;
                let counted = gateway.clone();
                let _in_flight = counted.counters().enter();
                gateway.from_http(name, wire).await
            });
            Box::pin(async move { task.await.unwrap_or_else(|_panicked| later("the request's task ended")) })
        })
    }

    fn run_sweeper(&self) {
        let (gateway, stop, tasks) = (self.gateway.clone(), self.stop.clone(), self.tasks.clone());
        self.tasks.spawn(async move {
            while sleep_unless(&stop, Duration::from_millis(limits::SWEEP_MS)).await {
                match gateway.due().await {
                    Ok(due) => revisit_all(&gateway, &tasks, due),
                    Err(trouble) => tracing::error!(%trouble, "the journal does not say what is due"),
                }
            }
        });
    }

    fn run_leases(&self) {
        let (gateway, stop, tasks) = (self.gateway.clone(), self.stop.clone(), self.tasks.clone());
        self.tasks.spawn(async move {
            while sleep_unless(&stop, Duration::from_millis(limits::LEASE_RENEW_MS)).await {
                if let Err(trouble) = gateway.renew_leases().await {
                    tracing::error!(%trouble, "leases not renewed");
                }
                match gateway.take_over(false).await {
                    Ok(taken) => revisit_all(&gateway, &tasks, taken),
                    Err(trouble) => tracing::error!(%trouble, "dead owners' exchanges not taken over"),
                }
            }
        });
    }
}

impl Running {
    /// Old keys and messages go once an hour; the window is longer than any replay.
    fn run_pruning(&self) {
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            while sleep_unless(&stop, Duration::from_secs(limits::PRUNE_S)).await {
                if let Err(trouble) = gateway.prune().await {
                    tracing::error!(%trouble, "old exchanges not pruned");
                }
            }
        });
    }
}

/// Hands deliveries to tasks while there are permits; at the bound it takes no more, and prefetch stops the broker.
async fn consume(
    gateway: Arc<Gateway>,
    name: String,
    mut consumer: Box<dyn crate::mq::Consumer>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let permit = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            permit = permits.clone().acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            delivery = consumer.next() => delivery,
        };
        let Some(delivery) = delivery else { return };
        let (gateway, name) = (gateway.clone(), name.clone());
        tasks.spawn(async move {
            let _permit = permit;
            let _in_flight = gateway.counters().enter();
            gateway.from_queue(&name, delivery).await;
        });
    }
}

fn revisit_all(gateway: &Arc<Gateway>, tasks: &TaskTracker, exchanges: Vec<crate::journal::Exchange>) {
    for exchange in exchanges {
        let gateway = gateway.clone();
        tasks.spawn(async move { gateway.revisit(exchange).await });
    }
}

/// False when it is time to stop.
async fn sleep_unless(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
