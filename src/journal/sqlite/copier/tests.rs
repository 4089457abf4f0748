#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::super::tests::{accept_of, count};
use super::super::{Options, Store};
use crate::journal::{JournalError, Write};
use std::fs::File;
use std::io;
use std::path::Path;

fn fails(_: &File) -> io::Result<()> {
    Err(io::Error::other("planted"))
}

/// A journal with one exchange, whose log was copied, or would have been but for the sync.
fn copied(path: &Path, sync: fn(&File) -> io::Result<()>) -> Store {
    let options = Options {
        sync,
        ..Options::default()
    };
    let mut store = Store::open_with(path, options).unwrap();
    let accept = Write::Accept(Box::new(accept_of("1", "B")));
    store.apply(&accept).unwrap().accepted().unwrap();
    store.copier.as_ref().unwrap().call();
    store
}

/// The writer has not come yet when the journal is closed.
#[test]
fn a_failed_copy_is_not_forgotten_at_the_close() {
    for (sync, is_kept) in [(File::sync_data as fn(&File) -> _, false), (fails, true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(copied(&path, sync));
        let log = path.with_extension("db-wal");
        assert_eq!(log.exists(), is_kept, "the log is all that can be relied on after a failure");
        assert_eq!(count(&Store::open(&path).unwrap(), "exchange"), 1);
    }
}

/// Nor does anybody read by an index that counts as copied what may be lost.
#[test]
fn nothing_is_read_until_all_is_copied_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = copied(&path, fails);
    let mut reader = Store::open_read_only(&path).unwrap();
    reader.follow(&writer);
    assert!(reader.connected().is_ok());
    writer.when_idle();
    let refused = reader.connected().map(drop);
    assert!(
        matches!(&refused, Err(JournalError::Refused(reason)) if reason.contains("disk failed")),
        "{refused:?}"
    );
    writer.connected().unwrap();
    reader.connected().unwrap();
    assert_eq!(count(&reader, "exchange"), 1);
}
