//! Configurations that follow their files: what is renewed on the disk counts for the next connection, without a restart.

use super::{Loaded, TlsError};
use arc_swap::ArcSwap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A configuration made of files, and made anew when one of them changes.
pub struct Renewing<C> {
    files: Vec<PathBuf>,
    load: Box<dyn Fn() -> Result<Loaded<C>, TlsError> + Send + Sync>,
    current: ArcSwap<Loaded<C>>,
    seen: Mutex<Vec<Option<Stamp>>>,
    /// Whether the files as they are could not be used, so that what was read before is used further.
    is_stale: AtomicBool,
}

/// What a look at the files found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    Unchanged,
    Renewed,
    /// The files changed, and not to something that works; what was read before counts.
    Kept(TlsError),
}

impl<C> Renewing<C> {
    /// Fails where the files do not work already.
    pub fn open(
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<Loaded<C>, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        // Before they are read: a change in between is seen at the next look.
        let seen = stamps(&files);
        let current = ArcSwap::from_pointee(load()?);
        Ok(Self {
            files,
            load: Box::new(load),
            current,
            seen: Mutex::new(seen),
            is_stale: AtomicBool::new(false),
        })
    }

    pub fn current(&self) -> Arc<Loaded<C>> {
        self.current.load_full()
    }

    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Reads the files again if they look different, or if it is `forced`. A chain that is there before its key does not
    /// fit it for a moment; the look after the key is there takes both.
    pub fn look(&self, forced: bool) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamps(&self.files);
        if !forced && *seen == found {
            return Look::Unchanged;
        }
        *seen = found;
        let loaded = (self.load)();
        self.is_stale.store(loaded.is_err(), Ordering::Relaxed);
        match loaded {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                Look::Renewed
            }
            Err(error) => Look::Kept(error),
        }
    }
}

/// What changes with a file's content, however it is replaced: device and inode, length, times to the nanosecond.
type Stamp = [i64; 7];

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    let [device, inode, length] = [found.dev(), found.ino(), found.len()].map(u64::cast_signed);
    let (written, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
    Some([device, inode, length, written.0, written.1, changed.0, changed.1])
}
