//! Upkeep of the log: when it is copied into the file, and when it is cut back.
//!
//! The bulk is copied by the copier (`copier.rs`) while commits go on. What is left then is copied by the writer between two
//! commits: the log is whole in the file, and the next commit begins it anew. A failure harms no commit: the log has them all.

use super::copier::{Copier, Log, checkpoint, log};
use super::failure::ends_connection;
use super::store::Place;
use super::{Options, Store};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
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
    /// The copier is called under load when the log has this many; 0 until the first look.
    frames_next: u64,
    /// Something was committed since the log was last empty.
    dirty: bool,
    /// Commits since the last look.
    commits: u64,
}

impl Store {
    /// Looks after the log once a batch is committed.
    pub fn after_commit(&mut self) {
        self.upkeep.dirty = true;
        self.upkeep.commits += 1;
        if self.is_wanted() {
            self.finish_copying();
        } else if self.upkeep.commits >= self.commits_unseen_max() {
            self.maintain(false);
        }
    }

    /// Looks after the log when nothing is waiting.
    pub fn when_idle(&mut self) {
        if self.is_wanted() {
            self.finish_copying();
        }
        if self.upkeep.dirty {
            self.upkeep.dirty = false;
            self.maintain(true);
        }
    }

    fn is_wanted(&self) -> bool {
        self.copier.as_ref().is_some_and(Copier::wants_writer)
    }

    /// Asking how long the log is costs as much as a small write, and a log that is somewhat longer than wanted harms nothing.
    fn commits_unseen_max(&self) -> u64 {
        let step = self.options.checkpoint_bytes / PAGE_BYTES;
        (step / PAGES_OF_COMMIT).clamp(1, COMMITS_UNSEEN_MAX)
    }

    /// Calls the copier if it is time. Without a thread it copies at once, and the last step follows.
    fn maintain(&mut self, idle: bool) {
        self.upkeep.commits = 0;
        let (Some(copier), Some(connection)) = (&self.copier, &self.connection) else {
            return;
        };
        let step = (self.options.checkpoint_bytes / PAGE_BYTES).max(1);
        let log = match log(connection) {
            Ok(log) => log,
            Err(error) if ends_connection(&error) => return self.give_up_copied(),
            Err(_) => return,
        };
        if is_due(log, &mut self.upkeep, step, idle) {
            copier.call();
        }
        let is_behind = log.frames.saturating_sub(log.copied) > self.options.log_bytes_max / PAGE_BYTES;
        if is_behind {
            // It grows faster than it is copied: the writer waits, and copies what is left.
            copier.wait();
        }
        if is_behind || self.is_wanted() {
            self.finish_copying();
        }
    }

    /// The last step of a checkpoint, with nothing committed meanwhile.
    fn finish_copying(&mut self) {
        let (Some(copier), Some(connection), Place::Writing(path)) = (&self.copier, &self.connection, &self.place) else {
            return;
        };
        let Some(copying) = copier.try_hold() else { return };
        copier.writer_came();
        let finished = if copying.has_failed() {
            Err(true)
        } else {
            finish(connection, path, &self.options).map_err(|error| ends_connection(&error))
        };
        drop(copying);
        if finished == Err(true) {
            self.give_up_copied();
        }
    }
}

fn finish(connection: &Connection, path: &Path, options: &Options) -> rusqlite::Result<()> {
    let log = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let file = std::fs::metadata(log_name(path));
    // While somebody reads what is older, waiting for him would only hold payments up.
    if log.copied == log.frames && file.is_ok_and(|file| file.len() > options.log_bytes_max) {
        cut_back(connection, options.busy_timeout_ms)?;
    }
    Ok(())
}

/// Closes a connection that failed; gives the frames of the log up to its last commit, where known. It leaves the log alone: a
/// handle that met an error copies nothing any more.
pub(super) fn abandon(connection: Connection) -> Option<u64> {
    let frames: rusqlite::Result<i64> = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1));
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .ok();
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

/// Whether it is time to copy.
fn is_due(log: Log, upkeep: &mut Upkeep, step: u64, idle: bool) -> bool {
    // A shorter log has started over; the mark of the longer one means nothing to it.
    if upkeep.frames_next == 0 || log.frames < upkeep.frames_seen {
        upkeep.frames_next = step;
    }
    upkeep.frames_seen = log.frames;
    let is_due = log.frames >= upkeep.frames_next || (idle && log.copied < log.frames);
    if is_due {
        upkeep.frames_next = log.frames.saturating_add(step);
    }
    is_due
}

fn cut_back(connection: &Connection, busy_timeout_ms: u64) -> rusqlite::Result<()> {
    connection.busy_timeout(CUT_WAIT)?;
    let cut = checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    connection.busy_timeout(Duration::from_millis(busy_timeout_ms))?;
    cut.map(|_| ())
}
