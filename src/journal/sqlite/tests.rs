#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::failure::{before_commit, ends_connection, is_of_one_write, of_commit};
use super::{Store, accept, change, effect, message, park, prune, query, search};
use crate::journal::{Accept, Accepted, Found, JournalError, MessageRecord, Read, SealedRecord, Write, Written};
use rusqlite::{Connection, Error, ErrorCode, ffi};

fn accept(serial: &str, batch: &str) -> Write {
    Write::Accept(Box::new(accept_of(serial, batch)))
}

pub(super) fn accept_of(serial: &str, batch: &str) -> Accept {
    let record = SealedRecord {
        key: "J1".into(),
        sealed: vec![1],
    };
    let message = MessageRecord {
        link: "l".into(),
        direction: "received",
        part: "request".into(),
        code: "c".into(),
        record,
        at: 1,
    };
    Accept {
        owner: "one".into(),
        lease_until: 10,
        communication_key: serial.into(),
        business_key: Some(serial.into()),
        content: [1; 32],
        link_in: "l".into(),
        operation: "debit".into(),
        institution: None,
        amount_fen: None,
        initiator: "i".into(),
        msg_id: serial.into(),
        msg_code: "c".into(),
        end_to_end_id: None,
        settlement_date: None,
        batch: Some(batch.into()),
        account_digest: None,
        cancels: None,
        identities: Vec::new(),
        message,
        at: 1,
        deadline: 5,
        sends: None,
    }
}

pub(super) fn count(store: &Store, table: &str) -> i64 {
    let connection = store.connection.as_ref().unwrap();
    connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

fn is_new(result: &Result<Written, JournalError>) -> bool {
    matches!(result, Ok(Written::Accepted(accepted)) if matches!(**accepted, Accepted::New { .. }))
}

/// A trigger that fails the second insertion of a write stands for every failure in the middle of one.
#[test]
fn a_write_that_fails_half_way_leaves_nothing_and_harms_no_other() {
    let mut store = Store::memory().unwrap();
    let half_way = "CREATE TABLE refuser (n INTEGER NOT NULL CHECK (n <> 2)) STRICT;
        CREATE TRIGGER half AFTER INSERT ON request BEGIN INSERT INTO refuser VALUES (NEW.exchange_id); END;";
    store.connection.as_ref().unwrap().execute_batch(half_way).unwrap();
    let results = store
        .apply_batch(&[accept("a", "x"), accept("b", "x"), accept("c", "y")])
        .unwrap();
    assert!(is_new(&results[0]), "{results:?}");
    assert!(
        matches!(&results[1], Err(JournalError::Refused(reason)) if reason.contains("CHECK")),
        "{results:?}"
    );
    assert_eq!(
        (
            count(&store, "exchange"),
            count(&store, "request"),
            count(&store, "message"),
            count(&store, "original")
        ),
        {
            let kept = i64::from(is_new(&results[0])) + i64::from(is_new(&results[2]));
            (kept, kept, kept, kept)
        }
    );
    assert!(store.connection.as_ref().unwrap().is_autocommit());
}

#[test]
fn a_unique_violation_is_refused_and_the_store_goes_on() {
    let mut store = Store::memory().unwrap();
    store
        .connection
        .as_ref()
        .unwrap()
        .execute_batch("CREATE UNIQUE INDEX one_batch ON exchange (batch)")
        .unwrap();
    let results = store
        .apply_batch(&[accept("a", "x"), accept("b", "x"), accept("c", "y")])
        .unwrap();
    assert!(is_new(&results[0]) && is_new(&results[2]), "{results:?}");
    assert!(matches!(results[1], Err(JournalError::Refused(_))));
    assert_eq!(
        (count(&store, "exchange"), count(&store, "request"), count(&store, "original")),
        (2, 2, 2)
    );
}

#[test]
fn the_schema_itself_keeps_keys_apart() {
    let mut store = Store::memory().unwrap();
    store.apply(&accept("a", "x")).unwrap();
    let connection = store.connection.as_ref().unwrap();
    let copies = [
        "INSERT INTO request SELECT communication_key, exchange_id, NULL, 1, 0 FROM request",
        "INSERT INTO original SELECT initiator, msg_id, msg_code, exchange_id, NULL, 0 FROM original",
        "INSERT INTO message SELECT NULL, exchange_id, seq, link, direction, part, code, key_serial, sealed, at FROM message",
        "INSERT INTO message VALUES (NULL, 99, 1, 'l', 'sent', 'reply', 'c', 'J1', x'00', 1)",
        "UPDATE exchange SET state = 'gone'",
        "UPDATE exchange SET outcome = 'perhaps'",
        "DELETE FROM exchange",
        "INSERT INTO original VALUES ('i', 'm', 'c', NULL, NULL, 0)",
    ];
    for sql in copies {
        let error = connection.execute(sql, []).unwrap_err();
        assert_eq!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation),
            "{sql}: {error}"
        );
    }
}

#[test]
fn every_read_uses_an_index() {
    let store = Store::memory().unwrap();
    let connection = store.connection.as_ref().unwrap();
    let by_index = [
        accept::KNOWN,
        query::BY_ID,
        query::BY_OUT_KEY,
        query::BY_REQUEST,
        query::BY_ORIGINAL,
        query::DUE,
        query::REQUESTS,
        query::TWINS,
        query::UNKNOWN,
        query::COUNT_OPEN,
        query::COUNT_DELIVERED,
        query::COUNT_PARKED,
        search::BY_ID,
        search::BY_KEY,
        search::BY_ACCOUNT,
        search::BY_ACCOUNT_OF_DAY,
        search::BY_OPEN,
        search::BY_DATE,
        park::BY_ID,
        park::BY_STATUS,
        park::WAITING,
        park::RELEASING,
        park::RELEASED_AS,
        query::SCAN,
        effect::OF_EXCHANGE,
        effect::PAGE,
        effect::CHAIN_AFTER,
        effect::TIP,
        effect::FACTS,
        message::LOOK,
        change::TAKEABLE,
        prune::OLD,
    ];
    for sql in by_index.into_iter().chain(prune::DELETIONS) {
        let steps = plan(connection, sql);
        // One row of constants is no walk.
        let walks = |step: &String| step.starts_with("SCAN ") && !step.contains("USING") && step != "SCAN CONSTANT ROW";
        let walks = steps.iter().any(walks);
        assert!(!walks, "{steps:#?}\n{sql}");
    }
    // The newest first, by the table's own order: the limit ends it.
    for sql in [search::NEWEST, park::ANY] {
        assert!(
            !plan(connection, sql).iter().any(|step| step.contains("TEMP B-TREE")),
            "{sql}"
        );
    }
}

/// Such a table costs more than the rest of the move.
#[test]
fn a_move_builds_no_table_of_its_own() {
    let store = Store::memory().unwrap();
    let connection = store.connection.as_ref().unwrap();
    for sql in [change::MOVE, change::MOVE_BARE] {
        let steps: Vec<String> = explained(connection, "EXPLAIN", sql, 1);
        assert!(steps.iter().any(|step| step == "MakeRecord"), "{steps:?}");
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{steps:?}");
    }
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    explained(connection, "EXPLAIN QUERY PLAN", sql, 3)
}

fn explained(connection: &Connection, how: &str, sql: &str, column: usize) -> Vec<String> {
    let mut statement = connection.prepare(&format!("{how} {sql}")).unwrap();
    let places = statement.parameter_count();
    let nothing = rusqlite::params_from_iter(std::iter::repeat_n(rusqlite::types::Null, places));
    statement
        .query_map(nothing, |row| row.get(column))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn failure(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

#[test]
fn errors_mean_what_they_can_promise() {
    let cases = [
        (ffi::SQLITE_FULL, "refused", "refused", false),
        (ffi::SQLITE_BUSY, "refused", "refused", false),
        (ffi::SQLITE_READONLY, "refused", "refused", false),
        (ffi::SQLITE_IOERR_FSYNC, "refused", "unknown", true),
        (ffi::SQLITE_IOERR_WRITE, "refused", "unknown", true),
        (ffi::SQLITE_CORRUPT, "damaged", "unknown", true),
        (ffi::SQLITE_NOTADB, "damaged", "unknown", true),
        (ffi::SQLITE_NOMEM, "refused", "unknown", true),
        (ffi::SQLITE_CONSTRAINT, "refused", "unknown", false),
    ];
    for (code, before, commit, ends) in cases {
        let error = failure(code);
        let found = (
            name(&before_commit(&error)),
            name(&of_commit(&error)),
            ends_connection(&error),
        );
        assert_eq!(found, (before, commit, ends), "{error}");
    }
    assert!(is_of_one_write(&failure(ffi::SQLITE_CONSTRAINT_UNIQUE)));
    assert!(!is_of_one_write(&failure(ffi::SQLITE_IOERR)));
}

fn name(error: &JournalError) -> &'static str {
    match error {
        JournalError::Refused(_) => "refused",
        JournalError::Unknown(_) => "unknown",
        JournalError::Damaged(_) => "damaged",
    }
}

#[test]
fn a_store_that_lost_its_connection_opens_the_file_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("journal.db")).unwrap();
    store.apply(&accept("a", "x")).unwrap();
    store.give_up();
    assert!(matches!(store.query(&Read::Exchange(1)), Err(JournalError::Refused(_))));
    store.apply(&accept("b", "x")).unwrap();
    assert!(matches!(store.query(&Read::Exchange(1)), Ok(Found::Exchange(Some(_)))));

    let mut memory = Store::memory().unwrap();
    memory.give_up();
    assert!(matches!(memory.apply(&accept("a", "x")), Err(JournalError::Damaged(_))));
}

#[test]
fn a_value_that_this_version_does_not_write_is_damage() {
    let mut store = Store::memory().unwrap();
    store.apply(&accept("a", "x")).unwrap();
    let later =
        "PRAGMA ignore_check_constraints = ON; UPDATE exchange SET state = 'later'; PRAGMA ignore_check_constraints = OFF";
    store.connection.as_ref().unwrap().execute_batch(later).unwrap();
    assert!(matches!(store.query(&Read::Exchange(1)), Err(JournalError::Damaged(_))));
    assert!(matches!(store.apply(&accept("a", "x")), Err(JournalError::Damaged(_))));
    assert!(
        is_new(&store.apply(&accept("b", "x"))),
        "one unreadable row stops only its own exchange"
    );
}
