//! A key folder as what a running gateway looks at again and again.

use super::{KEYRING_FILE, StoreError, entries, files, load_with};
use crate::keyring::Keyring;
use crate::provider::Devices;
use crate::sm2::Engine;
use crate::sm3::sm3;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where a keyring comes from, and comes from anew when it has changed.
pub trait Source: Send + Sync {
    /// Differs from the last one whenever the keyring may be another one; costs little.
    fn mark(&self) -> Mark;

    /// The keyring, wholly checked.
    fn load(&self) -> Result<Keyring, StoreError>;
}

/// How a source looked at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark([u8; 32]);

impl Mark {
    /// Of bytes that differ whenever the keyring may.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sm3(&[bytes]))
    }

    pub fn bytes(self) -> [u8; 32] {
        self.0
    }
}

/// A folder whose list anybody may change who may write to it.
pub struct OpenFolder {
    pub(super) folder: PathBuf,
    engine: Engine,
    pub(super) devices: Devices,
}

impl OpenFolder {
    pub fn new(folder: &Path, engine: Engine) -> Self {
        Self {
            folder: folder.to_owned(),
            engine,
            devices: Devices::default(),
        }
    }

    /// With the devices that entries may name.
    #[must_use]
    pub fn with_devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }
}

impl Source for OpenFolder {
    /// The list byte for byte, and of every file that it names what changes with it: place, length, times, mode.
    fn mark(&self) -> Mark {
        let read = files::read_public(&self.folder.join(KEYRING_FILE));
        let text = read.unwrap_or_else(|error| error.to_string());
        let listed = entries::parse(&text).unwrap_or_default();
        let looks: String = listed
            .iter()
            .filter_map(|listed| Some(look(&self.folder.join(listed.file.as_ref()?))))
            .collect();
        Mark(sm3(&[text.as_bytes(), b"|", looks.as_bytes()]))
    }

    fn load(&self) -> Result<Keyring, StoreError> {
        load_with(&self.folder, self.engine, &self.devices)
    }
}

fn look(file: &Path) -> String {
    std::fs::metadata(file).map_or_else(
        |error| format!("{error}|"),
        |found| {
            let (ino, len, mode) = (found.ino(), found.len(), found.mode());
            let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
            format!("{ino},{len},{mode},{modified:?},{changed:?}|")
        },
    )
}
