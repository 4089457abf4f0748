//! What an error of the database means for the write that met it. Texts carry no value of any row.

use crate::journal::JournalError;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Why a write stopped inside a transaction.
#[derive(Debug)]
pub(super) enum Stop {
    /// The write itself cannot be; it has changed nothing, and the transaction may go on.
    Refused(String),
    /// Another writer came between: the whole transaction is to be done again.
    Again(&'static str),
    /// A row does not read as what this version writes.
    Damaged(String),
    /// The database said no; the transaction must not go on.
    Sql(Error),
}

/// Why a transaction came to nothing, or whether it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Another writer was faster, or waited for us: done again, it may pass.
    Conflict(String),
    /// One write is at fault.
    OfOne(JournalError),
    /// The connection went before COMMIT was sent.
    Lost(String),
    /// The database or its settings are at fault; nothing was written.
    OfAll(JournalError),
    /// COMMIT was sent, and nobody said what became of it.
    Unknown(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl Stop {
    pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(reason.into()))
    }
}

/// What a stop before COMMIT makes of the transaction.
pub(super) fn of_work(stop: Stop) -> Failure {
    let error = match stop {
        Stop::Refused(reason) => return Failure::OfOne(JournalError::Refused(reason)),
        Stop::Again(what) => return Failure::Conflict(what.into()),
        Stop::Damaged(what) => return Failure::OfOne(JournalError::Damaged(what)),
        Stop::Sql(error) => error,
    };
    let Some(said) = error.as_db_error() else {
        let detail = describe(&error);
        if is_of_connection(&error) {
            return Failure::Lost(detail);
        }
        return Failure::OfOne(JournalError::Damaged(detail));
    };
    let text = describe(&error);
    match said.code() {
        code if is_conflict(code) => Failure::Conflict(text),
        code if matches!(class(code), "22" | "23") => Failure::OfOne(JournalError::Refused(text)),
        code if class(code) == "08" || is_end(said) => Failure::Lost(text),
        _ => Failure::OfAll(JournalError::Refused(text)),
    }
}

/// What an error of COMMIT itself means. An ERROR is the server's word that nothing was committed; when the connection breaks
/// or the server ends it, the commit may be durable or not.
pub(super) fn of_commit(error: &Error) -> Failure {
    match error.as_db_error() {
        Some(said) if is_end(said) => Failure::Unknown(describe(error)),
        Some(said) if is_conflict(said.code()) => Failure::Conflict(describe(error)),
        Some(_) => Failure::OfAll(JournalError::Refused(describe(error))),
        None => Failure::Unknown(describe(error)),
    }
}

/// The error of a read, or of what was never committed.
pub(super) fn before_commit(stop: &Stop) -> JournalError {
    match stop {
        Stop::Refused(reason) => JournalError::Refused(reason.clone()),
        Stop::Again(what) => JournalError::Refused((*what).to_owned()),
        Stop::Damaged(what) => JournalError::Damaged(what.clone()),
        Stop::Sql(error) => JournalError::Refused(describe(error)),
    }
}

pub(super) fn is_lost(stop: &Stop) -> bool {
    match stop {
        Stop::Sql(error) => is_of_connection(error) || error.as_db_error().is_some_and(is_end),
        Stop::Refused(_) | Stop::Again(_) | Stop::Damaged(_) => false,
    }
}

/// Follows from an earlier error of the same transaction, which is the one to tell.
pub(super) fn is_consequence(stop: &Stop) -> bool {
    matches!(stop, Stop::Sql(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION))
}

/// What the server or the network said, without the detail that quotes values.
pub(super) fn describe(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn is_conflict(code: &SqlState) -> bool {
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ]
    .contains(code)
}

/// Whether the server ends the connection with this word.
fn is_end(said: &DbError) -> bool {
    matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) || said.code().code().starts_with("57P")
}

fn is_of_connection(error: &Error) -> bool {
    let by_network = error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    error.is_closed() || by_network
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}
