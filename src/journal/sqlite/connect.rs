//! Opening the file: the lock, the settings that durability rests on, the checks before the first use.

use super::copier::log;
use super::failure::{before_commit, ends_connection};
use super::maintain::{abandon, cut_log};
use super::{Options, schema};
use crate::journal::JournalError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every SQLite from 3.7.0 to 3.51.2 can corrupt a file when its log restarts (facts/reliability.md 3.2).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Statements kept prepared; more than the journal has.
const STATEMENTS_MAX: usize = 96;

/// Pages that SQLite checks before it asks whether to go on.
const STEPS: u32 = 100;

/// Takes the operating system's lock on `<journal>.lock`, which a process loses only by ending.
///
/// SQLite's own exclusive mode is not used: it would also shut out our reader and `hangu journal find`.
pub(super) fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private()
        .create(true)
        .truncate(false)
        .open(PathBuf::from(name))
        .map_err(|error| refused("lock file", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Refused(
            "another process has the journal open for writing".into(),
        )),
        Err(TryLockError::Error(error)) => Err(refused("lock file", &error)),
    }
}

/// What an opening may rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Copied {
    /// What counts as copied into the file is there.
    Trusted,
    /// A copy failed: the disk may have lost pages that count as copied, and reads show them nevertheless.
    Doubted,
}

/// Opens the file for writing. The caller holds the lock.
pub(super) fn writer(path: &Path, options: &Options, copied: Copied) -> Result<Connection, JournalError> {
    check_version()?;
    let existed = create(path)?;
    let gathering = logwrite::over(options.vfs).ok_or_else(|| JournalError::Refused("no VFS to write the log by".into()))?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, Some(gathering))?;
    match prepare(&mut connection, options, existed, copied) {
        Ok(()) => Ok(connection),
        Err(error) => {
            // What could not be synced here was acknowledged to nobody.
            if let Some(frames) = abandon(connection) {
                cut_log(path, frames).ok();
            }
            Err(error)
        }
    }
}

fn prepare(connection: &mut Connection, options: &Options, existed: bool, copied: Copied) -> Result<(), JournalError> {
    schema::check_ours(connection)?;
    settle(connection, options)?;
    if copied == Copied::Doubted {
        check_nothing_copied(connection)?;
    }
    if existed {
        quick_check(connection, options.check_pages)?;
    }
    schema::migrate(connection)?;
    begin_log(connection)
}

/// What was copied is noted in the log's index, which ends with the last connection: the next one makes it anew from the log,
/// and copies all of it.
fn check_nothing_copied(connection: &Connection) -> Result<(), JournalError> {
    match log(connection).map_err(|error| before_commit(&error))?.copied {
        0 => Ok(()),
        _ => Err(JournalError::Refused(
            "the disk failed while the log was copied: whoever else reads the journal must end first".into(),
        )),
    }
}

/// Opens the copier's connection, beside the writer's. It changes nothing but where bytes lie.
pub(super) fn copier(path: &Path, options: &Options) -> Result<Connection, JournalError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options.vfs)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(|error| before_commit(&error))?;
    batch(
        &connection,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}

/// Opens the file for reading only.
pub(super) fn reader(path: &Path, options: &Options) -> Result<Connection, JournalError> {
    check_version()?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, options.vfs)?;
    connection
        .busy_timeout(Duration::from_millis(options.busy_timeout_ms))
        .map_err(|error| before_commit(&error))?;
    keep_statements(&connection)?;
    batch(
        &connection,
        "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;",
    )?;
    schema::check_current(&connection)?;
    Ok(connection)
}

/// A database in memory with the same tables.
pub(super) fn memory() -> Result<Connection, JournalError> {
    check_version()?;
    let connection = Connection::open_in_memory().map_err(|error| before_commit(&error))?;
    keep_statements(&connection)?;
    batch(
        &connection,
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    )?;
    schema::migrate(&connection)?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags, vfs: Option<&str>) -> Result<Connection, JournalError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(|error| before_commit(&error))
}

/// Statements are prepared once. Without the planner's stability guarantee SQLite compares bound values with the conditions of
/// partial indexes, and prepares a statement anew whenever one is bound to another value.
fn keep_statements(connection: &Connection) -> Result<(), JournalError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
        .map_err(|error| before_commit(&error))
}

fn check_version() -> Result<(), JournalError> {
    if rusqlite::version_number() >= SQLITE_VERSION_MIN {
        return Ok(());
    }
    Err(JournalError::Damaged(format!(
        "SQLite {} can corrupt the journal: 3.51.3 or newer is needed",
        rusqlite::version()
    )))
}

/// Creates the file readable by us alone, and makes its name durable. True if it was there before with something in it.
///
/// This must come before SQLite has the file open: closing any other handle of it would drop SQLite's locks.
fn create(path: &Path) -> Result<bool, JournalError> {
    if let Ok(known) = std::fs::metadata(path) {
        return Ok(known.len() > 0);
    }
    private()
        .create_new(true)
        .open(path)
        .map_err(|error| refused("journal file", &error))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| refused("journal folder", &error))?;
    Ok(false)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// What every commit's durability rests on. WAL mode is asked back: a file system that cannot share memory refuses it.
fn settle(connection: &Connection, options: &Options) -> Result<(), JournalError> {
    connection
        .busy_timeout(Duration::from_millis(options.busy_timeout_ms))
        .map_err(|error| before_commit(&error))?;
    keep_statements(connection)?;
    let mode = switch_to_log(connection).map_err(|error| before_commit(&error))?;
    if mode != "wal" {
        return Err(JournalError::Refused(format!(
            "the file system gives journal mode {mode} instead of wal"
        )));
    }
    batch(
        connection,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
         PRAGMA cache_size = -65536;",
    )?;
    match options.pages_max {
        Some(pages) => batch(connection, &format!("PRAGMA max_page_count = {pages};")),
        None => Ok(()),
    }
}

/// The mode as it is afterwards. The change is committed only when the statement has ended, after it has already answered
/// "wal": an error there must not be passed over, or commits would rest on a rollback journal without a synced folder.
fn switch_to_log(connection: &Connection) -> rusqlite::Result<String> {
    let mut switch = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut answers = switch.query([])?;
    while answers.next()?.is_some() {}
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

/// Looks through so many pages of the file: a start does not wait for all of a large one. SQLite looks at every page again when
/// it reads it.
fn quick_check(connection: &mut Connection, pages: u32) -> Result<(), JournalError> {
    let mut left = pages / STEPS;
    let is_enough = move || {
        left = left.saturating_sub(1);
        left == 0
    };
    let limited = connection.progress_handler(i32::try_from(STEPS).unwrap_or(1), Some(is_enough));
    limited.map_err(|error| before_commit(&error))?;
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let unlimited = connection.progress_handler(0, None::<fn() -> bool>);
    unlimited.map_err(|error| before_commit(&error))?;
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(JournalError::Damaged(format!("quick_check says: {verdict}"))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(
                pages,
                "the journal's file is large: so much of it was looked through, and no damage found"
            );
            Ok(())
        }
        Err(error) => Err(before_commit(&error)),
    }
}

/// Begins with a log of its own: what was acknowledged is moved into the file, and one commit, which changes nothing, makes
/// durable that the former log is gone. Without it a commit that failed, and that nobody finds any more, could come back
/// after a power cut. A full disk does not stop the journal from opening: reading goes on, and room may come back.
fn begin_log(connection: &Connection) -> Result<(), JournalError> {
    match connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 1;") {
        Err(error) if ends_connection(&error) => Err(before_commit(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn batch(connection: &Connection, sql: &str) -> Result<(), JournalError> {
    connection.execute_batch(sql).map_err(|error| before_commit(&error))
}

fn refused(what: &str, error: &std::io::Error) -> JournalError {
    JournalError::Refused(format!("{what}: {error}"))
}
