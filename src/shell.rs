//! The thin shell: the only place that spawns tasks, reads the clock and owns the order of start and stop.

mod consume;
mod devices;
mod distribute;
mod frames;
mod process;
mod release;
mod reload;
mod renew;
mod revisit;
mod rewrap;
mod serve;
mod shake;

use crate::clock::{Clock, Entropy};
use crate::exchange::{Gateway, HttpAnswer, Phase, Taken, Trouble};
use crate::limits;
use crate::link::door::{Bounds, Door};
use crate::link::http::{Handler, router_within};
use crate::link::tcp::Manner;
use crate::mq::{SharedMq, dead_letter_queue};
use axum::Router;
use codecs::wire::Wire;
use consume::{Consuming, hear_hand_offs};
use keys::store::Source;
use revisit::Revisitor;
use serve::Served;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
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
    /// Where this instance hears of replies that another one received.
    pub hand_off_queue: Option<String>,
    pub prefetch: u16,
    pub in_flight_max: usize,
}

/// One link that is called over connections, as the shell runs it.
pub struct HttpLink {
    pub name: String,
    /// Frames over TCP instead of HTTP.
    pub frames: Option<Manner>,
    pub listener: TcpListener,
    pub in_flight_max: usize,
    pub bounds: Bounds,
    /// Its certificates and counts.
    pub door: Arc<Door>,
}

/// A running gateway.
pub struct Running {
    gateway: Arc<Gateway>,
    /// Ends what brings new work: request queues, the sweeper, taking over.
    stop: CancellationToken,
    /// Ends what work in flight still needs, and what refuses new work: reply queues, leases, listeners.
    end: CancellationToken,
    /// Exchanges in flight.
    work: TaskTracker,
    /// Loops that run until they are told to stop.
    loops: TaskTracker,
    revisitor: Revisitor,
    mqs: Vec<SharedMq>,
    /// An operator wants the certificates read again.
    renewal_asked: Arc<Notify>,
}

impl Running {
    /// Claims the instance's name, gives free what an earlier life left, then starts to take messages.
    pub async fn start(gateway: Arc<Gateway>, queues: Vec<QueueLink>, https: Vec<HttpLink>) -> Result<Self, Trouble> {
        gateway.check_journal_key().await?;
        process::claim_name(&gateway).await?;
        gateway.begin_telling().await?;
        gateway.journal_id().await?;
        gateway.load_system().await?;
        gateway.release_leases().await?;
        let work = TaskTracker::new();
        let running = Self {
            revisitor: Revisitor::new(gateway.clone(), work.clone()),
            gateway,
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            work,
            loops: TaskTracker::new(),
            mqs: queues.iter().map(|link| link.mq.clone()).collect(),
            renewal_asked: Arc::new(Notify::new()),
        };
        running.run_leases();
        running.take_over_first().await?;
        if queues.iter().any(|link| link.hand_off_queue.is_some()) {
            let gateway = running.gateway.clone();
            running.until_end(async move { gateway.send_hand_offs().await });
        }
        for link in queues {
            running.run_queue_link(&link);
        }
        running.run_renewal(&https);
        for link in https {
            running.run_http_link(link);
        }
        running.run_turns();
        running.run_sweeper();
        running.run_take_over();
        running.run_pruning();
        running.run_rewrap();
        running.run_devices();
        running.until_end(distribute::distribute(running.gateway.clone()));
        let (gateway, work, stop) = (running.gateway.clone(), running.work.clone(), running.stop.clone());
        running.loops.spawn(release::release_parked(gateway, work, stop));
        running.gateway.enter(Phase::Running);
        Ok(running)
    }

    /// Takes up every change of where the keyring comes from, within a second; at once when it is told to look.
    pub fn follow_keys(&self, source: Arc<dyn Source>) -> Arc<Notify> {
        let look = Arc::new(Notify::new());
        self.until_end(reload::follow(self.gateway.clone(), source, look.clone()));
        look
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Told, certificates are read again at once; whatever changed is seen within a second anyway.
    pub fn renewal(&self) -> Arc<Notify> {
        self.renewal_asked.clone()
    }

    /// Stops taking, lets what is in flight finish within the grace period; the rest stays in the journal, free for any other
    /// instance. Replies are taken to the end, because what is in flight waits for them. True when everything finished.
    pub async fn stop(self, grace: Duration) -> bool {
        self.gateway.enter(Phase::Stopping);
        self.stop.cancel();
        self.work.close();
        let finished = tokio::time::timeout(grace, self.work.wait()).await.is_ok();
        self.end.cancel();
        self.loops.close();
        let ended = tokio::time::timeout(LOOPS_END, self.loops.wait()).await.is_ok();
        match tokio::time::timeout(LOOPS_END, self.gateway.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => tracing::warn!(%trouble, "leases not given up; they end by themselves"),
            Err(_elapsed) => tracing::warn!("leases not given up in time; they end by themselves"),
        }
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
        if let Some(queue) = &link.hand_off_queue {
            let consumer = link.mq.consume(queue, limits::HAND_OFF_PREFETCH);
            self.until_end(hear_hand_offs(self.gateway.clone(), consumer));
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

    fn run_renewal(&self, https: &[HttpLink]) {
        let doors = https.iter().map(|link| (link.name.clone(), link.door.clone())).collect();
        let asked = self.renewal_asked.clone();
        self.loops.spawn(renew::renew(doors, asked, self.end.clone()));
    }

    fn run_http_link(&self, link: HttpLink) {
        let handler = self.handler(link.name.clone(), link.in_flight_max);
        if let Some(manner) = link.frames {
            let connections_max = link.bounds.connections_max;
            let served = frames::serve(link.listener, manner, handler, connections_max, self.end.clone());
            self.loops.spawn(served);
            return;
        }
        let answering = router_within(handler, link.bounds.body_max);
        let served = Served {
            name: link.name,
            app: serve::closing(answering, self.gateway.clone()),
            bounds: link.bounds,
            door: link.door,
        };
        self.loops.spawn(serve::serve(link.listener, served, self.end.clone()));
    }

    /// Every request runs on a task of its own, so that a requester who goes away does not take the exchange with it.
    fn handler(&self, name: String, in_flight_max: usize) -> Handler {
        let permits = Arc::new(Semaphore::new(in_flight_max));
        let (gateway, work) = (self.gateway.clone(), self.work.clone());
        Arc::new(move |wire: Wire| {
            let later = |reason: &str| HttpAnswer::Later {
                reason: reason.to_owned(),
            };
            let refused = |reason: &str| Box::pin(std::future::ready(later(reason))) as Pin<Box<dyn Future<Output = _> + Send>>;
            if gateway.phase() >= Phase::Stopping {
                return refused("this instance is stopping");
            }
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                gateway.counters().shed();
                return refused("too many requests in flight");
            };
            let (gateway, name) = (gateway.clone(), name.clone());
            let task = work.spawn(Box::pin(async move {
                let _permit = permit;
                let counted = gateway.clone();
                let _in_flight = counted.counters().enter();
                gateway.from_http(name, wire).await
            }));
            Box::pin(async move { task.await.unwrap_or_else(|_panicked| later("the request's task ended")) })
        })
    }

    /// Calls up who waits in line for a place, link by link.
    fn run_turns(&self) {
        for link in self.gateway.config().link.keys() {
            let link = link.clone();
            let (gateway, stop, work) = (self.gateway.clone(), self.stop.clone(), self.work.clone());
            self.loops.spawn(async move {
                loop {
                    let (id, place) = tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        turn = gateway.next_turn(&link) => turn,
                    };
                    let gateway = gateway.clone();
                    work.spawn(async move {
                        let _in_flight = gateway.counters().enter();
                        gateway.take_turn(id, place).await;
                    });
                }
            });
        }
    }

    fn run_sweeper(&self) {
        let (gateway, stop, revisitor) = (self.gateway.clone(), self.stop.clone(), self.revisitor.clone());
        self.loops.spawn(async move {
            while sleep_unless(&stop, Duration::from_millis(limits::SWEEP_MS)).await {
                match gateway.due().await {
                    Ok(due) => revisitor.take_up_due(due).await,
                    Err(trouble) => tracing::error!(%trouble, "the journal does not say what is due"),
                }
            }
        });
    }

    fn run_leases(&self) {
        let (gateway, end) = (self.gateway.clone(), self.end.clone());
        self.loops.spawn(async move {
            while sleep_unless(&end, Duration::from_millis(limits::LEASE_RENEW_MS)).await {
                if let Err(trouble) = gateway.renew_leases().await {
                    tracing::error!(%trouble, "leases not renewed");
                }
            }
        });
    }

    /// What an earlier life left is ours, under a new epoch, before anybody can ask for it.
    async fn take_over_first(&self) -> Result<(), Trouble> {
        loop {
            let taken = self.gateway.take_over().await?;
            tracing::info!(to_revisit = taken.for_now.len(), "exchanges of an earlier life taken over");
            self.revisitor.take_up_taken(taken.for_now).await;
            if !taken.is_full {
                return Ok(());
            }
        }
    }

    /// What nobody holds any more is taken over.
    fn run_take_over(&self) {
        let (gateway, stop, revisitor) = (self.gateway.clone(), self.stop.clone(), self.revisitor.clone());
        self.loops.spawn(async move {
            let mut pause = Duration::from_millis(limits::TAKE_OVER_MS);
            while sleep_unless(&stop, pause).await {
                pause = Duration::from_millis(limits::TAKE_OVER_MS);
                match take_over_others(&gateway).await {
                    Ok(taken) => {
                        // The next page follows at once.
                        pause = if taken.is_full { Duration::ZERO } else { pause };
                        if !taken.for_now.is_empty() {
                            tracing::info!(to_revisit = taken.for_now.len(), "exchanges taken over");
                        }
                        revisitor.take_up_taken(taken.for_now).await;
                    }
                    Err(trouble) => tracing::error!(%trouble, "what nobody holds was not taken over"),
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

    fn run_rewrap(&self) {
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        let per_s = gateway.config().journal.rewrap_per_s;
        self.loops.spawn(rewrap::rewrap(gateway, per_s, stop));
    }

    fn run_devices(&self) {
        for device in self.gateway.config().keys.devices().iter() {
            self.loops.spawn(devices::watch(device.clone(), self.end.clone()));
        }
    }

    fn until_end(&self, work: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.loops.spawn(async move {
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// Serves the admin port, with the same bounds on connections and heads as a link.
pub async fn serve_bounded(listener: TcpListener, app: Router) {
    let served = Served {
        name: "admin".to_owned(),
        app,
        bounds: Bounds::of(limits::ADMIN_CONNECTIONS_MAX),
        door: Arc::new(Door::default()),
    };
    serve::serve(listener, served, CancellationToken::new()).await;
}

/// Our own leases first: after the journal was away all have ended, and what we have in hand must not change its epoch.
async fn take_over_others(gateway: &Gateway) -> Result<Taken, Trouble> {
    gateway.renew_leases().await?;
    gateway.take_over().await
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
