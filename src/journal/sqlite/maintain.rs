//! Upkeep of the log: when it is copied into the file, and when it is cut back.
//!
//! Only the writer's connection does it (facts/reliability.md 3.2 and 3.3). A failure harms no commit: the log has them all.

use super::Store;
use super::failure::ends_connection;
use super::store::Place;
use rusqlite::Connection;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a page, and so of what a frame of the log carries.
const PAGE_BYTES: u64 = 4096;

/// Bytes before the first frame of the log, and before the page in each frame (SQLite's file format, section 4.1).
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// How long cutting back may wait for a reader; the writer stands still meanwhile.
const CUT_WAIT: Duration = Duration::from_millis(100);

/// What a commit of many writes adds to the log.
const PAGES_OF_COMMIT: u64 = 512;

const COMMITS_UNSEEN_MAX: u64 = 32;

/// Where the log stood, in frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Upkeep {
    frames_seen: u64,
    /// The next checkpoint under load comes when the log has this many; 0 until the first look.
    frames_next: u64,
    /// Something was committed since the log was last empty.
    dirty: bool,
    /// Commits since the last look.
    commits: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Log {
    frames: u64,
    copied: u64,
}

impl Store {
    /// Looks after the log once a batch is committed.
    pub fn after_commit(&mut self) {
        self.upkeep.dirty = true;
        self.upkeep.commits += 1;
        if self.upkeep.commits >= self.commits_unseen_max() {
            self.maintain(false);
        }
    }

    /// Looks after the log when nothing is waiting.
    pub fn when_idle(&mut self) {
        if self.upkeep.dirty {
            self.upkeep.dirty = false;
            self.maintain(true);
        }
    }

    /// Asking how long the log is costs as much as a small write, and a log that is somewhat longer than wanted harms nothing.
    fn commits_unseen_max(&self) -> u64 {
        let step = self.options.checkpoint_bytes / PAGE_BYTES;
        (step / PAGES_OF_COMMIT).clamp(1, COMMITS_UNSEEN_MAX)
    }

    fn maintain(&mut self, idle: bool) {
        self.upkeep.commits = 0;
        let Place::Writing(path) = &self.place else { return };
        let Some(connection) = &self.connection else { return };
        let log_name = log_name(path);
        let bytes_max = self.options.log_bytes_max;
        let is_long = || std::fs::metadata(&log_name).is_ok_and(|log| log.len() > bytes_max);
        let step = (self.options.checkpoint_bytes / PAGE_BYTES).max(1);
        let done = copy_when_due(connection, &mut self.upkeep, step, idle).and_then(|copied| {
            let cut = copied && is_long();
            if cut {
                cut_back(connection, self.options.busy_timeout_ms)
            } else {
                Ok(())
            }
        });
        if done.is_err_and(|error| ends_connection(&error)) {
            self.give_up();
        }
    }
}

/// Closes a connection that failed; gives the frames of the log up to its last commit, where known. Closing may empty the log.
pub(super) fn abandon(connection: Connection) -> Option<u64> {
    let frames: rusqlite::Result<i64> = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1));
    drop(connection);
    // Below 0 there is no log.
    frames.ok().and_then(|frames| u64::try_from(frames).ok())
}

/// Takes from the log what lies behind the last commit. After a failed fsync such frames can be read and look whole, but are
/// not on the disk, and no later fsync brings them there: SQLite would take them for a commit, copy them into the file, and a
/// power cut half way would leave a file that no log can mend.
pub(super) fn cut_log(path: &Path, frames: u64) -> std::io::Result<()> {
    let header = if frames == 0 { 0 } else { LOG_HEADER_BYTES };
    let kept = header + frames.saturating_mul(FRAME_HEADER_BYTES + PAGE_BYTES);
    let log = match OpenOptions::new().write(true).open(log_name(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if log.metadata()?.len() > kept {
        log.set_len(kept)?;
    }
    Ok(())
}

fn log_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Copies the log into the file if it is time; true if it did.
fn copy_when_due(connection: &Connection, upkeep: &mut Upkeep, step: u64, idle: bool) -> rusqlite::Result<bool> {
    let log = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
    // A shorter log has started over; the mark of the longer one means nothing to it.
    if upkeep.frames_next == 0 || log.frames < upkeep.frames_seen {
        upkeep.frames_next = step;
    }
    upkeep.frames_seen = log.frames;
    let due = log.frames >= upkeep.frames_next || (idle && log.copied < log.frames);
    if due {
        upkeep.frames_next = log.frames.saturating_add(step);
        checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(due)
}

fn cut_back(connection: &Connection, busy_timeout_ms: u64) -> rusqlite::Result<()> {
    connection.busy_timeout(CUT_WAIT)?;
    let cut = checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    connection.busy_timeout(Duration::from_millis(busy_timeout_ms))?;
    cut.map(|_| ())
}

fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<Log> {
    let (frames, copied): (i64, i64) = connection
        .prepare_cached(pragma)?
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    Ok(Log {
        frames: frames.max(0).unsigned_abs(),
        copied: copied.max(0).unsigned_abs(),
    })
}
