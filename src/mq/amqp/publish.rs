//! The publish link: one task sends, the order of sending is the order of delivery tags.

use super::config::Address;
use super::confirms::{Confirms, Waiter};
use super::generation::{ANSWER_TIMEOUT, Generation, Said, UNASKED};
use super::link::{Broker, Ending, Session};
use super::wire::MethodId;
use crate::mq::Publication;
use async_trait::async_trait;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

/// Confirms older than this mean that the broker is blocked or gone silent.
const STALL_AGE: Duration = Duration::from_secs(2);
/// A stall outlives its generation this long, unless a confirm ends it: work comes back when the broker does.
const STALL_TAIL: Duration = Duration::from_secs(5);
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

const CONFIRM_SELECT: MethodId = (85, 10);
const CONFIRM_SELECT_OK: MethodId = (85, 11);

/// A publication on its way to the sending task.
pub(super) struct Outgoing {
    pub(super) publication: Publication,
    pub(super) waiter: Waiter,
}

/// Where publishers put their messages while a generation is usable.
pub(super) type Outlet = watch::Sender<Option<mpsc::Sender<Outgoing>>>;

pub(super) struct PublishSession {
    broker: Arc<Broker>,
    outlet: Arc<Outlet>,
    up: Arc<AtomicBool>,
    /// Waiters of the living generation.
    confirms: Mutex<Option<Arc<Confirms>>>,
}

impl PublishSession {
    pub(super) fn new(broker: Arc<Broker>, outlet: Arc<Outlet>) -> Self {
        let up = broker.health.enlist();
        Self {
            broker,
            outlet,
            up,
            confirms: Mutex::default(),
        }
    }

    pub(super) fn unconfirmed(&self) -> usize {
        self.current().as_ref().map_or(0, |confirms| confirms.len())
    }

    /// Why the broker takes nothing at this time, if it said so.
    pub(super) fn blocked(&self) -> Option<String> {
        self.current().as_ref().and_then(|confirms| confirms.blocked())
    }

    async fn work(&self, address: &Address) -> Result<(), String> {
        let confirms = Arc::new(Confirms::default());
        let mut generation = Generation::open(&self.broker.config, address, self.name(), Some(Arc::clone(&confirms))).await?;
        let selecting = generation.ask(CONFIRM_SELECT, &[&[0]], CONFIRM_SELECT_OK);
        let selected = timeout(ANSWER_TIMEOUT, selecting).await;
        selected.map_err(|_| "no answer".to_owned())??;
        generation.watch(0);
        *self.current() = Some(Arc::clone(&confirms));
        // Publishers hold at most `unconfirmed_max` rooms, so this line is never full.
        let (outlet, outgoing) = mpsc::channel(self.broker.config.unconfirmed_max as usize);
        self.outlet.send_replace(Some(outlet));
        self.up.store(true, Ordering::Release);
        tracing::info!(link = self.name(), host = address.host, port = address.port, "broker link up");
        self.serve(&mut generation, outgoing, &confirms).await?;
        generation.close().await;
        Ok(())
    }

    async fn serve(
        &self,
        generation: &mut Generation,
        mut outgoing: mpsc::Receiver<Outgoing>,
        confirms: &Confirms,
    ) -> Result<(), String> {
        let mut closed = pin!(self.broker.closed.cancelled());
        loop {
            tokio::select! {
                biased;
                said = generation.next() => match said? {
                    Said::Room => {}
                    Said::Delivery(_) | Said::Answer(_) => return Err(UNASKED.to_owned()),
                },
                () = &mut closed => return Ok(()),
                next = outgoing.recv(), if generation.outbound.has_room() => {
                    let Some(next) = next else { return Ok(()) };
                    send(generation, next, confirms)?;
                    // Whoever else is about to publish does so first: all of it goes out in one write.
                    yield_now().await;
                    while generation.outbound.has_room() && let Ok(next) = outgoing.try_recv() {
                        send(generation, next, confirms)?;
                    }
                }
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Confirms>>> {
        self.confirms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or clears `stalled`; the answer is the reason to kill the generation, if there is one.
    fn judge(&self, watched: Duration) -> Option<String> {
        let confirms = self.current().clone()?;
        let age = confirms.oldest_age();
        let stalled = &self.broker.health.stalled;
        if confirms.blocked().is_some() {
            // The broker lives and says that it takes nothing; another connection would be blocked alike.
            stalled.store(true, Ordering::Release);
            return None;
        }
        if age > STALL_AGE {
            stalled.store(true, Ordering::Release);
        } else if confirms.heard() || watched > STALL_TAIL {
            stalled.store(false, Ordering::Release);
        }
        let overdue = age > Duration::from_millis(self.broker.config.confirm_timeout_ms);
        overdue.then(|| format!("a confirm is overdue by {} ms", age.as_millis()))
    }
}

#[async_trait]
impl Session for PublishSession {
    fn name(&self) -> &'static str {
        "hangu publish"
    }

    fn up(&self) -> &Arc<AtomicBool> {
        &self.up
    }

    async fn run(self: Arc<Self>, address: Address) -> Ending {
        match self.work(&address).await {
            Ok(()) => Ending::Stopped,
            Err(reason) => Ending::Lost(reason),
        }
    }

    async fn watchdog(&self) -> String {
        let born = Instant::now();
        loop {
            sleep(WATCH_INTERVAL).await;
            if let Some(reason) = self.judge(born.elapsed()) {
                return reason;
            }
        }
    }

    fn ended(&self) {
        self.outlet.send_replace(None);
        if let Some(confirms) = self.current().take() {
            confirms.abandon();
        }
    }

    async fn unwanted(&self) {
        self.broker.closed.cancelled().await;
    }
}

/// Says one publication, under the next tag.
fn send(generation: &mut Generation, outgoing: Outgoing, confirms: &Confirms) -> Result<(), String> {
    let Outgoing { publication, waiter } = outgoing;
    let tag = confirms.enter(waiter, &publication.queue, &publication.message_id);
    tag.ok_or("the generation is over")?;
    generation.outbound.publish(&publication);
    Ok(())
}
