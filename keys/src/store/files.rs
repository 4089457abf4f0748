//! Key files on disk. Permissions are read from the open file, so that what is checked is what is read.

use super::StoreError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a file that only its owner may open.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, StoreError> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(|error| StoreError::new(path, error.to_string()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let detail = format!(
            "holds a secret, but its mode {mode:04o} lets others read it; run: chmod 600 {}",
            path.display()
        );
        return Err(StoreError::new(path, detail));
    }
    read(path, file)
}

/// Reads a file that holds no secret.
pub(crate) fn read_public(path: &Path) -> Result<String, StoreError> {
    let mut text = read(path, open(path)?)?;
    Ok(std::mem::take(&mut *text))
}

/// Makes a folder of mode 0700, if there is none.
pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| StoreError::new(path, error.to_string()))
}

/// Writes a new file of mode 0600, whole or not at all: a second name takes its place only when its bytes are on disk.
/// Never replaces a file.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), StoreError> {
    let temporary = path.with_added_extension("new");
    let written = write_synced(&temporary, text).and_then(|()| std::fs::hard_link(&temporary, path));
    // The first error is the one to report: without the second name there is nothing left to clean but this.
    let removed = std::fs::remove_file(&temporary);
    written.and(removed).map_err(|error| StoreError::new(path, reason(&error)))
}

/// Puts a new text in the place of a file, whole or not at all, with mode 0600.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), StoreError> {
    let temporary = path.with_added_extension("new");
    let replaced = write_synced(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    replaced.map_err(|error| StoreError::new(path, reason(&error)))
}

/// Takes a file away that was written a moment ago and that nobody has seen.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    std::fs::remove_file(path).map_err(|error| StoreError::new(path, reason(&error)))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| StoreError::new(path, error.to_string()))
}

fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    // What a crash left behind may have any mode; the mode below is for new files only.
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn open(path: &Path) -> Result<File, StoreError> {
    File::open(path).map_err(|error| StoreError::new(path, reason(&error)))
}

/// The buffer is as large as the limit from the start: a buffer that grows leaves unwiped copies behind.
fn read(path: &Path, file: File) -> Result<Zeroizing<String>, StoreError> {
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX + 1));
    let limit = u64::try_from(FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let read = file
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|error| StoreError::new(path, reason(&error)))?;
    if read > FILE_BYTES_MAX {
        return Err(StoreError::new(path, format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn reason(error: &std::io::Error) -> String {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        return "is not there".to_owned();
    }
    if kind == ErrorKind::AlreadyExists {
        return "is there already; key files are never replaced".to_owned();
    }
    if kind == ErrorKind::InvalidData {
        return "is not text".to_owned();
    }
    error.to_string()
}

/// A key file has a few hundred bytes; a list of a thousand keys has a quarter of this.
const FILE_BYTES_MAX: usize = 1 << 20;
