//! What a commit adds to SQLite's log, in one write: a VFS over another one.
//!
//! SQLite writes each frame of its log in two pieces. Here pieces that follow each other are gathered until something else is
//! asked of the log: a sync, a read, a write elsewhere. Every other file is the other VFS's own, untouched.
//!
//! It is for connections that sync the log with every commit (`synchronous = FULL`), in all of which the sync comes before the
//! commit is told to others: nobody looks for a frame that is still here. What it is not: a cache. It promises nothing that the
//! other VFS does not, and a write that fails is told by the call that needed it, the sync of its commit as a rule. Nothing of
//! it is tried again, so a transaction that met an error must be rolled back, as `src/journal/sqlite/store.rs` does.
#![allow(
    unsafe_code,
    reason = "an SQLite VFS is a table of C functions over memory that SQLite allocates"
)]

mod file;
mod pending;

#[cfg(test)]
mod tests;

use file::{Log, METHODS, real};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};

/// The name of such a VFS over the one with this name, or over the default one; `None` if there is none of that name, or SQLite
/// refuses. A parent must live as long as the process.
pub fn over(parent: Option<&str>) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeMap<Option<String>, &'static str>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = parent.map(str::to_owned);
    if let Some(name) = known.get(&key) {
        return Some(name);
    }
    let name = register(parent)?;
    known.insert(key, name);
    Some(name)
}

fn register(parent: Option<&str>) -> Option<&'static str> {
    let name = format!("logwrite-{}", parent.unwrap_or_default());
    let parent = parent.map(CString::new).transpose().ok()?;
    // SQLite and open connections keep pointers to both: they live as long as the process.
    let name: &'static CStr = Box::leak(CString::new(name).ok()?.into_boxed_c_str());
    // SAFETY: the name ends with 0; a null one asks for the default VFS.
    let parent = unsafe { ffi::sqlite3_vfs_find(parent.as_ref().map_or(null(), |parent| parent.as_ptr())) };
    // SAFETY: null, or a VFS that lives as long as the process and is only read here.
    let base = unsafe { parent.as_ref() }.map(|parent| table(parent, name))?;
    let shim = Box::into_raw(Box::new(Shim { base, parent }));
    // SAFETY: the shim begins with a whole sqlite3_vfs and is never freed; 0 leaves the default as it is.
    let registered = unsafe { ffi::sqlite3_vfs_register(shim.cast(), 0) };
    let name = name.to_str().ok()?;
    (registered == ffi::SQLITE_OK).then_some(name)
}

#[repr(C)]
struct Shim {
    base: sqlite3_vfs,
    parent: *mut sqlite3_vfs,
}

/// The parent's table under our name. What is not replaced does not look at the VFS that it gets.
fn table(parent: &sqlite3_vfs, name: &'static CStr) -> sqlite3_vfs {
    let own = c_int::try_from(size_of::<Log>()).unwrap_or(c_int::MAX);
    sqlite3_vfs {
        szOsFile: parent.szOsFile.saturating_add(own),
        pNext: null_mut(),
        zName: name.as_ptr(),
        xOpen: Some(open),
        xDelete: Some(delete),
        ..*parent
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the VFS is our shim, whose parent lives as long as the process. SQLite allocated szOsFile bytes at `file`: enough
    // for the parent's file alone, and for `Log` with the parent's file behind it.
    unsafe {
        let parent = (*vfs.cast::<Shim>()).parent;
        let Some(parent_open) = (*parent).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        if flags & ffi::SQLITE_OPEN_WAL == 0 {
            return parent_open(parent, name, file, flags, out);
        }
        file.cast::<Log>().write(Log::new());
        let real = real(file);
        (*real).pMethods = null();
        let result = parent_open(parent, name, real, flags, out);
        // SQLite closes a file that has methods, also after an error.
        if !(*real).pMethods.is_null() {
            (*file).pMethods = &raw const METHODS;
        }
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: the VFS is our shim, whose parent lives as long as the process.
    unsafe {
        let parent = (*vfs.cast::<Shim>()).parent;
        (*parent)
            .xDelete
            .map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(parent, name, sync_folder))
    }
}
