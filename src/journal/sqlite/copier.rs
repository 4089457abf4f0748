//! The copier: moves the log into the file beside the writer, on a connection of its own and, in a running journal, on a thread
//! of its own.
//!
//! While commits go on it never reaches the end of the log, so the last step is the writer's (`maintain.rs`). Whoever makes a
//! checkpoint holds `Copying`: there is one at a time. SQLite counts as copied what it did not sync where it stopped before the
//! end of the log; so after a failure nothing may count as copied (`connect.rs`).

use super::failure::ends_connection;
use super::{Options, connect, in_thread};
use crate::journal::JournalError;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

/// So few frames are left to the writer: what a few commits write.
const FRAMES_LEFT: u64 = 128;

/// Each round copies what was committed during the one before.
const ROUNDS_MAX: u32 = 8;

/// Where the log stands, in frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Log {
    pub(super) frames: u64,
    pub(super) copied: u64,
}

/// The writer's hold on it. Dropping it ends the thread and closes the connection.
pub(super) struct Copier {
    shared: Arc<Shared>,
    /// None where it copies on the writer's thread.
    thread: Option<Thread>,
}

struct Thread {
    calls: Option<SyncSender<()>>,
    handle: Option<JoinHandle<()>>,
}

struct Shared {
    copying: Mutex<Copying>,
    /// The last step is to be made, or something failed.
    wants_writer: AtomicBool,
}

/// The right to make a checkpoint, and what it is made with.
pub(super) struct Copying {
    path: PathBuf,
    options: Options,
    /// Opened at the first use.
    connection: Option<Connection>,
    /// By which copied pages are brought to the disk. SQLite's locks on the file end when any handle of it is closed: the store
    /// keeps this one longer than its connection.
    file: Arc<File>,
    /// The writer has its connection. Without it nobody may touch the log, which may want cutting first.
    is_open: bool,
    failed: bool,
}

impl Copier {
    pub(super) fn new(path: &Path, file: Arc<File>, options: &Options) -> Self {
        let copying = Copying {
            path: path.to_owned(),
            options: options.clone(),
            connection: None,
            file,
            is_open: true,
            failed: false,
        };
        let shared = Shared {
            copying: Mutex::new(copying),
            wants_writer: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            thread: None,
        }
    }

    /// From here on it copies beside the writer.
    pub(super) fn start(&mut self) -> Result<(), JournalError> {
        let (calls, called) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let handle = in_thread("journal-copier", move || run(&shared, &called))?;
        self.thread = Some(Thread {
            calls: Some(calls),
            handle: Some(handle),
        });
        Ok(())
    }

    /// Copies, or sees to it that it is done.
    pub(super) fn call(&self) {
        match self.thread.as_ref().and_then(|thread| thread.calls.as_ref()) {
            // A call that waits already is as good.
            Some(calls) => drop(calls.try_send(())),
            None => self.shared.work(),
        }
    }

    /// Waits until it is still.
    pub(super) fn wait(&self) {
        drop(self.shared.hold());
    }

    /// The right to make a checkpoint, unless somebody has it.
    pub(super) fn try_hold(&self) -> Option<MutexGuard<'_, Copying>> {
        match self.shared.copying.try_lock() {
            Ok(copying) => Some(copying),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn wants_writer(&self) -> bool {
        self.shared.wants_writer.load(Ordering::Acquire)
    }

    pub(super) fn writer_came(&self) {
        self.shared.wants_writer.store(false, Ordering::Release);
    }

    /// The writer has opened the file anew.
    pub(super) fn resume(&self) {
        self.shared.hold().is_open = true;
    }

    /// Waits until it is still, and closes its connection; true if it had failed.
    pub(super) fn give_up(&self) -> bool {
        let mut copying = self.shared.hold();
        self.writer_came();
        copying.connection = None;
        copying.is_open = false;
        std::mem::take(&mut copying.failed)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(handle) = self.handle.take() {
            handle.join().ok();
        }
    }
}

fn run(shared: &Shared, called: &Receiver<()>) {
    while called.recv().is_ok() {
        shared.work();
    }
}

impl Shared {
    fn hold(&self) -> MutexGuard<'_, Copying> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut copying = self.hold();
        copying.work();
        self.wants_writer.store(true, Ordering::Release);
    }
}

impl Copying {
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Goes on until little is left, or a reader holds it up.
    fn work(&mut self) {
        if self.failed || !self.is_open {
            return;
        }
        let mut copied = None;
        for _ in 0..ROUNDS_MAX {
            match self.round() {
                Ok(log) if log.frames.saturating_sub(log.copied) <= FRAMES_LEFT || copied == Some(log.copied) => return,
                Ok(log) => copied = Some(log.copied),
                Err(failed) => {
                    self.failed = failed;
                    return;
                }
            }
        }
    }

    /// Copies what there is, and waits until it is on the disk. The error says whether the handles must be given up.
    fn round(&mut self) -> Result<Log, bool> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::copier(&self.path, &self.options).map_err(|_| true)?,
        };
        let copied = checkpoint(&connection, "PRAGMA wal_checkpoint(PASSIVE)").map_err(|error| ends_connection(&error));
        let synced = copied.and_then(|_| self.file.sync_data().map_err(|_| true));
        let log = synced.and_then(|()| log(&connection).map_err(|error| ends_connection(&error)));
        if !matches!(log, Err(true)) {
            self.connection = Some(connection);
        }
        log
    }
}

pub(super) fn log(connection: &Connection) -> rusqlite::Result<Log> {
    checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")
}

pub(super) fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<Log> {
    let (frames, copied): (i64, i64) = connection
        .prepare_cached(pragma)?
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    // Below 0 there is no log.
    Ok(Log {
        frames: frames.max(0).unsigned_abs(),
        copied: copied.max(0).unsigned_abs(),
    })
}
