//! The embedded journal: one SQLite file, one thread that writes, one that reads, one that moves the log into the file.
//!
//! `Store` is the synchronous core: every write and read as statements on one connection. `SqliteJournal` is the
//! `Journal` over it. The writer takes one job, gathers what else waits (at most `batch_max`), commits all of it with one
//! fsync, and only then answers; so whoever got an answer reads its own write, also over the reader's connection.
//!
//! It is not a cluster store: a lock file keeps a second process from writing, and time is always an argument. The recipe is
//! that of facts/reliability.md 3.3; tables and columns are described in `SCHEMA.md`.

mod accept;
mod apply;
mod change;
mod connect;
mod copier;
mod effect;
mod failure;
mod held;
mod maintain;
mod message;
mod park;
mod prune;
mod query;
mod rewrap; // sealed bytes under another journal key
mod row;
mod schema;
mod search;
mod serial;
mod store;
mod worker;

#[cfg(test)]
mod tests;

pub use store::Store;

use self::worker::Job;
use super::{Chain, Found, Journal, JournalError, Read, Write, Written};
use crate::limits;
use async_trait::async_trait;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bounds of the embedded journal. The defaults are those of production, but for the chain, which has no key.
#[derive(Clone, Debug)]
pub struct Options {
    /// Writes that may wait; one more is refused.
    pub writes_waiting_max: usize,
    /// Reads that may wait; one more is refused.
    pub reads_waiting_max: usize,
    /// Writes that share one commit.
    pub batch_max: usize,
    /// After a commit of several writes the writer gathers the next ones for so long.
    pub gather_us: u64,
    /// How long a write that nobody waits for waits for company.
    pub patience_ms: u64,
    /// The log is copied into the file when this much of it is new, or when the writer is idle.
    pub checkpoint_bytes: u64,
    /// A log file larger than this is cut back to nothing; where so much is not copied yet, the writer waits for it.
    pub log_bytes_max: u64,
    /// Without a job for so long, the writer calls itself idle.
    pub idle_ms: u64,
    /// How long a connection waits for a lock of another one.
    pub busy_timeout_ms: u64,
    /// Most pages of 4 KiB that an opening looks through for damage.
    pub check_pages: u32,
    /// Exchanges that one turn of a prune deletes, so that other writes are not held up.
    pub prune_max: u32,
    /// Most pages of 4 KiB that the file may have: a quota, beyond which the journal says that it is full.
    pub pages_max: Option<u32>,
    /// Under which name and key outcomes are chained.
    pub chain: Chain,
    /// SQLite's file layer, by its registered name; `None` is the operating system's. Others are for tests.
    pub vfs: Option<&'static str>,
    /// Brings copied pages to the disk: `File::sync_data`. Others are for tests.
    pub sync: fn(&File) -> std::io::Result<()>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writes_waiting_max: 4096,
            reads_waiting_max: 1024,
            batch_max: 256,
            gather_us: limits::GATHER_US,
            patience_ms: 5,
            checkpoint_bytes: 16 << 20,
            log_bytes_max: 256 << 20,
            idle_ms: 200,
            busy_timeout_ms: 5_000,
            check_pages: 50_000,
            prune_max: 500,
            pages_max: None,
            chain: Chain::unkeyed("hangu"),
            vfs: None,
            sync: File::sync_data,
        }
    }
}

/// The `Journal` over a `Store`. Dropping it lets the threads finish what they have; `close` also waits for that.
pub struct SqliteJournal {
    /// None where it is open for reading only.
    writes: Option<SyncSender<Job>>,
    /// The writer's own channel when the journal is in memory, since no second connection sees that.
    reads: SyncSender<Job>,
}

impl SqliteJournal {
    /// Opens or creates the journal file, checks it and starts its threads.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_with(path, Options::default())
    }

    /// Opens with other bounds than those of production.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, JournalError> {
        let mut writer = Store::open_with(path, options.clone())?;
        let mut reader = Store::open_read_only_with(path, options.clone())?;
        reader.follow(&writer);
        let reads = start("journal-reader", reader, options.reads_waiting_max, &options)?;
        let (asked, patience) = (reads.clone(), Duration::from_millis(options.busy_timeout_ms));
        writer.accompany(move || worker::release(&asked, patience))?;
        Ok(Self {
            writes: Some(start("journal-writer", writer, options.writes_waiting_max, &options)?),
            reads,
        })
    }

    /// Opens an existing journal for reading, also while another process writes it; every write is refused.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        let options = Options::default();
        let reader = Store::open_read_only(path)?;
        Ok(Self {
            writes: None,
            reads: start("journal-reader", reader, options.reads_waiting_max, &options)?,
        })
    }

    /// A journal that lives as long as this value; for tests and simulations.
    pub fn memory() -> Result<Self, JournalError> {
        let options = Options {
            gather_us: 0,
            patience_ms: 0,
            ..Options::default()
        };
        let writes = start("journal-writer", Store::memory()?, options.writes_waiting_max, &options)?;
        Ok(Self {
            reads: writes.clone(),
            writes: Some(writes),
        })
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    /// Dropping the future does not take the write back.
    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        let (answer, answered) = oneshot::channel();
        let writes = self.writes.as_ref();
        let writes = writes.ok_or_else(|| JournalError::Refused("the journal is open for reading only".into()))?;
        hand_over(writes, Job::Write(write, answer))?;
        let done = answered.await.map(|done| done.result);
        done.unwrap_or_else(|_| Err(JournalError::Unknown("the writer ended before it answered".into())))
    }

    async fn read(&self, read: Read) -> Result<Found, JournalError> {
        let (answer, answered) = oneshot::channel();
        hand_over(&self.reads, Job::Read(read, answer))?;
        answered
            .await
            .unwrap_or_else(|_| Err(JournalError::Refused("the reader ended before it answered".into())))
    }

    /// Also moves the log into the file and gives up the lock.
    async fn close(&self) {
        for jobs in [Some(&self.reads), self.writes.as_ref()].into_iter().flatten() {
            let (answer, closed) = oneshot::channel();
            let jobs = jobs.clone();
            // The channel may be full, and waiting for room there blocks.
            let sent = tokio::task::spawn_blocking(move || jobs.send(Job::Close(answer)).is_ok()).await;
            if sent.unwrap_or(false) {
                closed.await.ok();
            }
        }
    }
}

fn start(name: &str, store: Store, waiting_max: usize, options: &Options) -> Result<SyncSender<Job>, JournalError> {
    let (sender, jobs) = sync_channel(waiting_max);
    let options = options.clone();
    in_thread(name, move || worker::run(store, jobs, &options))?;
    Ok(sender)
}

fn in_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| JournalError::Refused(format!("no thread for {name}: {error}")))
}

fn hand_over(jobs: &SyncSender<Job>, job: Job) -> Result<(), JournalError> {
    jobs.try_send(job).map_err(|error| match error {
        TrySendError::Full(_) => JournalError::Refused("too much is waiting for the journal".into()),
        TrySendError::Disconnected(_) => JournalError::Refused("the journal is closed".into()),
    })
}
