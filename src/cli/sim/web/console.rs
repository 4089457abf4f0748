//! What the console holds: the bench, the plays with what was seen of them, and how many may go on at a time.

use super::super::scenario::{embedded, stage};
use crate::cli::demo::stage::Folder;
use crate::cli::output::Failure;
use serde::Serialize;
use simulators::scenario::tape::Tape;
use simulators::scenario::{Scenario, Shown, Verdict};
use stage::{Place, Stage};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) struct Console {
    folder: Arc<Folder>,
    seed: u64,
    pub(super) shipped: Vec<Scenario>,
    places: Semaphore,
    plays: Mutex<Plays>,
    /// Gone once the console closes. Orders to it take turns.
    bench: RwLock<Option<Stage>>,
    bench_tape: Arc<Tape>,
    turn: tokio::sync::Mutex<()>,
    closing: CancellationToken,
}

/// Every play by its number; the oldest that have ended are forgotten.
#[derive(Default)]
struct Plays {
    last: u64,
    by_number: BTreeMap<u64, Play>,
}

struct Play {
    name: String,
    kind: Kind,
    state: State,
    tape: Arc<Tape>,
    verdict: Option<Verdict>,
    stop: CancellationToken,
}

/// Whether it has a stage of its own, or is an order to the bench.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Scenario,
    Order,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting,
    Running,
    Passed,
    Failed,
    Stopped,
}

/// A play as the list shows it.
#[derive(Serialize)]
pub(super) struct Line {
    number: u64,
    name: String,
    kind: Kind,
    state: State,
    took_ms: u64,
    messages: usize,
}

/// Messages from a place of the tape on.
#[derive(Serialize)]
pub(super) struct Flow {
    next: usize,
    messages: Vec<Shown>,
}

impl Console {
    pub(super) async fn open(folder: Arc<Folder>, seed: u64, jobs: u16) -> Result<Self, Failure> {
        let bench_tape = Arc::new(Tape::default());
        let place = Place {
            folder: folder.path(),
            name: "bench",
            broker: None,
            between: stage::nothing,
        };
        let bench = Stage::set(place, "nps", seed, bench_tape.clone()).await?;
        Ok(Self {
            seed,
            shipped: embedded()?,
            places: Semaphore::new(usize::from(jobs)),
            plays: Mutex::default(),
            bench: RwLock::new(Some(bench)),
            bench_tape,
            turn: tokio::sync::Mutex::default(),
            closing: CancellationToken::new(),
            folder,
        })
    }

    /// Stops every play, waits for their ends, and takes the bench down.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        let deadline = Instant::now() + CLOSING;
        while self.lines().iter().any(|line| line.state == State::Running) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(bench) = self.bench.write().await.take() {
            bench.end().await;
        }
    }

    /// Begins to play, and gives the play's number.
    pub(super) fn play(self: &Arc<Self>, scenario: Scenario, kind: Kind) -> u64 {
        let (number, tape, stop) = self.enter(&scenario, kind);
        let console = self.clone();
        tokio::spawn(async move {
            let verdict = match kind {
                Kind::Scenario => console.on_its_own(number, &scenario, tape, &stop).await,
                Kind::Order => console.on_the_bench(number, &scenario, &stop).await,
            };
            console.ended(number, verdict, stop.is_cancelled());
        });
        number
    }

    pub(super) fn stop(&self, number: u64) -> bool {
        let plays = self.plays();
        let play = plays.by_number.get(&number);
        play.inspect(|play| play.stop.cancel()).is_some()
    }

    /// The newest first.
    pub(super) fn lines(&self) -> Vec<Line> {
        let plays = self.plays();
        let line = |(number, play): (&u64, &Play)| Line {
            number: *number,
            name: play.name.clone(),
            kind: play.kind,
            state: play.state,
            took_ms: play.verdict.as_ref().map_or(0, |verdict| verdict.took_ms),
            messages: play.tape.length(),
        };
        plays.by_number.iter().rev().map(line).collect()
    }

    pub(super) fn verdict(&self, number: u64) -> Option<Verdict> {
        self.plays().by_number.get(&number)?.verdict.clone()
    }

    /// What a play, or the bench (number 0), has seen since; waits a while for the first of it.
    pub(super) async fn flow(&self, number: u64, since: usize) -> Option<Flow> {
        let tape = match number {
            0 => self.bench_tape.clone(),
            _ => self.plays().by_number.get(&number)?.tape.clone(),
        };
        tokio::select! {
            () = tape.more_than(since, Instant::now() + FLOW_WAIT) => {}
            () = self.closing.cancelled() => {}
        }
        let events = tape.events();
        let new = events.get(since..).unwrap_or_default();
        Some(Flow {
            next: since + new.len().min(FLOW_MAX),
            messages: new.iter().take(FLOW_MAX).map(Shown::of).collect(),
        })
    }

    /// Looks into the bench, as long as it stands.
    pub(super) async fn bench<T>(&self, look: impl AsyncFnOnce(&Stage) -> T) -> Option<T> {
        let bench = self.bench.read().await;
        match bench.as_ref() {
            Some(stage) => Some(look(stage).await),
            None => None,
        }
    }

    async fn on_its_own(&self, number: u64, scenario: &Scenario, tape: Arc<Tape>, stop: &CancellationToken) -> Verdict {
        tokio::select! {
                   place = self.places.acquire() => {
                       // The places are never closed.
                       let _place = place.ok();
                       self.note(number, State::Running);
                       let name = PathBuf::from(number.to_string());
                       let place = Place { folder: self.folder.path(), name: &name.to_string_lossy(),
                           broker: None,
        between: stage::nothing, };
                       stage::play(place, scenario, self.seed, tape, stop).await
                   }
                   () = stop.cancelled() => Verdict::new(scenario, self.seed).unset("stopped"),
               }
    }

    /// Orders have seeds of their own, so that no two make the same message.
    async fn on_the_bench(&self, number: u64, scenario: &Scenario, stop: &CancellationToken) -> Verdict {
        let seed = self.seed.wrapping_mul(ORDERS).wrapping_add(number);
        let unset = |why: &str| Verdict::new(scenario, seed).unset(why);
        let _turn = tokio::select! {
            turn = self.turn.lock() => turn,
            () = stop.cancelled() => return unset("stopped"),
        };
        self.note(number, State::Running);
        let (began, before) = (Instant::now(), self.bench_tape.length());
        let done = self.bench(async |stage: &Stage| {
            tokio::select! {
                verdict = stage.conduct(scenario, seed) => verdict,
                () = stop.cancelled() => unset("stopped"),
            }
        });
        let mut verdict = done.await.unwrap_or_else(|| unset("the console is closing"));
        verdict.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        verdict.timeline.drain(..before.min(verdict.timeline.len()));
        verdict
    }

    fn enter(&self, scenario: &Scenario, kind: Kind) -> (u64, Arc<Tape>, CancellationToken) {
        let tape = match kind {
            Kind::Scenario => Arc::default(),
            Kind::Order => self.bench_tape.clone(),
        };
        let stop = self.closing.child_token();
        let mut plays = self.plays();
        plays.last += 1;
        let number = plays.last;
        let play = Play {
            name: scenario.name.clone(),
            kind,
            state: State::Waiting,
            tape: tape.clone(),
            verdict: None,
            stop: stop.clone(),
        };
        plays.by_number.insert(number, play);
        plays.forget_the_oldest();
        (number, tape, stop)
    }

    fn note(&self, number: u64, state: State) {
        if let Some(play) = self.plays().by_number.get_mut(&number) {
            play.state = state;
        }
    }

    fn ended(&self, number: u64, verdict: Verdict, is_stopped: bool) {
        let mut plays = self.plays();
        let Some(play) = plays.by_number.get_mut(&number) else {
            return;
        };
        play.state = match (is_stopped, verdict.passed) {
            (_, true) => State::Passed,
            (true, false) => State::Stopped,
            (false, false) => State::Failed,
        };
        play.verdict = Some(verdict);
    }

    fn plays(&self) -> MutexGuard<'_, Plays> {
        self.plays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plays {
    fn forget_the_oldest(&mut self) {
        while self.by_number.len() > PLAYS_MAX {
            let oldest = self.by_number.iter().find(|(_, play)| play.verdict.is_some());
            let Some(number) = oldest.map(|(number, _)| *number) else {
                return;
            };
            self.by_number.remove(&number);
        }
    }
}

const PLAYS_MAX: usize = 1_000;
const FLOW_WAIT: Duration = Duration::from_secs(5);
const FLOW_MAX: usize = 500;
const CLOSING: Duration = Duration::from_secs(5);
/// More than the orders of one console.
const ORDERS: u64 = 1_000_000;
