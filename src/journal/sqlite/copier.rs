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

#[cfg(test)]
mod tests;

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
    /// Somebody waits for it to be still: no further round.
    is_awaited: AtomicBool,
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
            is_awaited: AtomicBool::new(false),
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

    /// Ends its thread, then the same.
    pub(super) fn stop(&mut self) -> bool {
        self.shared.is_awaited.store(true, Ordering::Release);
        self.thread = None;
        self.give_up()
    }

    /// Waits until it is still, and closes its connection; true if it had failed.
    pub(super) fn give_up(&self) -> bool {
        self.shared.is_awaited.store(true, Ordering::Release);
        let mut copying = self.shared.hold();
        self.shared.is_awaited.store(false, Ordering::Release);
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
        copying.work(&self.is_awaited);
        self.wants_writer.store(true, Ordering::Release);
    }
}

impl Copying {
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Goes on until little is left, or a further round would leave as much: a reader holds it up, or commits are as quick.
    fn work(&mut self, is_awaited: &AtomicBool) {
        if self.failed || !self.is_open {
            return;
        }
        let mut before = u64::MAX;
        for _ in 0..ROUNDS_MAX {
            match self.round() {
                Ok(left) if left <= FRAMES_LEFT || left > before / 2 || is_awaited.load(Ordering::Acquire) => return,
                Ok(left) => before = left,
                Err(trouble) => {
                    self.failed = trouble.is_doubt;
                    tracing::warn!(
                        error = trouble.text,
                        doubted = trouble.is_doubt,
                        "the journal's log was not copied"
                    );
                    return;
                }
            }
        }
    }

    /// Copies what there is, and waits until it is on the disk; gives the frames that came meanwhile.
    fn round(&mut self) -> Result<u64, Trouble> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::copier(&self.path, &self.options).map_err(|error| Trouble::new(false, &error))?,
        };
        let copied = checkpoint(&connection, "PRAGMA wal_checkpoint(PASSIVE)");
        copied.map_err(|error| Trouble::new(ends_connection(&error), &error))?;
        (self.options.sync)(&self.file).map_err(|error| Trouble::new(true, &error))?;
        let log = log(&connection).map_err(|error| Trouble::new(false, &error))?;
        self.connection = Some(connection);
        Ok(log.frames.saturating_sub(log.copied))
    }
}

/// Why a round was not made.
struct Trouble {
    /// What counts as copied may not be on the disk.
    is_doubt: bool,
    text: String,
}

impl Trouble {
    fn new(is_doubt: bool, error: &dyn std::fmt::Display) -> Self {
        let text = error.to_string();
        Self { is_doubt, text }
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
