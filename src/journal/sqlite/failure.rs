//! What an SQLite error means for the write that met it. Texts carry no value of any row.

use crate::journal::JournalError;
use rusqlite::ErrorCode;

/// Why a write stopped inside a transaction.
#[derive(Debug)]
pub(super) enum Stop {
    /// The write itself cannot be; it has changed nothing, and the transaction may go on.
    Refused(String),
    /// The database said no; the transaction must not go on.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Stop {
    pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(reason.into()))
    }
}

/// The error when nothing can have been committed: it arose before COMMIT, or in a read.
pub(super) fn before_commit(error: &rusqlite::Error) -> JournalError {
    if is_damage(error) {
        return JournalError::Damaged(error.to_string());
    }
    JournalError::Refused(error.to_string())
}

/// The error of COMMIT itself. A full disk stops the commit record from being written whole, so the commit is certainly not
/// there; after an input/output error it may be on the disk or not (facts/reliability.md 3.3).
pub(super) fn of_commit(error: &rusqlite::Error) -> JournalError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly) => {
            JournalError::Refused(error.to_string())
        }
        _ => JournalError::Unknown(error.to_string()),
    }
}

/// Whether only this write is at fault, so that others of its batch may go on without it.
pub(super) fn is_of_one_write(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange)
    ) || is_conversion(error)
}

/// Whether the connection must be given up. Retrying on the same handle after a failed fsync would trust pages that the
/// kernel has marked clean although they never reached the disk.
pub(super) fn ends_connection(error: &rusqlite::Error) -> bool {
    !is_of_one_write(error)
        && !matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly)
        )
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || is_conversion(error)
}

/// A row that does not read as what this version writes.
fn is_conversion(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}
