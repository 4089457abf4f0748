//! The thin shell: the only place that spawns tasks, reads the clock and owns the order of start and stop.

mod release;
mod serve;

use crate::clock::{Clock, Entropy};
use crate::exchange::{Gateway, HttpAnswer};
use crate::journal::Exchange;
use crate::limits;
use crate::link::http::{Handler, router};
use crate::mq::{Consumer, SharedMq, dead_letter_queue};
use codecs::wire::Wire;
use std::collections::BTreeMap;
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
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the operating system's random source failed: no nonce is safe, the process ends");
            std::process::abort();
        }
    }
}

/// One queue link as the shell runs it.
pub struct QueueLink {
    pub name: String,
    pub mq: SharedMq,
    pub request_queue: String,
    pub reply_queue: String,
    /// Whether what these queues gave up is taken too, to be parked.
    pub dead_letters: bool,
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
    /// Ends what brings new work: request queues, listeners, the sweeper.
    stop: CancellationToken,
    /// Ends what work in flight still needs: reply queues and leases.
    end: CancellationToken,
    /// Exchanges in flight.
    work: TaskTracker,
    /// Loops that run until they are told to stop.
    loops: TaskTracker,
    /// Bounds on revisits by link, so that one dead counterparty does not take the places of the others.
    revisits: Revisits,
    mqs: Vec<SharedMq>,
}

/// Permits for revisits, by the link that an exchange went out by.
type Revisits = Arc<BTreeMap<String, Arc<Semaphore>>>;

impl Running {
    /// Takes over what earlier lives left, then starts to take messages.
    pub async fn start(
        gateway: Arc<Gateway>,
        queues: Vec<QueueLink>,
        https: Vec<HttpLink>,
    ) -> Result<Self, crate::exchange::Trouble> {
        gateway.check_journal_key().await?;
        gateway.load_system().await?;
        let taken = gateway.take_over(true).await?;
        tracing::info!(to_revisit = taken.len(), "exchanges of an earlier life taken over");
        let links = gateway.config().link.keys();
        let bound = |name: &String| (name.clone(), Arc::new(Semaphore::new(limits::REVISITS_MAX)));
        let running = Self {
            revisits: Arc::new(links.map(bound).collect()),
            gateway,
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            work: TaskTracker::new(),
            loops: TaskTracker::new(),
            mqs: queues.iter().map(|link| link.mq.clone()).collect(),
        };
        for link in queues {
            running.run_queue_link(&link);
        }
        for link in https {
            running.run_http_link(link);
        }
        running.revisitor().take_up(taken);
        running.run_sweeper();
        running.run_leases();
        running.run_pruning();
        let (gateway, work, stop) = (running.gateway.clone(), running.work.clone(), running.stop.clone());
        running.loops.spawn(release::release_parked(gateway, work, stop));
        Ok(running)
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Stops taking, lets what is in flight finish within the grace period; the rest stays in the journal. Replies are
    /// taken to the end, because what is in flight waits for them. True when everything finished.
    pub async fn stop(self, grace: Duration) -> bool {
        self.stop.cancel();
        self.gateway.begin_stop();
        self.work.close();
        let finished = tokio::time::timeout(grace, self.work.wait()).await.is_ok();
        self.end.cancel();
        self.loops.close();
        let ended = tokio::time::timeout(LOOPS_END, self.loops.wait()).await.is_ok();
        for mq in &self.mqs {
            mq.close().await;
        }
        finished && ended
    }

    fn run_queue_link(&self, link: &QueueLink) {
        let queues = [(&link.request_queue, &self.stop), (&link.reply_queue, &self.end)];
        for (queue, stop) in queues {
            self.loops.spawn(self.consuming(link, queue, stop, None).run());
            if link.dead_letters {
                let dead = dead_letter_queue(queue);
                self.loops
                    .spawn(self.consuming(link, &dead, &self.stop, Some(queue.clone())).run());
            }
        }
    }

    fn consuming(&self, link: &QueueLink, queue: &str, stop: &CancellationToken, given_up_by: Option<String>) -> Consuming {
        Consuming {
            gateway: self.gateway.clone(),
            link: link.name.clone(),
            given_up_by,
            consumer: link.mq.consume(queue, link.prefetch),
            // A bound per queue: requests that wait for a slow counterparty must not hold up the replies of others.
            permits: Arc::new(Semaphore::new(link.in_flight_max)),
            stop: stop.clone(),
            work: self.work.clone(),
        }
    }

    fn run_http_link(&self, link: HttpLink) {
        let connections_max = link.in_flight_max.saturating_mul(2);
        let app = router(self.handler(link.name, link.in_flight_max));
        self.loops
            .spawn(serve::serve(link.listener, app, connections_max, self.stop.clone()));
    }

    /// Every request runs on a task of its own, so that a requester who goes away does not take the exchange with it.
    fn handler(&self, name: String, in_flight_max: usize) -> Handler {
        let permits = Arc::new(Semaphore::new(in_flight_max));
        let (gateway, work) = (self.gateway.clone(), self.work.clone());
        Arc::new(move |wire: Wire| {
            let later = |reason: &str| HttpAnswer::Later {
                reason: reason.to_owned(),
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                let busy = std::future::ready(later("too many requests in flight"));
                return Box::pin(busy) as Pin<Box<dyn Future<Output = _> + Send>>;
            };
            let (gateway, name) = (gateway.clone(), name.clone());
            let task = work.spawn(async move {
                let _permit = permit;
                let counted = gateway.clone();
                let _in_flight = counted.counters().enter();
                gateway.from_http(name, wire).await
            });
            Box::pin(async move { task.await.unwrap_or_else(|_panicked| later("the request's task ended")) })
        })
    }

    fn run_sweeper(&self) {
        let (gateway, stop, revisitor) = (self.gateway.clone(), self.stop.clone(), self.revisitor());
        self.loops.spawn(async move {
            while sleep_unless(&stop, Duration::from_millis(limits::SWEEP_MS)).await {
                match gateway.due().await {
                    Ok(due) => revisitor.take_up(due),
                    Err(trouble) => tracing::error!(%trouble, "the journal does not say what is due"),
                }
            }
        });
    }

    fn run_leases(&self) {
        let (gateway, stop, revisitor) = (self.gateway.clone(), self.end.clone(), self.revisitor());
        self.loops.spawn(async move {
            while sleep_unless(&stop, Duration::from_millis(limits::LEASE_RENEW_MS)).await {
                if let Err(trouble) = gateway.renew_leases().await {
                    tracing::error!(%trouble, "leases not renewed");
                }
                match gateway.take_over(false).await {
                    Ok(taken) => revisitor.take_up(taken),
                    Err(trouble) => tracing::error!(%trouble, "dead owners' exchanges not taken over"),
                }
            }
        });
    }

    /// Old keys and messages go once an hour; the window is longer than any replay.
    fn run_pruning(&self) {
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        self.loops.spawn(async move {
            while sleep_unless(&stop, Duration::from_secs(limits::PRUNE_S)).await {
                if let Err(trouble) = gateway.prune().await {
                    tracing::error!(%trouble, "old exchanges not pruned");
                }
            }
        });
    }

    fn revisitor(&self) -> Revisitor {
        Revisitor {
            gateway: self.gateway.clone(),
            work: self.work.clone(),
            bounds: self.revisits.clone(),
        }
    }
}

/// Takes up exchanges that are due, within the bound of their link; what finds no place is due again at the next look.
struct Revisitor {
    gateway: Arc<Gateway>,
    work: TaskTracker,
    bounds: Revisits,
}

impl Revisitor {
    fn take_up(&self, exchanges: Vec<Exchange>) {
        for exchange in exchanges {
            let link = exchange.link_out.as_ref().unwrap_or(&exchange.link_in);
            let Some(permit) = self.bounds.get(link).and_then(|bound| bound.clone().try_acquire_owned().ok()) else {
                continue;
            };
            let gateway = self.gateway.clone();
            self.work.spawn(async move {
                let _permit = permit;
                gateway.revisit(exchange).await;
            });
        }
    }
}

/// The consumer of one queue.
struct Consuming {
    gateway: Arc<Gateway>,
    link: String,
    /// The queue that gave the messages up, if this one holds dead letters.
    given_up_by: Option<String>,
    consumer: Box<dyn Consumer>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    work: TaskTracker,
}

impl Consuming {
    /// Hands deliveries to tasks while there are permits; at the bound it takes no more, and prefetch stops the broker.
    async fn run(mut self) {
        loop {
            let permit = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                permit = self.permits.clone().acquire_owned() => permit,
            };
            let Ok(permit) = permit else { return };
            let delivery = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                delivery = self.consumer.next() => delivery,
            };
            let Some(delivery) = delivery else { return };
            let (gateway, link, given_up_by) = (self.gateway.clone(), self.link.clone(), self.given_up_by.clone());
            self.work.spawn(async move {
                let _permit = permit;
                let _in_flight = gateway.counters().enter();
                match given_up_by {
                    None => gateway.from_queue(&link, delivery).await,
                    Some(queue) => gateway.from_dead_letters(&link, &queue, delivery).await,
                }
            });
        }
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

/// How long loops may take to end once they are told to.
const LOOPS_END: Duration = Duration::from_secs(5);
