//! A device as the gateway uses it: a bounded number of sessions, each on a thread of its own, and a bounded line before them.
//!
//! A driver may hang for ever inside a call, and nothing can end that call. So nobody but these threads makes one; whoever asks
//! waits for a limited time, and a thread that hangs is replaced by another, a limited number of times. One that comes back
//! ends by itself.

use super::{DeviceFault, Limits, Open, Provider};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// One device by its name in the configuration. Opened by its first call; closed, its threads ended, when it is dropped.
pub struct Device {
    name: String,
    opener: Arc<dyn Open>,
    limits: Limits,
    /// None once it is closed.
    calls: Mutex<Option<SyncSender<Job>>>,
    waiting: Arc<Mutex<Receiver<Job>>>,
    watch: Arc<Watch>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The health, and whoever waits for a thread to end.
#[derive(Default)]
struct Watch {
    health: Mutex<Health>,
    left: Condvar,
}

/// What is known of a device.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Health {
    /// Whether the last call found it there; none before the first.
    pub is_up: Option<bool>,
    pub calls: u64,
    /// Calls that failed, by the fault's name.
    pub faults: BTreeMap<&'static str, u64>,
    pub last: Option<DeviceFault>,
    /// Threads that can take a call, and those that hang in one.
    pub able: usize,
    pub stuck: usize,
}

type Job = Box<dyn FnOnce(&mut Bench) -> Ended + Send>;

/// What became of a call as its thread sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Answered,
    /// Whoever asked had given up by then.
    TooLate,
}

impl Device {
    pub fn new(name: &str, limits: Limits, opener: impl Open + 'static) -> Self {
        let (calls, waiting) = sync_channel(WAITING_MAX);
        Self {
            name: name.to_owned(),
            opener: Arc::new(opener),
            limits,
            calls: Mutex::new(Some(calls)),
            waiting: Arc::new(Mutex::new(waiting)),
            watch: Arc::default(),
            threads: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn health(&self) -> Health {
        locked(&self.watch.health).clone()
    }

    /// Finds out whether the device is there, by something that no key is needed for.
    pub fn probe(&self) -> Result<(), DeviceFault> {
        self.call(|session| match session.random(&mut [0; PROBE_BYTES]) {
            Err(DeviceFault::Unsupported) => Ok(()),
            outcome => outcome,
        })
    }

    /// Ends its threads, and with them its sessions: a library's exit handlers must not meet a session in use. One that hangs is
    /// left behind after a while.
    pub fn close(&self) {
        drop(locked(&self.calls).take());
        let patience = self.limits.call.min(CLOSE_MAX);
        let is_busy = |health: &mut Health| health.able + health.stuck > 0;
        let health = locked(&self.watch.health);
        let waited = self.watch.left.wait_timeout_while(health, patience, is_busy);
        let has_ended = waited.is_ok_and(|(_, waited)| !waited.timed_out());
        for thread in std::mem::take(&mut *locked(&self.threads)) {
            if has_ended || thread.is_finished() {
                // A panic in a driver's binding has cost the thread, and is told by the call.
                drop(thread.join());
            }
        }
    }

    /// Does one thing in a session, and waits for it within the limit. A session that is found lost is opened anew and asked
    /// once more: nothing that a device is asked for has an effect beyond its answer.
    pub fn call<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Provider) -> Result<T, DeviceFault> + Send + 'static,
    ) -> Result<T, DeviceFault> {
        let outcome = self.asked(work);
        let mut health = locked(&self.watch.health);
        let fault = outcome.as_ref().err().copied();
        health.note(fault);
        outcome
    }

    /// Notes that what a call gave was found wrong by whoever asked.
    pub(super) fn note_wrong(&self) -> DeviceFault {
        locked(&self.watch.health).count(DeviceFault::Wrong);
        DeviceFault::Wrong
    }

    fn asked<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Provider) -> Result<T, DeviceFault> + Send + 'static,
    ) -> Result<T, DeviceFault> {
        let calls = locked(&self.calls).clone().ok_or(DeviceFault::Gone)?;
        self.fill()?;
        let (answer, answered) = sync_channel(1);
        let stage = Arc::new(AtomicU8::new(WAITS));
        let seen = stage.clone();
        let job: Job = Box::new(move |bench| {
            if seen
                .compare_exchange(WAITS, RUNS, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                return Ended::Answered;
            }
            let outcome = bench.run(&work);
            let was = seen.swap(DONE, Ordering::AcqRel);
            // Nobody listens any more if it was given up.
            drop(answer.try_send(outcome));
            if was == GIVEN_UP { Ended::TooLate } else { Ended::Answered }
        });
        match calls.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(DeviceFault::Busy),
        }
        match answered.recv_timeout(self.limits.call) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => Err(DeviceFault::Gone),
            Err(RecvTimeoutError::Timeout) => Err(self.give_up(&stage)),
        }
    }

    /// A call that no thread has begun is dropped; one that hangs costs its thread.
    fn give_up(&self, stage: &AtomicU8) -> DeviceFault {
        let mut health = locked(&self.watch.health);
        match stage.swap(GIVEN_UP, Ordering::AcqRel) {
            WAITS => DeviceFault::Busy,
            RUNS => {
                health.able = health.able.saturating_sub(1);
                health.stuck += 1;
                DeviceFault::Hung
            }
            _ => DeviceFault::Hung,
        }
    }

    /// As many threads as sessions are wanted, those that hang not counted while they are few.
    fn fill(&self) -> Result<(), DeviceFault> {
        let mut health = locked(&self.watch.health);
        let mut threads = locked(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        while health.able < self.limits.sessions && health.able + health.stuck < self.limits.sessions + STUCK_MAX {
            let opener = self.opener.clone();
            let (waiting, watch) = (self.waiting.clone(), self.watch.clone());
            let named = std::thread::Builder::new().name(format!("device {}", self.name));
            // The name is cut off by the system where it is too long.
            let thread = named.spawn(move || Bench::new(opener).serve(&waiting, watch));
            threads.push(thread.map_err(|_| DeviceFault::Busy)?);
            health.able += 1;
        }
        if health.able == 0 { Err(DeviceFault::Hung) } else { Ok(()) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.close();
    }
}

/// One thread's place: its session, if it has one.
struct Bench {
    opener: Arc<dyn Open>,
    session: Option<Box<dyn Provider>>,
}

impl Bench {
    fn new(opener: Arc<dyn Open>) -> Self {
        Self { opener, session: None }
    }

    /// Takes calls until the device is dropped, or until one hung so long that this thread was replaced.
    fn serve(self, waiting: &Mutex<Receiver<Job>>, watch: Arc<Watch>) {
        let mut leaving = Leaving { watch, was_stuck: false };
        // Dropped before that, so that its session is closed when the thread is counted off.
        let mut bench = self;
        while let Some(job) = next(waiting) {
            if job(&mut bench) == Ended::TooLate {
                leaving.was_stuck = true;
                return;
            }
        }
    }

    fn run<T>(&mut self, work: &dyn Fn(&mut dyn Provider) -> Result<T, DeviceFault>) -> Result<T, DeviceFault> {
        let was_open = self.session.is_some();
        match self.tried(work) {
            Err(DeviceFault::Gone) if was_open => self.tried(work),
            outcome => outcome,
        }
    }

    fn tried<T>(&mut self, work: &dyn Fn(&mut dyn Provider) -> Result<T, DeviceFault>) -> Result<T, DeviceFault> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.opener.open()?,
        };
        let outcome = work(&mut *session);
        if !matches!(outcome, Err(DeviceFault::Gone)) {
            self.session = Some(session);
        }
        outcome
    }
}

/// Counts a thread off when it ends, also by a panic in a driver's binding.
struct Leaving {
    watch: Arc<Watch>,
    was_stuck: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut health = locked(&self.watch.health);
        let count = if self.was_stuck { &mut health.stuck } else { &mut health.able };
        *count = count.saturating_sub(1);
        drop(health);
        self.watch.left.notify_all();
    }
}

impl Health {
    fn note(&mut self, fault: Option<DeviceFault>) {
        self.calls += 1;
        self.is_up = Some(fault.is_none_or(|fault| !fault.is_away()));
        if let Some(fault) = fault {
            self.count(fault);
        }
    }

    fn count(&mut self, fault: DeviceFault) {
        *self.faults.entry(fault.name()).or_default() += 1;
        self.last = Some(fault);
    }
}

/// The next call; none when the device is dropped. The line is held by one idle thread at a time, never while a call is made.
fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    locked(waiting).recv().ok()
}

/// Who panicked while holding it left a whole value behind.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const WAITS: u8 = 0;
const RUNS: u8 = 1;
const DONE: u8 = 2;
const GIVEN_UP: u8 = 3;

/// Calls in line before the sessions; whatever comes beyond is refused at once.
const WAITING_MAX: usize = 256;
/// Threads that may hang before no more are put in their place.
const STUCK_MAX: usize = 16;
/// How long a device is waited for when it is closed.
const CLOSE_MAX: Duration = Duration::from_secs(2);
const PROBE_BYTES: usize = 8;
