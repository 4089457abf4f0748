//! What reached the disk, in order, and which operation is to fail.

use std::collections::BTreeMap;
use std::path::Path;

/// One file from its creation to its deletion; a name may belong to several, one after the other.
pub type FileId = u64;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Was there, durable with these bytes, before the recording began.
    Found {
        name: String,
        file: FileId,
        bytes: Vec<u8>,
    },
    Created {
        name: String,
        file: FileId,
    },
    Wrote {
        file: FileId,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncated {
        file: FileId,
        length: u64,
    },
    Synced {
        file: FileId,
    },
    /// What was not durable may be lost although every read shows it, and no later sync brings it to the disk.
    SyncFailed {
        file: FileId,
    },
    Deleted {
        name: String,
    },
    /// Every creation and deletion so far is durable.
    FolderSynced,
    /// The caller was told that everything up to this number is durable.
    Acknowledged(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Writes and truncations.
    Write,
    Sync,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    InputOutput,
    Full,
}

/// Which operation fails, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    pub operation: Operation,
    /// Counted from 1, beginning when the fault is set.
    pub at: u64,
    pub answer: Answer,
    /// All later ones fail too, until the disk is healed.
    pub lasting: bool,
}

/// A file as it is found when it is opened.
#[derive(PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    /// Known; somebody may have cut it past the recorder.
    Known {
        length: u64,
    },
    Bytes(Vec<u8>),
}

#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<Event>,
    names: BTreeMap<String, FileId>,
    lengths: BTreeMap<FileId, u64>,
    files: FileId,
    fault: Option<Fault>,
    seen: u64,
    pub(crate) failed: u64,
    pub(crate) lies_about: Option<&'static str>,
}

impl Recorder {
    /// The file that a name stands for, and what becomes known of it by being opened.
    pub(crate) fn opened(&mut self, path: &Path, found: Found) -> FileId {
        let name = name(path);
        let known = self.names.get(&name).copied().filter(|_| found != Found::Absent);
        let file = known.unwrap_or(self.files + 1);
        self.files = self.files.max(file);
        let name = &name;
        match found {
            Found::Bytes(bytes) => {
                self.lengths.insert(file, count(&bytes));
                let name = name.clone();
                self.events.push(Event::Found { name, file, bytes });
            }
            Found::Absent => self.events.push(Event::Created {
                name: name.clone(),
                file,
            }),
            Found::Known { length } if length < self.lengths.get(&file).copied().unwrap_or(0) => self.truncated(file, length),
            Found::Known { .. } => {}
        }
        self.names.insert(name.clone(), file);
        file
    }

    pub(crate) fn wrote(&mut self, file: FileId, at: u64, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        let end = at.saturating_add(count(&bytes));
        let length = self.lengths.entry(file).or_default();
        *length = end.max(*length);
        self.events.push(Event::Wrote { file, at, bytes });
    }

    pub(crate) fn truncated(&mut self, file: FileId, length: u64) {
        self.lengths.insert(file, length);
        self.events.push(Event::Truncated { file, length });
    }

    pub(crate) fn knows(&self, path: &Path) -> bool {
        self.names.contains_key(&name(path))
    }

    pub(crate) fn deleted(&mut self, path: &Path, folder_synced: bool) {
        let name = name(path);
        self.names.remove(&name);
        self.events.push(Event::Deleted { name });
        if folder_synced {
            self.events.push(Event::FolderSynced);
        }
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
        self.seen = 0;
    }

    /// Counts an operation; the answer if it must fail.
    pub(crate) fn fails(&mut self, operation: Operation) -> Option<Answer> {
        let fault = self.fault.filter(|fault| fault.operation == operation)?;
        self.seen += 1;
        let hit = self.seen == fault.at || (fault.lasting && self.seen > fault.at);
        self.failed += u64::from(hit);
        hit.then_some(fault.answer)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
