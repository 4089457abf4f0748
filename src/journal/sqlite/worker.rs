//! The loop of a journal thread: take one job, gather what else waits, commit, then answer.
//!
//! A commit costs the same for one write as for twenty, so under load the writer pauses a moment before it looks for the next
//! ones, and a write that nobody waits for (`is_patient`) waits for another that somebody does.

use super::{Options, Store};
use crate::journal::{Found, JournalError, Millis, Read, State, Write, Written};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::sleep;
use std::time::Duration;
use tokio::sync::oneshot::Sender;

/// What is asked of a journal thread, with where the answer goes. Whoever asked may have gone; then nobody is told.
pub(super) enum Job {
    Write(Write, Sender<Done>),
    Read(Read, Sender<Result<Found, JournalError>>),
    /// Answered when the connection is given up; the next read opens the file anew.
    Release(SyncSender<()>),
    /// Answered when the file is closed.
    Close(Sender<()>),
}

/// What became of a write. The write goes back with it: memory that another thread frees is freed under a lock, on which that
/// thread and the one that made it wait for each other.
pub(super) struct Done {
    pub(super) result: Result<Written, JournalError>,
    _write: Option<Write>,
}

/// What stopped the draining: it is done after the writes that came before it.
enum Next {
    Nothing,
    Read(Read, Sender<Result<Found, JournalError>>),
    Release(SyncSender<()>),
    Close(Sender<()>),
}

impl Done {
    fn of(result: Result<Written, JournalError>, write: Option<Write>) -> Self {
        Self { result, _write: write }
    }
}

/// Asks a reader to give its connection up, and waits for that.
pub(super) fn release(reader: &SyncSender<Job>, patience: Duration) {
    let (answer, answered) = sync_channel(1);
    if reader.try_send(Job::Release(answer)).is_ok() {
        answered.recv_timeout(patience).ok();
    }
}

/// Works until it is told to close or nobody can ask any more.
pub(super) fn run(mut store: Store, jobs: Receiver<Job>, options: &Options) {
    let idle = Duration::from_millis(options.idle_ms);
    let mut turns = Turns {
        prunes: Vec::new(),
        prune_max: options.prune_max,
    };
    loop {
        let wait = if turns.prunes.is_empty() { idle } else { Duration::ZERO };
        let next = match jobs.recv_timeout(wait) {
            Ok(job) => work(&mut store, &mut turns, job, &jobs, options),
            Err(RecvTimeoutError::Timeout) => {
                if turns.prunes.is_empty() {
                    store.when_idle();
                }
                Next::Nothing
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match next {
            Next::Nothing => turns.prune(&mut store),
            Next::Read(read, answer) => tell(answer, answer_read(&mut store, &read)),
            Next::Release(answer) => {
                store.look_again();
                answer.try_send(()).ok();
            }
            Next::Close(answer) => {
                turns.refuse();
                let others = refuse_rest(&jobs);
                drop(store);
                // Whoever is told that it is closed finds no channel any more, so that a later job is certainly refused.
                drop(jobs);
                others.into_iter().chain([answer]).for_each(|answer| tell(answer, ()));
                return;
            }
        }
    }
}

/// Prunes under way. They go in small turns between batches, so that payments do not wait for a clean-up.
struct Turns {
    prunes: Vec<Prune>,
    prune_max: u32,
}

struct Prune {
    before: Millis,
    done: u64,
    answer: Sender<Done>,
}

impl Turns {
    /// Takes one turn of the prune that was asked for last; an empty turn ends it.
    fn prune(&mut self, store: &mut Store) {
        let Some(mut prune) = self.prunes.pop() else { return };
        match store.prune_some(prune.before, self.prune_max) {
            Ok(0) => tell(prune.answer, Done::of(Ok(Written::Pruned(prune.done)), None)),
            Ok(deleted) => {
                store.after_commit();
                prune.done = prune.done.saturating_add(deleted);
                self.prunes.push(prune);
            }
            Err(error) => tell(prune.answer, Done::of(Err(error), None)),
        }
    }

    fn refuse(&mut self) {
        self.prunes
            .drain(..)
            .for_each(|prune| tell(prune.answer, Done::of(Err(closed()), None)));
    }
}

/// Does one batch: the given job and what waits behind it.
fn work(store: &mut Store, turns: &mut Turns, first: Job, jobs: &Receiver<Job>, options: &Options) -> Next {
    let mut batch = Batch::default();
    let mut job = Some(first);
    let next = loop {
        match job {
            Some(Job::Write(Write::Prune { before }, answer)) => turns.prunes.push(Prune { before, done: 0, answer }),
            Some(Job::Write(write, answer)) => batch.push(write, answer),
            Some(Job::Read(read, answer)) => break Next::Read(read, answer),
            Some(Job::Release(answer)) => break Next::Release(answer),
            Some(Job::Close(answer)) => break Next::Close(answer),
            None => break Next::Nothing,
        }
        if batch.writes.len() >= options.batch_max {
            break Next::Nothing;
        }
        job = batch.company(jobs, options);
    };
    let is_loaded = batch.writes.len() > 1;
    commit(store, batch);
    if is_loaded && matches!(next, Next::Nothing) {
        sleep(Duration::from_micros(options.gather_us));
    }
    next
}

/// Writes that share a commit, with where their answers go.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    answers: Vec<Sender<Done>>,
    /// Somebody waits for one of them.
    is_urgent: bool,
}

impl Batch {
    fn push(&mut self, write: Write, answer: Sender<Done>) {
        self.is_urgent |= !is_patient(&write);
        self.writes.push(write);
        self.answers.push(answer);
    }

    /// What waits already, or comes soon where nobody waits for what there is.
    fn company(&self, jobs: &Receiver<Job>, options: &Options) -> Option<Job> {
        if self.is_urgent || self.writes.is_empty() {
            return jobs.try_recv().ok();
        }
        // Each that joins waits a shorter time, so that the first does not wait for ever.
        let patience = Duration::from_millis(options.patience_ms / self.writes.len() as u64);
        jobs.recv_timeout(patience).ok()
    }
}

/// A reply that was confirmed is with its receiver: that it is noted a moment later keeps nobody waiting.
fn is_patient(write: &Write) -> bool {
    matches!(write, Write::Move(step) if step.to == State::Delivered)
}

fn commit(store: &mut Store, batch: Batch) {
    let Batch { writes, answers, .. } = batch;
    if writes.is_empty() {
        return;
    }
    let results = match store.apply_batch(&writes) {
        Ok(results) => results,
        Err(error) => vec![Err(error); writes.len()],
    };
    for ((write, answer), result) in writes.into_iter().zip(answers).zip(results) {
        tell(answer, Done::of(result, Some(write)));
    }
    store.after_commit();
}

fn answer_read(store: &mut Store, read: &Read) -> Result<Found, JournalError> {
    store.connected()?;
    store.query(read).inspect_err(|_| store.look_again())
}

/// What waits behind a close never began; gives who else wants it closed.
fn refuse_rest(jobs: &Receiver<Job>) -> Vec<Sender<()>> {
    let mut closing = Vec::new();
    while let Ok(job) = jobs.try_recv() {
        match job {
            Job::Write(write, answer) => tell(answer, Done::of(Err(closed()), Some(write))),
            Job::Read(_, answer) => tell(answer, Err(closed())),
            Job::Release(answer) => drop(answer),
            Job::Close(answer) => closing.push(answer),
        }
    }
    closing
}

fn closed() -> JournalError {
    JournalError::Refused("the journal is closed".into())
}

fn tell<T>(answer: Sender<T>, what: T) {
    // The asker may have stopped waiting; what is durable stays so.
    answer.send(what).ok();
}
