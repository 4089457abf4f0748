//! What waits for the lanes, and which lanes wait for it.
//!
//! The idle lane with the lowest number is woken, and while one works a further one only for much work or long waits: a batch of
//! many costs the database little more than one of few, so that what comes meanwhile shares the next commit. What nobody waits
//! for waits a moment for company.

use crate::journal::{JournalError, State as ExchangeState, Write, Written};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A write, with where the answer goes. Whoever asked may have gone; then nobody is told.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) since: Instant,
    /// What earlier turns of a prune deleted.
    pub(super) pruned: u64,
    answer: Sender<Result<Written, JournalError>>,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// One for each lane.
    calls: Vec<Notify>,
    waiting_max: usize,
    lanes: watch::Sender<Lanes>,
}

struct State {
    jobs: VecDeque<Job>,
    idle: BTreeSet<usize>,
    /// A lane waits for company, and takes what joins by itself.
    is_lingering: bool,
    closed: bool,
}

/// Lanes that are still at work, and what ends with the last of them.
struct Lanes {
    alive: usize,
    then: Option<CancellationToken>,
}

/// What a lane is to do next.
pub(super) enum Next {
    Batch(Vec<Job>),
    Wait,
    /// Wait for company, but not long: nobody waits for what there is.
    Linger,
    End,
}

impl Job {
    pub(super) fn tell(self, what: Result<Written, JournalError>) {
        // The asker may have stopped waiting; what is durable stays so.
        self.answer.send(what).ok();
    }
}

impl Queue {
    pub(super) fn new(lanes: usize, waiting_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                idle: BTreeSet::new(),
                is_lingering: false,
                closed: false,
            }),
            calls: (0..lanes).map(|_| Notify::new()).collect(),
            waiting_max,
            lanes: watch::Sender::new(Lanes {
                alive: lanes,
                then: None,
            }),
        }
    }

    pub(super) fn push(&self, write: Write) -> Result<Receiver<Result<Written, JournalError>>, JournalError> {
        let (answer, answered) = channel();
        let mut state = self.locked();
        if state.closed {
            return Err(closed());
        }
        if state.jobs.len() >= self.waiting_max {
            return Err(JournalError::Refused("too much is waiting for the journal".into()));
        }
        let joins = state.is_lingering && is_patient(&write);
        state.jobs.push_back(Job {
            write,
            since: Instant::now(),
            pruned: 0,
            answer,
        });
        if !joins {
            self.call_if_idle(&mut state);
        }
        Ok(answered)
    }

    /// Puts a prune that is not done behind what waits. One that the end overtakes is told so.
    pub(super) fn push_back(&self, job: Job) {
        let mut state = self.locked();
        if state.closed {
            drop(state);
            return job.tell(Err(closed()));
        }
        state.jobs.push_back(job);
        self.call_if_idle(&mut state);
    }

    /// What the lane does next. A lane that is told to wait counts as idle from here on.
    pub(super) fn next(&self, lane: usize, batch_max: usize) -> Next {
        let mut state = self.locked();
        let is_patient = state.jobs.len() < ENOUGH && state.jobs.iter().all(|job| is_patient(&job.write));
        if is_patient && !state.jobs.is_empty() && !state.closed {
            state.idle.insert(lane);
            state.is_lingering = true;
            return Next::Linger;
        }
        drop(state);
        self.take(lane, batch_max)
    }

    /// The same after it has waited for company.
    pub(super) fn take(&self, lane: usize, batch_max: usize) -> Next {
        let mut state = self.locked();
        state.is_lingering = false;
        let batch = drain(&mut state.jobs, batch_max);
        if !batch.is_empty() {
            state.idle.remove(&lane);
            if !state.jobs.is_empty() {
                self.call_one(&mut state);
            }
            return Next::Batch(batch);
        }
        if state.closed {
            return Next::End;
        }
        state.idle.insert(lane);
        Next::Wait
    }

    pub(super) async fn called(&self, lane: usize) {
        if let Some(call) = self.calls.get(lane) {
            call.notified().await;
        }
    }

    /// Has a further lane take what waits: the one that would is long at work.
    pub(super) fn call_further(&self) {
        let mut state = self.locked();
        if !state.jobs.is_empty() {
            self.call_one(&mut state);
        }
    }

    /// Later writes are refused; the lanes finish what waits and end.
    pub(super) fn close(&self) {
        self.locked().closed = true;
        self.calls.iter().for_each(Notify::notify_one);
    }

    pub(super) fn lane_ended(&self) {
        self.lanes.send_modify(|lanes| {
            lanes.alive = lanes.alive.saturating_sub(1);
            lanes.stop_if_over();
        });
    }

    /// Waits for every lane.
    pub(super) async fn ended(&self) {
        self.lanes.subscribe().wait_for(|lanes| lanes.alive == 0).await.ok();
    }

    /// Cancels the token once every lane has ended.
    pub(super) fn stop_when_ended(&self, stop: CancellationToken) {
        self.lanes.send_modify(|lanes| {
            lanes.then = Some(stop);
            lanes.stop_if_over();
        });
    }

    /// A lane at work takes what comes meanwhile, unless that is much.
    fn call_if_idle(&self, state: &mut State) {
        if state.idle.len() == self.calls.len() || state.jobs.len() >= ENOUGH {
            self.call_one(state);
        }
    }

    fn call_one(&self, state: &mut State) {
        if let Some(call) = state.idle.pop_first().and_then(|lane| self.calls.get(lane)) {
            call.notify_one();
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn stop_if_over(&self) {
        if let Some(stop) = self.then.as_ref().filter(|_| self.alive == 0) {
            stop.cancel();
        }
    }
}

pub(super) fn closed() -> JournalError {
    JournalError::Refused("the journal is closed".into())
}

/// Whether a write gets a transaction of its own. Those that lock many exchanges do, so that whoever else locks exchanges can
/// do it in the order of their ids, and nobody waits in a circle.
fn is_alone(write: &Write) -> bool {
    matches!(
        write,
        Write::Renew { .. } | Write::Release { .. } | Write::TakeOver { .. } | Write::Rewrap(_) | Write::Prune { .. }
    )
}

/// A reply that was confirmed is with its receiver: that it is noted a moment later keeps nobody waiting.
fn is_patient(write: &Write) -> bool {
    matches!(write, Write::Move(step) if step.to == ExchangeState::Delivered)
}

fn drain(jobs: &mut VecDeque<Job>, batch_max: usize) -> Vec<Job> {
    let alone = jobs.front().is_some_and(|job| is_alone(&job.write));
    let number = if alone {
        1
    } else {
        jobs.iter()
            .take(batch_max.max(1))
            .take_while(|job| !is_alone(&job.write))
            .count()
    };
    jobs.drain(..number).collect()
}

/// Writes for which a further lane is woken though another is at work.
const ENOUGH: usize = 32;
