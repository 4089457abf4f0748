//! Books of long runs. A party remembers so many payments; those before them that are over leave its memory for a shelf, and
//! what is left of each is a digest of its key, by which a request that comes again much later is not executed again.

use super::BookEntry;
use codecs::payment::{Outcome, Reason};
use keys::sm3::sm3;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Where entries go that nobody has to remember.
pub trait Shelf: Send {
    fn put(&mut self, key: &str, entry: &BookEntry);

    /// Says what could not be written, if anything.
    fn close(&mut self) -> Result<(), String>;
}

/// Nothing is kept.
pub struct NoShelf;

impl Shelf for NoShelf {
    fn put(&mut self, _key: &str, _entry: &BookEntry) {}

    fn close(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// A book's file, written as payments end: it reads as one that was written at once, in another order.
pub struct BookFile {
    file: BufWriter<File>,
    is_begun: bool,
    failed: Option<String>,
}

impl BookFile {
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            is_begun: false,
            failed: None,
        })
    }

    fn write(&mut self, key: &str, entry: &BookEntry) -> Result<(), String> {
        let before = if self.is_begun { ",\n" } else { "{\"entries\":{\n" };
        let name = serde_json::to_string(key).map_err(|error| error.to_string())?;
        let entry = serde_json::to_string(entry).map_err(|error| error.to_string())?;
        self.is_begun = true;
        write!(self.file, "{before}{name}:{entry}").map_err(|error| error.to_string())
    }

    fn end(&mut self) -> Result<(), String> {
        let before = if self.is_begun { "" } else { "{\"entries\":{" };
        let written = writeln!(self.file, "{before}\n}}}}").and_then(|()| self.file.flush());
        written.map_err(|error| error.to_string())
    }
}

impl Shelf for BookFile {
    /// The first failure is kept until the end: a run does not stop for it.
    fn put(&mut self, key: &str, entry: &BookEntry) {
        if self.failed.is_none() {
            self.failed = self.write(key, entry).err();
        }
    }

    fn close(&mut self) -> Result<(), String> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => self.end(),
        }
    }
}

/// Entries as a file holds them. One that stands there twice was executed as often as both say.
pub(super) fn entries<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<String, BookEntry>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = BTreeMap<String, BookEntry>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("entries by business key")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut entries = Self::Value::new();
            while let Some((key, mut entry)) = map.next_entry::<String, BookEntry>()? {
                let before = entries.get(&key).map_or(0, |entry| entry.executions);
                entry.executions = entry.executions.saturating_add(before);
                entries.insert(key, entry);
            }
            Ok(entries)
        }
    }

    source.deserialize_map(Entries)
}

/// The payments that a party remembers, oldest first, and where older ones go.
pub(crate) struct Window {
    size: usize,
    order: VecDeque<String>,
    shelf: Box<dyn Shelf>,
}

impl Window {
    pub(crate) fn new(size: usize, shelf: Box<dyn Shelf>) -> Self {
        Self {
            size,
            order: VecDeque::new(),
            shelf,
        }
    }

    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Remembers one more; says which of the old ones may go, two at most, so that those which are still open hold nobody up.
    pub(crate) fn enter(&mut self, key: &str) -> Vec<String> {
        self.order.push_back(key.to_owned());
        let over = self.order.len().saturating_sub(self.size).min(2);
        self.order.drain(..over).collect()
    }

    /// One that is still open is remembered as if it had just come.
    pub(crate) fn stay(&mut self, key: String) {
        self.order.push_back(key);
    }

    pub(crate) fn put(&mut self, key: &str, entry: &BookEntry) {
        self.shelf.put(key, entry);
    }

    pub(crate) fn close(&mut self) -> Result<(), String> {
        self.shelf.close()
    }
}

/// What is left of payments that nobody remembers: whether they succeeded.
#[derive(Default)]
pub(crate) struct Gone(BTreeMap<[u8; 16], bool>);

impl Gone {
    pub(crate) fn note(&mut self, key: &str, outcome: &str) {
        self.0.insert(digest(key), outcome == Outcome::Success.name());
    }

    /// How a payment ended.
    pub(crate) fn outcome(&self, key: &str) -> Option<Outcome> {
        if self.0.is_empty() {
            return None;
        }
        let succeeded = *self.0.get(&digest(key))?;
        Some(if succeeded {
            Outcome::Success
        } else {
            Outcome::failed(Reason::Other, "refused long before")
        })
    }
}

/// Half of the digest: enough that no two keys of a run meet.
fn digest(key: &str) -> [u8; 16] {
    sm3(&[key.as_bytes()]).first_chunk().copied().unwrap_or_default()
}
