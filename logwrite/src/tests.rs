//! The log through the shim, against one without it.
#![allow(clippy::print_stdout, reason = "a random test tells its seed")]

use powercut::{Disk, Event, Random};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Few pages in memory, so that a large transaction writes to the log, reads from it and overwrites it before its commit.
fn opened(path: &Path, vfs: &str) -> Connection {
    let connection = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs).unwrap();
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 5;";
    connection.execute_batch(settings).unwrap();
    connection
}

#[test]
fn a_commit_is_one_write_to_the_log() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::register().unwrap());
    let connection = opened(&folder.path().join("a.db"), super::over(Some(disk.name())).unwrap());
    connection
        .execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
        .unwrap();
    disk.take();
    connection.execute_batch("INSERT INTO t VALUES (1, zeroblob(12000))").unwrap();
    let events = disk.take();
    let [Event::Wrote { bytes, .. }, Event::Synced { .. }] = events.as_slice() else {
        panic!("{} events", events.len());
    };
    assert!(
        bytes.len() > 3 * 4120 && bytes.len().is_multiple_of(4120),
        "{} bytes",
        bytes.len()
    );
}

#[test]
fn whatever_a_transaction_does_others_find_what_it_committed() {
    let seed = getrandom::u64().unwrap();
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let (path, mut random) = (folder.path().join("a.db"), Random::new(seed));
    let gathered = opened(&path, super::over(None).unwrap());
    let plain = opened(&folder.path().join("b.db"), "unix");
    let both = |sql: &str| [&gathered, &plain].map(|connection| connection.execute_batch(sql).unwrap());
    both("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB); CREATE INDEX i ON t (length(b), n)");
    let other = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    for _ in 0..120 {
        both("BEGIN");
        for _ in 0..=random.below(6) {
            both(&step(&mut random));
        }
        both(random.one_of::<&str>(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]));
        if random.percent(10) {
            both(random.one_of::<&str>(&["PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)"]));
        }
        assert_eq!(content(&other), content(&plain), "seed {seed}");
    }
    let verdict: String = other.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "seed {seed}");
}

fn step(random: &mut Random) -> String {
    let (row, pages) = (random.below(40), random.below(30));
    match random.below(4) {
        0 => format!(
            "SAVEPOINT s; UPDATE t SET b = zeroblob({}); ROLLBACK TO s; RELEASE s",
            pages * 900
        ),
        1 => format!("DELETE FROM t WHERE n = {row}"),
        2 => format!("UPDATE t SET b = zeroblob({}) WHERE n % 3 = {}", pages * 700, row % 3),
        _ => format!("INSERT OR REPLACE INTO t VALUES ({row}, zeroblob({}))", pages * 4_000),
    }
}

fn content(connection: &Connection) -> Vec<(i64, i64)> {
    let mut rows = connection.prepare("SELECT n, length(b) FROM t ORDER BY n").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
