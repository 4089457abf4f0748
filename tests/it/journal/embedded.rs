//! What only the embedded journal promises: its file, its lock, its bounds, and what it does when the disk is full.

use super::data::{accept, deliver, fresh, key, message, reserve, stored, take, unlocked, walk};
use hangu::journal::sqlite::{Options, SqliteJournal, Store};
use hangu::journal::{Accept, Accepted, Journal, JournalError, MessageRecord, Read, SealedRecord, State, Write, Written};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    (folder, path)
}

fn write(request: Accept) -> Write {
    Write::Accept(Box::new(request))
}

/// A request with a body that fills pages.
fn large(serial: &str) -> Accept {
    let record = SealedRecord {
        key: "J1".into(),
        sealed: vec![7; 3_000],
    };
    Accept {
        message: MessageRecord {
            record,
            ..accept(serial).message
        },
        ..accept(serial)
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let (_folder, path) = place();
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&path).unwrap());
    let id = fresh(&*journal, accept("1")).await;
    assert_eq!(reserve(&journal, "2026-11-22", 100).await, 1);
    drop(journal);
    let journal: Arc<dyn Journal> = Arc::new(reopened(&path));
    assert_eq!(stored(&*journal, id).await.communication_key, key("1"));
    assert!(matches!(take(&*journal, accept("1")).await, Accepted::Repeat { .. }));
    assert_eq!(reserve(&journal, "2026-11-22", 1).await, 101, "a serial is never given again");
}

/// Dropping a journal ends its threads soon; until then the lock is theirs.
fn reopened(path: &Path) -> SqliteJournal {
    unlocked(|| SqliteJournal::open(path)).unwrap()
}

#[tokio::test]
async fn closing_finishes_what_waits_and_frees_the_file() {
    let (_folder, path) = place();
    let journal = Arc::new(SqliteJournal::open(&path).unwrap());
    let mut tasks = JoinSet::new();
    for serial in 0..100 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move { journal.write(write(accept(&serial.to_string()))).await });
    }
    tokio::task::yield_now().await;
    journal.close().await;
    let written = tasks.join_all().await.iter().filter(|result| result.is_ok()).count();
    assert!(matches!(
        journal.write(write(accept("x"))).await,
        Err(JournalError::Refused(_))
    ));
    assert!(matches!(journal.read(Read::Exchange(1)).await, Err(JournalError::Refused(_))));
    let store = Store::open(&path).unwrap();
    let found = (0..100).filter(|serial| is_there(&store, &key(&serial.to_string()))).count();
    assert_eq!(found, written);
}

fn is_there(store: &Store, key: &str) -> bool {
    store
        .query(&Read::ByCommunicationKey(key.into()))
        .unwrap()
        .exchange()
        .unwrap()
        .is_some()
}

#[test]
fn only_one_writes_and_any_may_read() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert_eq!(
        error,
        JournalError::Refused("another process has the journal open for writing".into())
    );
    store.apply(&write(accept("1"))).unwrap();
    let mut reader = Store::open_read_only(&path).unwrap();
    assert!(is_there(&reader, &key("1")));
    assert!(matches!(reader.apply(&write(accept("2"))), Err(JournalError::Refused(_))));
    assert!(is_there(&reader, &key("1")), "a refused write leaves the reader usable");
    drop(store);
    assert!(is_there(&Store::open(&path).unwrap(), &key("1")));
}

#[test]
fn the_file_is_ours_alone() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.apply(&write(accept("1"))).unwrap();
    for name in ["journal.db", "journal.db-wal", "journal.db.lock"] {
        let mode = std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, path) = place();
    drop(Store::open(&path).unwrap());
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'", [])
        .unwrap();
    for opened in [Store::open(&path), Store::open_read_only(&path)] {
        let Err(JournalError::Damaged(reason)) = opened else {
            panic!("not refused")
        };
        assert_eq!(
            reason,
            "schema version 99 is newer than 4, the newest this hangu knows: use the newer hangu"
        );
    }
}

#[test]
fn another_programmes_database_is_refused_and_left_alone() {
    let (_folder, path) = place();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(JournalError::Damaged(_))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    for serial in 0..200 {
        store.apply(&write(large(&serial.to_string()))).unwrap();
    }
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn[40_960..61_440].fill(0x5A);
    for bytes in [
        torn,
        b"this is no database, but it is longer than a header of one hundred bytes would be; so it is read as one".to_vec(),
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Store::open(&path), Err(JournalError::Damaged(_))));
    }
    std::fs::write(&path, whole).unwrap();
    assert!(Store::open(&path).is_ok());
}

/// A gateway with years in its journal starts at once: what no check came to is found where it is read.
#[test]
fn an_opening_looks_for_damage_only_so_far() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    for serial in 0..1_000 {
        store.apply(&write(large(&serial.to_string()))).unwrap();
    }
    drop(store);
    tear_the_first_message(&path);
    let hasty = Options {
        check_pages: 0,
        ..Options::default()
    };
    let store = Store::open_with(&path, hasty).unwrap();
    assert!(store.query(&Read::Messages(1)).is_err());
    assert!(store.query(&Read::Messages(999)).is_ok());
    drop(store);
    assert!(matches!(Store::open(&path), Err(JournalError::Damaged(_))));
}

/// Its page is the last of its tree that SQLite checks: a child of a page comes before its left sisters.
fn tear_the_first_message(path: &Path) {
    const PAGE: usize = 4096;
    let of_messages = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'";
    let database = rusqlite::Connection::open(path).unwrap();
    let root: u32 = database.query_row(of_messages, [], |row| row.get(0)).unwrap();
    let mut page = usize::try_from(root).unwrap();
    drop(database);
    let mut bytes = std::fs::read(path).unwrap();
    let number = |at: usize, size: usize| bytes[at..at + size].iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    loop {
        let start = (page - 1) * PAGE;
        // An inner page of a table: its first cell begins with the number of its leftmost child.
        if bytes[start] != 5 {
            break;
        }
        page = number(start + number(start + 12, 2), 4);
    }
    bytes[(page - 1) * PAGE..page * PAGE].fill(0x5A);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_refused() {
    let (folder, _) = place();
    for path in [folder.path().join("no/such/folder/journal.db"), folder.path().to_owned()] {
        assert!(matches!(Store::open(&path), Err(JournalError::Refused(_))), "{path:?}");
    }
    assert!(Store::open_read_only(&folder.path().join("absent.db")).is_err());
}

#[tokio::test]
async fn a_full_journal_refuses_and_goes_on_when_there_is_room() {
    let (_folder, path) = place();
    let options = Options {
        pages_max: Some(200),
        ..Options::default()
    };
    let journal = SqliteJournal::open_with(&path, options).unwrap();
    let mut ids = Vec::new();
    let refused = loop {
        match journal.write(write(large(&ids.len().to_string()))).await {
            Ok(written) => match written.accepted().unwrap() {
                Accepted::New { id, .. } => ids.push(id),
                other => panic!("not new: {other:?}"),
            },
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, JournalError::Refused(_)), "{refused}");
    assert!(ids.len() > 20);
    for (serial, id) in ids.iter().enumerate() {
        assert_eq!(
            stored(&journal, *id).await.communication_key,
            key(&serial.to_string()),
            "reading goes on"
        );
    }
    let ended = &ids[..10];
    for id in ended {
        deliver(&journal, *id).await;
    }
    assert_eq!(
        journal.write(Write::Prune { before: i64::MAX }).await,
        Ok(Written::Pruned(10))
    );
    fresh(&journal, large("after")).await;
    assert_eq!(stored(&journal, ids[10]).await.state, State::Accepted);
}

#[test]
fn a_batch_survives_a_refused_write() {
    let (_folder, path) = place();
    let mut store = Store::open(&path).unwrap();
    let unknown = Write::Reply {
        replaces: None,
        id: 1,
        answers: "nothing".into(),
        message: message("received", "request", "1", 1),
    };
    let results = store.apply_batch(&[write(accept("1")), unknown, write(accept("2"))]).unwrap();
    assert!(matches!(results[1], Err(JournalError::Refused(_))));
    assert!(matches!(
        (&results[0], &results[2]),
        (Ok(Written::Accepted(_)), Ok(Written::Accepted(_)))
    ));
    assert!(is_there(&store, &key("1")) && is_there(&store, &key("2")));
}

#[tokio::test]
async fn too_many_waiting_writes_are_refused() {
    let (_folder, path) = place();
    let options = Options {
        writes_waiting_max: 2,
        ..Options::default()
    };
    let journal = Arc::new(SqliteJournal::open_with(&path, options).unwrap());
    let mut tasks = JoinSet::new();
    for serial in 0..200 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move { journal.write(write(accept(&serial.to_string()))).await });
    }
    let results = tasks.join_all().await;
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(JournalError::Refused(_))))
        .count();
    let written = results.iter().filter(|result| result.is_ok()).count();
    assert!(
        refused > 0 && written > 0 && refused + written == 200,
        "{refused} refused, {written} written"
    );
}

#[tokio::test]
async fn the_log_is_kept_short_under_load() {
    let (_folder, path) = place();
    let options = Options {
        checkpoint_bytes: 1 << 18,
        log_bytes_max: 1 << 19,
        ..Options::default()
    };
    let journal = SqliteJournal::open_with(&path, options).unwrap();
    let log = path.with_file_name("journal.db-wal");
    let mut longest = 0;
    for serial in 0..300 {
        fresh(&journal, large(&serial.to_string())).await;
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    assert!(longest < 2 << 20, "the log grew to {longest} bytes");
    journal.close().await;
    assert!(!log.exists(), "closing moves the log into the file");
}

#[tokio::test]
async fn a_long_prune_goes_in_turns() {
    let (_folder, path) = place();
    let options = Options {
        prune_max: 3,
        ..Options::default()
    };
    let journal = SqliteJournal::open_with(&path, options).unwrap();
    for serial in 0..10 {
        let id = fresh(&journal, accept(&serial.to_string())).await;
        deliver(&journal, id).await;
    }
    let open = fresh(&journal, accept("open")).await;
    assert_eq!(
        journal.write(Write::Prune { before: i64::MAX }).await,
        Ok(Written::Pruned(10))
    );
    let sent = super::data::step(open, &[State::Accepted], State::Sent, 2_000);
    assert_eq!(walk(&journal, sent).await, Written::Moved);
}
