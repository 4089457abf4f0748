//! A folder with a journal in it, and what a healthy process finds there.

use super::script::Step;
use crate::journal::data::unlocked;
use hangu::journal::sqlite::{Options, Store};
use hangu::journal::{JournalError, Write};
use powercut::Image;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The bounds of a small journal: everything that production does after megabytes happens after a few pages.
pub(super) fn options(vfs: Option<&'static str>) -> Options {
    Options {
        checkpoint_bytes: 40 * 4096,
        log_bytes_max: 100 * 4096,
        idle_ms: 1,
        prune_max: 2,
        vfs,
        ..Options::default()
    }
}

/// In memory where the system has such a folder: the disk is simulated, so a real one would only be slow.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self { folder: folder.unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// Opens the journal on a disk of that name, or on the operating system's.
    pub(super) fn open(&self, vfs: Option<&'static str>) -> Result<Store, JournalError> {
        unlocked(|| Store::open_with(&self.path(), options(vfs)))
    }

    pub(super) fn clear(&self) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Lays the files as they are when the power is back, with an index of the log that means nothing.
    pub(super) fn lay(&self, image: &Image) {
        self.clear();
        for (name, bytes) in image {
            fs::write(self.folder.path().join(name), bytes).unwrap();
        }
        fs::write(self.folder.path().join(format!("{NAME}-shm")), vec![0xA5; 32 << 10]).unwrap();
    }

    /// The digest of every row of every table. An error is a damaged file.
    pub(super) fn look(&self) -> rusqlite::Result<u64> {
        let connection = Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut digest = DefaultHasher::new();
        for table in tables {
            table.hash(&mut digest);
            digest_rows(&connection, &table, &mut digest)?;
        }
        Ok(digest.finish())
    }

    /// What SQLite itself finds wrong with the file.
    pub(super) fn faults(&self) -> rusqlite::Result<Vec<String>> {
        let connection = Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut found = Vec::new();
        for check in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
            let mut statement = connection.prepare(check)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                found.push(row.get::<_, String>(0)?);
            }
        }
        found.retain(|line| line != "ok");
        Ok(found)
    }
}

/// The digest before any batch, and after each of them, on a disk that does what it is told.
pub(super) fn model<'a>(batches: impl Iterator<Item = &'a [Write]>) -> Vec<u64> {
    let place = Place::new();
    let mut store = place.open(None).unwrap();
    let mut digests = vec![place.look().unwrap()];
    for batch in batches {
        store.apply_batch(batch).unwrap();
        digests.push(place.look().unwrap());
    }
    digests
}

pub(super) fn batches(steps: &[Step]) -> impl Iterator<Item = &[Write]> {
    steps.iter().filter_map(|step| match step {
        Step::Batch(writes) => Some(writes.as_slice()),
        Step::Idle | Step::Restart => None,
    })
}

const NAME: &str = "journal.db";

fn digest_rows(connection: &Connection, table: &str, digest: &mut DefaultHasher) -> rusqlite::Result<()> {
    let columns = connection.prepare(&format!("SELECT * FROM \"{table}\""))?.column_count();
    let order: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY {}", order.join(", ")))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => 0_u8.hash(digest),
                ValueRef::Integer(number) => (1_u8, number).hash(digest),
                ValueRef::Real(number) => (2_u8, number.to_bits()).hash(digest),
                ValueRef::Text(bytes) => (3_u8, bytes).hash(digest),
                ValueRef::Blob(bytes) => (4_u8, bytes).hash(digest),
            }
        }
    }
    Ok(())
}
