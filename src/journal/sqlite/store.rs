//! The synchronous core: a connection, and what becomes of it when the disk fails.

use super::connect::Copied;
use super::copier::Copier;
use super::failure::{Stop, before_commit, ends_connection, is_of_one_write, of_commit};
use super::held::Held;
use super::{Options, apply, connect, maintain, prune, query};
use crate::journal::{Chain, Found, JournalError, Millis, Read, Write, Written};
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The journal on one connection, without a thread. After an input/output error it gives the connection up and opens the
/// file anew at the next write; it never tries again on the same handle.
pub struct Store {
    pub(super) place: Place,
    pub(super) options: Options,
    /// None where nothing is copied: for reading, and in memory.
    pub(super) copier: Option<Copier>,
    /// None after an input/output error.
    pub(super) connection: Option<Connection>,
    pub(super) upkeep: maintain::Upkeep,
    /// The frames of the log that hold, until the rest is cut off.
    log_kept: Option<u64>,
    /// What the next opening may rely on.
    copied: Copied,
    /// Makes the journal's reader give its connection up.
    release_reader: Option<Box<dyn Fn() + Send>>,
    /// A copy failed, and the log's index still says that it was made: nobody reads by it. Shared with the journal's reader.
    doubted: Arc<AtomicBool>,
    /// The copier's; see there.
    file: Option<Arc<File>>,
    /// Held, never read: the lock ends with it.
    _lock: Option<File>,
}

#[derive(Debug)]
pub(super) enum Place {
    Memory,
    Writing(PathBuf),
    Reading(PathBuf),
}

/// What each write of a batch became.
type Batch = Vec<Result<Written, JournalError>>;

impl Store {
    /// Opens or creates a journal file for writing; a second one that tries is refused.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_with(path, Options::default())
    }

    /// Opens with other bounds than those of production.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, JournalError> {
        let lock = connect::lock(path)?;
        let connection = connect::writer(path, &options, Copied::Trusted)?;
        let file = File::open(path).map_err(|error| JournalError::Refused(format!("journal file: {error}")))?;
        let file = Arc::new(file);
        let copier = Copier::new(path, Arc::clone(&file), &options);
        let mut store = Self::new(Place::Writing(path.to_owned()), connection, options, Some(lock));
        (store.copier, store.file) = (Some(copier), Some(file));
        Ok(store)
    }

    /// Opens an existing journal for reading, also while another process writes it.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        Self::open_read_only_with(path, Options::default())
    }

    pub(super) fn open_read_only_with(path: &Path, options: Options) -> Result<Self, JournalError> {
        let connection = connect::reader(path, &options)?;
        Ok(Self::new(Place::Reading(path.to_owned()), connection, options, None))
    }

    /// A journal that lives as long as this value.
    pub fn memory() -> Result<Self, JournalError> {
        Ok(Self::new(Place::Memory, connect::memory()?, Options::default(), None))
    }

    fn new(place: Place, connection: Connection, options: Options, lock: Option<File>) -> Self {
        Self {
            place,
            options,
            copier: None,
            connection: Some(connection),
            upkeep: maintain::Upkeep::default(),
            log_kept: None,
            copied: Copied::Trusted,
            release_reader: None,
            doubted: Arc::default(),
            file: None,
            _lock: lock,
        }
    }

    /// Applies one write in its own transaction.
    pub fn apply(&mut self, write: &Write) -> Result<Written, JournalError> {
        let mut results = self.apply_batch(std::slice::from_ref(write))?;
        results
            .pop()
            .unwrap_or_else(|| Err(JournalError::Refused("the store gave no answer".into())))
    }

    /// Applies writes under one commit. An error of the whole is an error of each; an error of one leaves the others alone.
    pub fn apply_batch(&mut self, writes: &[Write]) -> Result<Batch, JournalError> {
        let chain = self.options.chain.clone();
        match self.commit(|connection| apply_all(connection, &chain, writes)) {
            Ok(results) => Ok(results),
            Err(Failure::OfOne(error)) if writes.len() == 1 => Ok(vec![Err(error)]),
            // One write of them broke the transaction, which is rolled back: each gets its own.
            Err(Failure::OfOne(_)) => Ok(writes.iter().map(|write| self.apply(write)).collect()),
            Err(Failure::OfAll(error)) => Err(error),
        }
    }

    /// Answers a read.
    pub fn query(&self, read: &Read) -> Result<Found, JournalError> {
        let Some(connection) = &self.connection else {
            return Err(JournalError::Refused(
                "the journal is closed after an input/output error".into(),
            ));
        };
        query::find(connection, read).map_err(|error| before_commit(&error))
    }

    /// One transaction around what is done.
    fn commit<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let connection = self.connected().map_err(Failure::OfAll)?;
        let done = execute(connection, "BEGIN IMMEDIATE").and_then(|()| work(connection));
        let committed = done
            .map_err(|error| (error, false))
            .and_then(|result| match execute(connection, "COMMIT") {
                Ok(()) => Ok(result),
                Err(error) => Err((error, true)),
            });
        committed.map_err(|(error, in_commit)| self.failed(&error, in_commit))
    }

    /// Deletes at most so many old exchanges in their own transaction; gives how many.
    pub(super) fn prune_some(&mut self, before: Millis, limit: u32) -> Result<u64, JournalError> {
        let mut pruned = 0;
        let result = self.commit(|connection| {
            pruned = match prune::prune(connection, before, limit) {
                Ok(number) => number,
                Err(Stop::Refused(_)) => 0,
                Err(Stop::Sql(error)) => return Err(error),
            };
            Ok(())
        });
        match result {
            Ok(()) => Ok(pruned),
            Err(Failure::OfOne(error) | Failure::OfAll(error)) => Err(error),
        }
    }

    /// A reader whose file fails gives its connection up; it is opened anew at the next read.
    pub(super) fn look_again(&mut self) {
        if matches!(self.place, Place::Reading(_)) {
            self.give_up();
        }
    }

    /// The connection, opened anew if it was given up.
    pub(super) fn connected(&mut self) -> Result<&Connection, JournalError> {
        if matches!(self.place, Place::Reading(_)) && self.doubted.load(Ordering::Acquire) {
            self.give_up();
            return Err(JournalError::Refused(
                "the disk failed while the log was copied; reading waits for the next write, which copies it again".into(),
            ));
        }
        if self.connection.is_none() {
            self.connection = Some(self.opened_anew()?);
            self.copier.iter().for_each(Copier::resume);
        }
        self.connection
            .as_ref()
            .ok_or_else(|| JournalError::Refused("the journal is not open".into()))
    }

    fn opened_anew(&mut self) -> Result<Connection, JournalError> {
        self.cut_log()?;
        let path = match &self.place {
            Place::Writing(path) => path,
            Place::Reading(path) => return connect::reader(path, &self.options),
            Place::Memory => return Err(JournalError::Damaged("a journal in memory cannot be opened anew".into())),
        };
        if self.copied == Copied::Doubted {
            self.release_reader.iter().for_each(|release| release());
            // The system owes each handle the news of a failure: this one is not to hear of it when all is copied again.
            self.file.iter().for_each(|file| drop(file.sync_data()));
        }
        let opened = connect::writer(path, &self.options, self.copied);
        // An opening copies the log as well.
        self.copied = if opened.is_ok() { Copied::Trusted } else { Copied::Doubted };
        if opened.is_ok() {
            self.doubted.store(false, Ordering::Release);
        }
        opened
    }

    fn failed(&mut self, error: &rusqlite::Error, in_commit: bool) -> Failure {
        self.roll_back_after(error);
        if in_commit {
            return Failure::OfAll(of_commit(error));
        }
        if is_of_one_write(error) {
            return Failure::OfOne(before_commit(error));
        }
        Failure::OfAll(before_commit(error))
    }

    fn roll_back_after(&mut self, error: &rusqlite::Error) {
        let rolled_back = self
            .connection
            .as_ref()
            .is_none_or(|open| open.is_autocommit() || open.execute_batch("ROLLBACK").is_ok());
        if !rolled_back || ends_connection(error) {
            self.give_up();
        }
    }

    /// Closes the connection; the next write opens the file anew.
    pub(super) fn give_up(&mut self) {
        self.upkeep = maintain::Upkeep::default();
        if self.copier.as_ref().is_some_and(Copier::give_up) {
            self.doubt();
        }
        let Some(connection) = self.connection.take() else { return };
        if matches!(self.place, Place::Writing(_)) {
            self.log_kept = maintain::abandon(connection);
            // Tried again before the file is opened anew.
            self.cut_log().ok();
        }
    }

    /// The same after a failed copy.
    pub(super) fn give_up_copied(&mut self) {
        self.doubt();
        self.give_up();
    }

    fn doubt(&mut self) {
        self.copied = Copied::Doubted;
        self.doubted.store(true, Ordering::Release);
        self.release_reader.iter().for_each(|release| release());
    }

    /// Reads for this writer's journal: nothing while it doubts what was copied.
    pub(super) fn follow(&mut self, writer: &Self) {
        self.doubted = Arc::clone(&writer.doubted);
    }

    /// Copies beside the writer from here on, and knows how to have the journal's reader out of the way.
    pub(super) fn accompany(&mut self, release_reader: impl Fn() + Send + 'static) -> Result<(), JournalError> {
        self.release_reader = Some(Box::new(release_reader));
        self.copier.as_mut().map_or(Ok(()), Copier::start)
    }

    fn cut_log(&mut self) -> Result<(), JournalError> {
        if let (Place::Writing(path), Some(frames)) = (&self.place, self.log_kept) {
            maintain::cut_log(path, frames).map_err(|error| JournalError::Refused(format!("journal log: {error}")))?;
            self.log_kept = None;
        }
        Ok(())
    }
}

impl Drop for Store {
    /// A connection that closes takes for copied what counts as copied, and removes the log.
    fn drop(&mut self) {
        if self.copier.as_mut().is_some_and(Copier::stop) {
            self.give_up_copied();
        }
    }
}

enum Failure {
    /// One write is at fault.
    OfOne(JournalError),
    /// The disk or the file is.
    OfAll(JournalError),
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn apply_all(connection: &Connection, chain: &Chain, writes: &[Write]) -> rusqlite::Result<Batch> {
    let held = Held::new(connection);
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        match apply::apply(&held, chain, write) {
            Ok(written) => results.push(Ok(written)),
            Err(Stop::Refused(reason)) => results.push(Err(JournalError::Refused(reason))),
            Err(Stop::Sql(error)) => return Err(error),
        }
    }
    Ok(results)
}
