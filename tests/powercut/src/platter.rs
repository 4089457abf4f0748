//! What a power cut can leave: what was synced, and of the rest anything.

use crate::{Event, FileId, Random};
use std::collections::BTreeMap;

/// The unit that a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// Files by name, as they are found when the power is back.
pub type Image = BTreeMap<String, Vec<u8>>;

/// Which of the unsynced operations reached the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    Nothing,
    Everything,
    /// In order up to some point, where one write is cut short.
    Prefix,
    /// Any of them, each whole.
    Subset,
    /// Any of them, and of a write any sectors; now and then one with noise in it.
    Torn,
}

/// The state of the disk after the events so far.
pub struct Platter<'a> {
    durable: Disk,
    pending: Vec<&'a Event>,
    acknowledged: usize,
    random: Random,
}

#[derive(Clone, Default)]
struct Disk {
    files: BTreeMap<FileId, Vec<u8>>,
    names: BTreeMap<String, FileId>,
}

impl<'a> Platter<'a> {
    /// The seed decides what failed syncs lose.
    pub fn new(seed: u64) -> Self {
        Self {
            durable: Disk::default(),
            pending: Vec::new(),
            acknowledged: 0,
            random: Random::new(seed),
        }
    }

    pub fn apply(&mut self, event: &'a Event) {
        match event {
            Event::Found { .. } => self.durable.apply(event),
            Event::Wrote { .. } | Event::Truncated { .. } | Event::Created { .. } | Event::Deleted { .. } => {
                self.pending.push(event);
            }
            Event::Synced { file } => self.settle(|event| of_file(event) == Some(*file), 100),
            Event::FolderSynced => self.settle(|event| of_file(event).is_none(), 100),
            Event::SyncFailed { file } => {
                let kept = *self.random.one_of(&[0, 50, 100]);
                self.settle(|event| of_file(event) == Some(*file), kept);
            }
            Event::Acknowledged(number) => self.acknowledged = *number,
        }
    }

    /// What the caller was last told.
    pub const fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    pub fn cut(&self, how: Cut, random: &mut Random) -> Image {
        let mut disk = self.durable.clone();
        let end = random.below(self.pending.len() + 1);
        let kept = *random.one_of(&[10, 50, 90]);
        for (index, event) in self.pending.iter().enumerate() {
            match how {
                Cut::Prefix if index < end => disk.apply(event),
                Cut::Prefix if index == end => disk.apply_short(event, random),
                Cut::Nothing | Cut::Prefix => {}
                Cut::Subset | Cut::Torn if !random.percent(kept) => {}
                Cut::Torn if random.percent(50) => disk.apply_torn(event, random),
                Cut::Everything | Cut::Subset | Cut::Torn => disk.apply(event),
            }
        }
        disk.image()
    }

    /// Takes operations out of the pending ones; so many of a hundred reach the disk.
    fn settle(&mut self, which: impl Fn(&Event) -> bool, kept: usize) {
        for event in std::mem::take(&mut self.pending) {
            if !which(event) {
                self.pending.push(event);
            } else if self.random.percent(kept) {
                self.durable.apply(event);
            }
        }
    }
}

impl Disk {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Found { name, file, bytes } => {
                self.names.insert(name.clone(), *file);
                self.files.insert(*file, bytes.clone());
            }
            Event::Created { name, file } => {
                self.names.insert(name.clone(), *file);
            }
            Event::Deleted { name } => {
                self.names.remove(name);
            }
            Event::Wrote { file, at, bytes } => self.write(*file, offset(*at), bytes),
            Event::Truncated { file, length } => self.files.entry(*file).or_default().resize(offset(*length), 0),
            Event::Synced { .. } | Event::SyncFailed { .. } | Event::FolderSynced | Event::Acknowledged(_) => {}
        }
    }

    fn write(&mut self, file: FileId, at: usize, bytes: &[u8]) {
        let content = self.files.entry(file).or_default();
        let end = at + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[at..end].copy_from_slice(bytes);
    }

    /// Some bytes from the front; other operations are whole or absent.
    fn apply_short(&mut self, event: &Event, random: &mut Random) {
        if let Event::Wrote { file, at, bytes } = event {
            self.write(*file, offset(*at), &bytes[..random.below(bytes.len())]);
        }
    }

    /// Each sector is new, old or noise; the bytes of a sector that the write does not touch stay as they are.
    fn apply_torn(&mut self, event: &Event, random: &mut Random) {
        let Event::Wrote { file, at, bytes } = event else {
            return self.apply(event);
        };
        let start = offset(*at);
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min(from + SECTOR_BYTES - (start + from) % SECTOR_BYTES);
            match random.below(20) {
                0 => {
                    let noise: Vec<u8> = (from..to).map(|_| random.next().to_le_bytes()[0]).collect();
                    self.write(*file, start + from, &noise);
                }
                1..=10 => self.write(*file, start + from, &bytes[from..to]),
                _ => {}
            }
            from = to;
        }
    }

    fn image(mut self) -> Image {
        let names = std::mem::take(&mut self.names);
        let content = |(name, file)| (name, self.files.remove(&file).unwrap_or_default());
        names.into_iter().map(content).collect()
    }
}

/// The file whose bytes an operation changes; none for those that change the folder.
const fn of_file(event: &Event) -> Option<FileId> {
    match event {
        Event::Wrote { file, .. } | Event::Truncated { file, .. } | Event::Synced { file } | Event::SyncFailed { file } => {
            Some(*file)
        }
        Event::Found { .. } | Event::Created { .. } | Event::Deleted { .. } | Event::FolderSynced | Event::Acknowledged(_) => {
            None
        }
    }
}

fn offset(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
