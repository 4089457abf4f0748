//! A writer lane: takes what waits, commits it, then answers. What cannot be committed together is tried on its own.

use super::Options;
use super::batch::{self, Answers, Rules};
use super::failure::Failure;
use super::keeper::{Keeper, jittered};
use super::queue::{Job, Next, Queue};
use super::work::Latest;
use crate::journal::{JournalError, Write, Written};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub(super) struct Lane {
    number: usize,
    queue: Arc<Queue>,
    keeper: Keeper,
    rules: Rules,
    batch_max: usize,
    /// How long a write waits for a connection, counted from when it was asked for.
    wait: Duration,
}

impl Lane {
    /// The lane chains outcomes under a name of its own, so that no lane waits for another's record.
    pub(super) fn new(number: usize, queue: Arc<Queue>, keeper: Keeper, options: Options) -> Self {
        let rules = Rules {
            chain: options.chain.named(format!("{}.{}", options.chain.name(), number + 1)),
            latest: Latest::default(),
            clock: options.lease_clock,
            limit: Duration::from_millis(options.transaction_ms),
            prune_max: options.prune_max,
        };
        Self {
            number,
            queue,
            keeper,
            rules,
            batch_max: options.batch_max,
            wait: Duration::from_millis(options.connection_wait_ms),
        }
    }

    /// Works until the queue is closed and empty. Under load it pauses a moment after each batch: the next one is the larger.
    pub(super) async fn run(self) {
        let mut next = self.queue.next(self.number, self.batch_max);
        loop {
            match next {
                Next::End => break,
                Next::Wait => {
                    self.queue.called(self.number).await;
                    next = self.queue.next(self.number, self.batch_max);
                }
                Next::Linger => {
                    // Whether somebody called or time is up, what there is is taken.
                    timeout(LINGER, self.queue.called(self.number)).await.ok();
                    next = self.queue.take(self.number, self.batch_max);
                }
                Next::Batch(jobs) => {
                    let writes: Vec<&Write> = jobs.iter().map(|job| &job.write).collect();
                    let answers = self.watched(self.settle(&writes, oldest(&jobs))).await;
                    let is_loaded = jobs.len() > 1;
                    jobs.into_iter().zip(answers).for_each(|(job, answer)| self.tell(job, answer));
                    if is_loaded {
                        sleep(GATHER).await;
                    }
                    next = self.queue.next(self.number, self.batch_max);
                }
            }
        }
        self.queue.lane_ended();
    }

    /// Works, and when that takes long has another lane take what came meanwhile.
    async fn watched(&self, work: impl Future<Output = Answers>) -> Answers {
        let mut work = pin!(work);
        loop {
            match timeout(LONG, &mut work).await {
                Ok(answers) => return answers,
                Err(_elapsed) => self.queue.call_further(),
            }
        }
    }

    /// Tells who asked; a prune that deleted something goes on later, so that payments do not wait for a clean-up.
    fn tell(&self, mut job: Job, answer: Result<Written, JournalError>) {
        match answer {
            Ok(Written::Pruned(0)) => {
                let done = job.pruned;
                job.tell(Ok(Written::Pruned(done)));
            }
            Ok(Written::Pruned(deleted)) => {
                job.pruned = job.pruned.saturating_add(deleted);
                job.since = Instant::now();
                self.queue.push_back(job);
            }
            answer => job.tell(answer),
        }
    }

    async fn settle(&self, writes: &[&Write], since: Instant) -> Answers {
        let over = Instant::now() + self.rules.limit;
        let mut failure = match self.attempt(writes, since).await {
            Ok(answers) => return answers,
            Err(failure) => failure,
        };
        // What another writer was faster with is there by now, and a new connection may be too.
        if matches!(failure, Failure::Conflict(_) | Failure::Lost(_)) && writes.len() > 1 {
            failure = match self.attempt(writes, since).await {
                Ok(answers) => return answers,
                Err(failure) => failure,
            };
        }
        let is_conflict = matches!(failure, Failure::Conflict(_));
        if writes.len() > 1 && (is_conflict || matches!(failure, Failure::OfOne(_))) {
            return self.settle_each(writes, since, over).await;
        }
        if writes.len() == 1 && (is_conflict || matches!(failure, Failure::Lost(_))) {
            return vec![self.insist(writes, since, over).await];
        }
        writes.iter().map(|_| Err(told(&failure))).collect()
    }

    /// Gives each write a transaction of its own. When the database goes or time is up, those not begun are refused.
    async fn settle_each(&self, writes: &[&Write], since: Instant, over: Instant) -> Answers {
        let mut answers = Answers::with_capacity(writes.len());
        for write in writes {
            if Instant::now() >= over {
                answers.push(Err(JournalError::Refused("the database is too slow".into())));
                continue;
            }
            answers.push(self.insist(&[*write], since, over).await);
        }
        answers
    }

    /// Tries one write a few times.
    async fn insist(&self, write: &[&Write], since: Instant, over: Instant) -> Result<Written, JournalError> {
        for attempt in 1_u32.. {
            let failure = match self.attempt(write, since).await {
                Ok(mut answers) => return answers.pop().unwrap_or_else(|| Err(told(&Failure::Lost("no answer".into())))),
                Err(failure) => failure,
            };
            let again = matches!(failure, Failure::Conflict(_) | Failure::Lost(_));
            if !again || attempt >= ATTEMPTS_MAX || Instant::now() >= over {
                return Err(told(&failure));
            }
            sleep(jittered(PAUSE * attempt)).await;
        }
        Err(told(&Failure::Lost("no attempt".into())))
    }

    async fn attempt(&self, writes: &[&Write], since: Instant) -> Result<Answers, Failure> {
        let session = self.keeper.session(since + self.wait).await.map_err(Failure::OfAll)?;
        let committed = batch::commit(&session, &self.rules, writes).await;
        if matches!(committed, Err(Failure::Lost(_))) {
            session.give_up();
        }
        committed
    }
}

fn oldest(jobs: &[Job]) -> Instant {
    jobs.iter().map(|job| job.since).min().unwrap_or_else(Instant::now)
}

/// What the askers of a failed transaction hear.
fn told(failure: &Failure) -> JournalError {
    match failure {
        Failure::OfOne(error) | Failure::OfAll(error) => error.clone(),
        Failure::Conflict(detail) => JournalError::Refused(format!("other writers were in the way: {detail}")),
        Failure::Lost(detail) => JournalError::Refused(format!("the connection was lost, nothing was written: {detail}")),
        Failure::Unknown(detail) => JournalError::Unknown(detail.clone()),
    }
}

/// How long what nobody waits for waits for company.
const LINGER: Duration = Duration::from_millis(5);

/// How long a lane pauses after a batch of several.
const GATHER: Duration = Duration::from_millis(2);

/// How long a batch may take before what came meanwhile goes to another lane.
const LONG: Duration = Duration::from_millis(15);

const ATTEMPTS_MAX: u32 = 5;

/// Before a second attempt; later ones wait longer.
const PAUSE: Duration = Duration::from_millis(4);
