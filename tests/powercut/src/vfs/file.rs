//! An open file's functions: writes, truncations and syncs recorded or failed, everything passed on.

use super::{Open, recorder};
use crate::{Answer, Event, Operation};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods};
use std::ffi::{c_int, c_void};

/// SAFETY: the file is one that `open` was called with.
pub(super) unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the real file lies behind `Open` in the same allocation, whose size keeps it aligned.
    unsafe { file.cast::<Open>().add(1).cast() }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives a file that `open` made and `count` readable bytes.
    unsafe {
        let (open, given) = (&*file.cast::<Open>(), usize::try_from(count).unwrap_or(0));
        let Some(recorded) = open.recorded else {
            return pass_write(file, bytes, count, at);
        };
        let mut recorder = recorder(open.shim);
        let fault = recorder.fails(Operation::Write);
        // A write that fails may have written its first half.
        let done = if fault.is_some() { given / 2 } else { given };
        let result = pass_write(file, bytes, c_int::try_from(done).unwrap_or(0), at);
        if result == ffi::SQLITE_OK {
            recorder.wrote(
                recorded.file,
                at.unsigned_abs(),
                std::slice::from_raw_parts(bytes.cast::<u8>(), done),
            );
        }
        fault.map_or(result, |fault| code(fault, ffi::SQLITE_IOERR_WRITE))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    // SAFETY: SQLite gives a file that `open` made.
    unsafe {
        let open = &*file.cast::<Open>();
        let Some(recorded) = open.recorded else {
            return pass_truncate(file, length);
        };
        let mut recorder = recorder(open.shim);
        if recorder.fails(Operation::Write).is_some() {
            // Also on a full disk: cutting a file back needs no room, so it fails as a broken one does.
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        let result = pass_truncate(file, length);
        if result == ffi::SQLITE_OK {
            recorder.truncated(recorded.file, length.unsigned_abs());
        }
        result
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite gives a file that `open` made, and uses it in one thread at a time.
    unsafe {
        let open = &mut *file.cast::<Open>();
        let Some(recorded) = open.recorded.as_mut() else {
            return pass_sync(file, flags);
        };
        if recorded.is_lied_about {
            return ffi::SQLITE_OK;
        }
        let mut recorder = recorder(open.shim);
        if let Some(fault) = recorder.fails(Operation::Sync) {
            recorder.events.push(Event::SyncFailed { file: recorded.file });
            return code(fault, ffi::SQLITE_IOERR_FSYNC);
        }
        let folder = std::mem::take(&mut recorded.syncs_folder);
        let synced = recorded.file;
        let result = pass_sync(file, flags);
        if result == ffi::SQLITE_OK {
            recorder.events.push(Event::Synced { file: synced });
            recorder.events.extend(folder.then_some(Event::FolderSynced));
        }
        result
    }
}

const fn code(answer: Answer, input_output: c_int) -> c_int {
    match answer {
        Answer::InputOutput => input_output,
        Answer::Full => ffi::SQLITE_FULL,
    }
}

/// Functions that only pass the call on to the real file.
macro_rules! pass {
    ($($name:ident = $method:ident ($($argument:ident: $type:ty),*) or $otherwise:expr;)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: SQLite gives a file that `open` made, whose real file is open and has methods.
            unsafe {
                let real = real(file);
                (*(*real).pMethods).$method.map_or($otherwise, |method| method(real, $($argument),*))
            }
        }
    )*};
}

pass! {
    pass_close = xClose() or ffi::SQLITE_OK;
    pass_read = xRead(to: *mut c_void, count: c_int, at: i64) or ffi::SQLITE_IOERR_READ;
    pass_write = xWrite(from: *const c_void, count: c_int, at: i64) or ffi::SQLITE_IOERR_WRITE;
    pass_truncate = xTruncate(length: i64) or ffi::SQLITE_IOERR_TRUNCATE;
    pass_sync = xSync(flags: c_int) or ffi::SQLITE_IOERR_FSYNC;
    pass_file_size = xFileSize(to: *mut i64) or ffi::SQLITE_IOERR_FSTAT;
    pass_lock = xLock(level: c_int) or ffi::SQLITE_IOERR_LOCK;
    pass_unlock = xUnlock(level: c_int) or ffi::SQLITE_IOERR_UNLOCK;
    pass_check_lock = xCheckReservedLock(to: *mut c_int) or ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    pass_control = xFileControl(operation: c_int, argument: *mut c_void) or ffi::SQLITE_NOTFOUND;
    pass_sector_size = xSectorSize() or 0;
    pass_characteristics = xDeviceCharacteristics() or 0;
    pass_map = xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) or ffi::SQLITE_IOERR_SHMMAP;
    pass_shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) or ffi::SQLITE_IOERR_SHMLOCK;
    pass_unmap = xShmUnmap(delete: c_int) or ffi::SQLITE_OK;
}

unsafe extern "C" fn pass_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite gives a file that `open` made, whose real file is open and has methods.
    unsafe {
        let real = real(file);
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

/// Version 2: shared memory, but no memory-mapped pages, so that every write comes through `write`.
pub(super) static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(pass_close),
    xRead: Some(pass_read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(pass_file_size),
    xLock: Some(pass_lock),
    xUnlock: Some(pass_unlock),
    xCheckReservedLock: Some(pass_check_lock),
    xFileControl: Some(pass_control),
    xSectorSize: Some(pass_sector_size),
    xDeviceCharacteristics: Some(pass_characteristics),
    xShmMap: Some(pass_map),
    xShmLock: Some(pass_shm_lock),
    xShmBarrier: Some(pass_barrier),
    xShmUnmap: Some(pass_unmap),
    xFetch: None,
    xUnfetch: None,
};
