//! The file operations that a guarded store is written with. A test puts a disk that fails or stops in their place.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub trait Disk {
    /// Writes a file of mode 0600 in the place of whatever a crash left under this name.
    fn create(&self, path: &Path, bytes: &[u8]) -> Result<()>;
    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()>;
    /// Cuts a file down to its first bytes.
    fn cut(&self, path: &Path, bytes: u64) -> Result<()>;
    /// Makes a file's bytes durable.
    fn sync(&self, path: &Path) -> Result<()>;
    /// Gives a file its final name, which must be free.
    fn publish(&self, from: &Path, to: &Path) -> Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> Result<()>;
}

/// The machine's own.
pub struct FileDisk;

impl Disk for FileDisk {
    fn create(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        OpenOptions::new().append(true).open(path)?.write_all(bytes)
    }

    fn cut(&self, path: &Path, bytes: u64) -> Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }

    fn sync(&self, path: &Path) -> Result<()> {
        File::open(path)?.sync_all()
    }

    fn publish(&self, from: &Path, to: &Path) -> Result<()> {
        // A second name instead of a rename: what stands under the final name is never replaced.
        std::fs::hard_link(from, to)?;
        std::fs::remove_file(from)
    }

    fn sync_folder(&self, path: &Path) -> Result<()> {
        File::open(path)?.sync_all()
    }
}

/// A new file under its final name, whole and durable or not there.
pub(super) fn place(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_added_extension("new");
    disk.create(&temporary, bytes)?;
    disk.sync(&temporary)?;
    disk.publish(&temporary, path)?;
    path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
}

/// Adds a line, whole or not at all: the line feed is written when what it ends is durable.
pub(super) fn append_line(disk: &dyn Disk, path: &Path, line: &str) -> Result<()> {
    disk.append(path, line.as_bytes())?;
    disk.sync(path)?;
    disk.append(path, b"\n")?;
    disk.sync(path)
}
