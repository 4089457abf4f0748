//! The VFS itself: SQLite's calls, recorded, failed when asked for, and passed on.
#![allow(
    unsafe_code,
    reason = "an SQLite VFS is a table of C functions over memory that SQLite allocates"
)]

mod file;

use self::file::{METHODS, real};
use crate::record::{Found, Recorder};
use crate::{Event, Fault, FileId};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A VFS under a name of its own, never the default one. Whoever opens a database on it is recorded.
pub struct Disk {
    name: &'static str,
    shim: *mut Shim,
}

// SAFETY: the shim is never freed, and what changes in it is behind a mutex or belongs to SQLite's own list of VFSs.
unsafe impl Send for Disk {}
// SAFETY: as above.
unsafe impl Sync for Disk {}

impl Disk {
    /// Registers a new VFS; `None` if SQLite has no VFS to stand on or refuses it.
    pub fn register() -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("powercut-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // SQLite and open connections keep pointers to both: they live as long as the process.
        let name: &'static CStr = Box::leak(CString::new(name).ok()?.into_boxed_c_str());
        // SAFETY: a null name asks for the default VFS, which lives as long as the process.
        let real = unsafe { ffi::sqlite3_vfs_find(null()) };
        // SAFETY: the pointer is null or the default VFS, which is only read here.
        let base = unsafe { real.as_ref() }.map(|real| over(real, name))?;
        let recorder = Mutex::new(Recorder::default());
        let shim = Box::into_raw(Box::new(Shim { base, real, recorder }));
        // SAFETY: the shim begins with a whole sqlite3_vfs and is never freed; 0 leaves the default as it is.
        let registered = unsafe { ffi::sqlite3_vfs_register(shim.cast(), 0) };
        let name = name.to_str().ok()?;
        (registered == ffi::SQLITE_OK).then_some(Self { name, shim })
    }

    /// The name under which a database is opened on this disk.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Forgets everything; nothing may be open.
    pub fn reset(&self) {
        *self.recorder() = Recorder::default();
    }

    pub fn acknowledge(&self, number: usize) {
        self.recorder().events.push(Event::Acknowledged(number));
    }

    /// Takes what was recorded. Files stay known.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.recorder().events)
    }

    pub fn fail(&self, fault: Fault) {
        self.recorder().set_fault(Some(fault));
    }

    pub fn heal(&self) {
        self.recorder().set_fault(None);
    }

    /// Operations that were failed since the last reset.
    pub fn failed(&self) -> u64 {
        self.recorder().failed
    }

    /// Answers every sync of files whose name ends so with success and does nothing.
    pub fn lie_about(&self, ending: &'static str) {
        self.recorder().lies_about = Some(ending);
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        // SAFETY: the shim is never freed.
        unsafe { recorder(self.shim) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: it was registered by `register`; connections that are still open keep a pointer to memory that stays.
        unsafe { ffi::sqlite3_vfs_unregister(self.shim.cast()) };
    }
}

#[repr(C)]
struct Shim {
    base: sqlite3_vfs,
    real: *mut sqlite3_vfs,
    recorder: Mutex<Recorder>,
}

/// What SQLite takes for its open file; the real one follows in the same allocation.
#[repr(C)]
struct Open {
    base: sqlite3_file,
    shim: *mut Shim,
    /// None for what is passed on unrecorded.
    recorded: Option<Recorded>,
}

#[derive(Clone, Copy)]
struct Recorded {
    file: FileId,
    is_lied_about: bool,
    /// The first sync of a new log also syncs its folder (`unixSync` of SQLite).
    syncs_folder: bool,
}

/// The real VFS's table under our name, with what we record replaced. Its other functions do not look at the VFS they get.
fn over(real: &sqlite3_vfs, name: &'static CStr) -> sqlite3_vfs {
    let own = c_int::try_from(size_of::<Open>()).unwrap_or(c_int::MAX);
    sqlite3_vfs {
        szOsFile: real.szOsFile.saturating_add(own),
        pNext: null_mut(),
        zName: name.as_ptr(),
        xOpen: Some(open),
        xDelete: Some(delete),
        ..*real
    }
}

/// SAFETY: the caller vouches for a shim that `Disk::register` made; none is ever freed.
unsafe fn recorder<'a>(shim: *mut Shim) -> MutexGuard<'a, Recorder> {
    // SAFETY: see above; only the mutex is borrowed, as SQLite writes to `base`.
    let recorder = unsafe { &(*shim).recorder };
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let shim = vfs.cast::<Shim>();
    // Held until the file is noted: what another thread writes meanwhile would look as if it had been cut off.
    // SAFETY: the VFS is our shim.
    let mut recorder = unsafe { recorder(shim) };
    // SAFETY: SQLite gives a name that ends with 0 or none.
    let before = unsafe { recorded_path(name, flags).map(|path| (found(&path, &recorder), path)) };
    // SAFETY: SQLite allocated szOsFile bytes, enough for `Open` and the real file behind it; the real VFS is the default one.
    let result = unsafe {
        file.cast::<Open>().write(Open {
            base: sqlite3_file { pMethods: null() },
            shim,
            recorded: None,
        });
        let real_vfs = (*shim).real;
        (*real(file)).pMethods = null();
        (*real_vfs)
            .xOpen
            .map_or(ffi::SQLITE_CANTOPEN, |open| open(real_vfs, name, real(file), flags, out))
    };
    // SAFETY: both were written above; SQLite closes a file that has methods, also after an error.
    unsafe {
        if (*real(file)).pMethods.is_null() {
            return result;
        }
        (*file).pMethods = &raw const METHODS;
    }
    if let (ffi::SQLITE_OK, Some((found, path))) = (result, before) {
        // SAFETY: the file was written above.
        unsafe {
            let ending = recorder.lies_about.unwrap_or("\0");
            (*file.cast::<Open>()).recorded = Some(Recorded {
                file: recorder.opened(&path, found),
                is_lied_about: path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()),
                syncs_folder: flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & ffi::SQLITE_OPEN_MAIN_DB == 0,
            });
        }
    }
    result
}

/// SAFETY: the name is null or ends with 0.
unsafe fn recorded_path(name: *const c_char, flags: c_int) -> Option<PathBuf> {
    let recorded = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL;
    if name.is_null() || flags & recorded == 0 {
        return None;
    }
    // SAFETY: see above.
    Some(PathBuf::from(unsafe { CStr::from_ptr(name) }.to_str().ok()?))
}

fn found(path: &Path, recorder: &Recorder) -> Found {
    let Ok(metadata) = path.metadata() else {
        return Found::Absent;
    };
    // To open and close a database once more would drop SQLite's locks on it: what is known is not read.
    if recorder.knows(path) {
        return Found::Known { length: metadata.len() };
    }
    std::fs::read(path).map_or(Found::Absent, Found::Bytes)
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let shim = vfs.cast::<Shim>();
    // SAFETY: the VFS is our shim and its real one the default; SQLite gives a name that ends with 0.
    unsafe {
        let real = (*shim).real;
        let result = (*real)
            .xDelete
            .map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(real, name, sync_folder));
        if result == ffi::SQLITE_OK {
            let path = Path::new(CStr::from_ptr(name).to_str().unwrap_or_default());
            recorder(shim).deleted(path, sync_folder & 1 != 0);
        }
        result
    }
}
