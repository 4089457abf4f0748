//! The journal of a cluster: PostgreSQL, shared by every instance that is configured with it.
//!
//! A number of writer lanes, each with a connection of its own, take what waits and commit it together; reads go over
//! connections of their own. Decisions rest on UNIQUE constraints and compare-and-sets, never on what was read before: a
//! transaction that meets another writer's row is rolled back and done again, and then finds the row. It speaks a subset of
//! SQL that openGauss knows too: no ON CONFLICT, no LISTEN, no advisory locks, no procedures.
//!
//! It is not a pool for others, and it never decides who owns an exchange: leases and epochs do, by the database's clock.

mod accept;
mod apply;
mod batch;
mod change;
mod connect;
mod effect;
mod failure;
mod insert;
mod keeper;
mod kept;
mod lane;
mod message;
mod owning;
mod park;
mod prune;
mod query;
mod queue;
mod rewrap; // sealed bytes under another journal key
mod row;
mod schema;
mod search;
mod serial;
mod session;
mod table; // rows as the parameters of one statement
mod tls;
mod work;

#[cfg(test)]
mod tests;

use self::keeper::Keeper;
use self::lane::Lane;
use self::queue::Queue;
use super::{Chain, Found, Journal, JournalError, Read, Write, Written};
use crate::secret::Password;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where the database is, and the bounds of the journal in it. The defaults are those of production, but for the chain,
/// which has no key, and the clock of leases.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, tried in turn; the first that takes writes is used. A host that is a path is a folder of Unix sockets.
    pub addresses: Vec<String>,
    pub database: String,
    pub user: String,
    pub password: Option<Password>,
    /// Schema in which the tables are.
    pub schema: String,
    /// Certificates that the server's must lead to; without them the connection is not encrypted.
    pub tls_ca_file: Option<PathBuf>,
    /// Writer lanes, each with a connection.
    pub connections: usize,
    pub lease_clock: LeaseClock,
    /// Writes that may wait; one more is refused.
    pub writes_waiting_max: usize,
    /// Reads under way; one more is refused.
    pub reads_waiting_max: usize,
    /// Writes that share one commit.
    pub batch_max: usize,
    /// Exchanges that one turn of a prune deletes.
    pub prune_max: u32,
    /// How long a write or read waits for a connection while there is none.
    pub connection_wait_ms: u64,
    /// How long a transaction may take; afterwards its connection is given up.
    pub transaction_ms: u64,
    /// Under which name and key outcomes are chained; each lane adds its number to the name.
    pub chain: Chain,
}

/// Whose clock says when a lease ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaseClock {
    /// The database's, so that instances whose clocks differ agree.
    Database,
    /// The times that come with each write.
    Argument,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            database: String::new(),
            user: String::new(),
            password: None,
            schema: "public".into(),
            tls_ca_file: None,
            connections: 4,
            lease_clock: LeaseClock::Argument,
            writes_waiting_max: 4096,
            reads_waiting_max: 1024,
            batch_max: 256,
            prune_max: 500,
            connection_wait_ms: 1_000,
            transaction_ms: 5_000,
            chain: Chain::unkeyed("hangu"),
        }
    }
}

/// The `Journal` over a database. Dropping it lets the lanes finish what they have; `close` also waits for that.
pub struct PostgresJournal {
    /// None where it is open for reading only.
    queue: Option<Arc<Queue>>,
    readers: Vec<Keeper>,
    /// Which reader is next.
    turn: AtomicUsize,
    reads: Semaphore,
    options: Options,
    /// Ends the connections.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl PostgresJournal {
    /// Connects, brings the tables to this version, and starts the lanes.
    pub async fn open(options: Options) -> Result<Self, JournalError> {
        let target = Arc::new(connect::Target::writing(&options)?);
        connect::migrated(&target).await?;
        let mut journal = Self::reading(options, &target);
        journal.start_lanes(&target);
        Ok(journal)
    }

    /// Connects to an existing journal for operators: the tables must be there as this version knows them.
    pub async fn open_existing(options: Options) -> Result<Self, JournalError> {
        let target = Arc::new(connect::Target::writing(&options)?);
        connect::checked(&target).await?;
        let mut journal = Self::reading(options, &target);
        journal.start_lanes(&target);
        Ok(journal)
    }

    /// Connects to an existing journal for reading; every write is refused. A server that takes no writes will do.
    pub async fn open_read_only(options: Options) -> Result<Self, JournalError> {
        let target = Arc::new(connect::Target::reading(&options)?);
        connect::checked(&target).await?;
        Ok(Self::reading(options, &target))
    }

    /// Connects once and says what is there, or what is wrong; changes nothing.
    pub async fn inspect(options: Options) -> Result<String, JournalError> {
        connect::inspected(&connect::Target::writing(&options)?).await
    }

    fn reading(options: Options, target: &Arc<connect::Target>) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let readers = (0..READERS)
            .map(|_| Keeper::start(Arc::clone(target), &stop, &tasks))
            .collect();
        Self {
            queue: None,
            readers,
            turn: AtomicUsize::new(0),
            reads: Semaphore::new(options.reads_waiting_max),
            options,
            stop,
            tasks,
        }
    }

    fn start_lanes(&mut self, target: &Arc<connect::Target>) {
        let options = &self.options;
        let queue = Arc::new(Queue::new(options.connections, options.writes_waiting_max));
        for number in 0..options.connections {
            let keeper = Keeper::start(Arc::clone(target), &self.stop, &self.tasks);
            let lane = Lane::new(number, Arc::clone(&queue), keeper, options.clone());
            self.tasks.spawn(lane.run());
        }
        self.queue = Some(queue);
    }

    async fn find(&self, read: &Read, deadline: Instant) -> Result<Found, Lost> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len().max(1);
        let Some(reader) = self.readers.get(turn) else {
            return Err(Lost::Refused(refused("the journal has no reader")));
        };
        let session = reader.session(deadline).await.map_err(Lost::Refused)?;
        let limit = Duration::from_millis(self.options.transaction_ms);
        let Ok(found) = timeout(limit, query::find(&session, read)).await else {
            session.give_up();
            return Err(Lost::Refused(refused("the database did not answer in time")));
        };
        found.map_err(|stop| {
            if failure::is_lost(&stop) {
                session.give_up();
                return Lost::Connection;
            }
            Lost::Refused(failure::before_commit(&stop))
        })
    }
}

/// Why a read has no answer.
enum Lost {
    /// It may be asked again, over another connection.
    Connection,
    Refused(JournalError),
}

#[async_trait]
impl Journal for PostgresJournal {
    /// Dropping the future does not take the write back.
    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        let queue = self.queue.as_ref();
        let queue = queue.ok_or_else(|| refused("the journal is open for reading only"))?;
        let answered = queue.push(write)?;
        answered
            .await
            .unwrap_or_else(|_| Err(JournalError::Unknown("the writer ended before it answered".into())))
    }

    async fn read(&self, read: Read) -> Result<Found, JournalError> {
        let Ok(_permit) = self.reads.try_acquire() else {
            return Err(refused("too much is waiting for the journal"));
        };
        if self.stop.is_cancelled() {
            return Err(queue::closed());
        }
        let deadline = Instant::now() + Duration::from_millis(self.options.connection_wait_ms);
        for _ in 0..READ_TRIES {
            match self.find(&read, deadline).await {
                Ok(found) => return Ok(found),
                Err(Lost::Connection) => {}
                Err(Lost::Refused(error)) => return Err(error),
            }
        }
        Err(refused("the connection to the database is lost again and again"))
    }

    async fn close(&self) {
        if let Some(queue) = &self.queue {
            queue.close();
            queue.ended().await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
            queue.stop_when_ended(self.stop.clone());
        } else {
            self.stop.cancel();
        }
    }
}

fn refused(reason: &str) -> JournalError {
    JournalError::Refused(reason.to_owned())
}

/// Connections that read.
const READERS: usize = 2;

/// A read changes nothing, so it may be asked again.
const READ_TRIES: u32 = 3;
