//! The open log's functions.

use crate::pending::Pending;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods};
use std::ffi::{c_int, c_void};
use std::ptr::{drop_in_place, null};
use std::slice;

/// What SQLite takes for the open log; the parent's file follows in the same allocation.
#[repr(C)]
pub(crate) struct Log {
    base: sqlite3_file,
    pending: Pending,
}

// The parent's file behind it is aligned as SQLite's allocation is.
const _: () = assert!(size_of::<Log>().is_multiple_of(8));

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            base: sqlite3_file { pMethods: null() },
            pending: Pending::default(),
        }
    }
}

/// SAFETY: the file is a log that `open` was called with.
pub(crate) unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the parent's file lies behind `Log` in the same allocation, whose size keeps it aligned.
    unsafe { file.cast::<Log>().add(1).cast() }
}

/// SAFETY: the file is a log that `open` made, and SQLite uses it in one thread at a time.
unsafe fn pending<'a>(file: *mut sqlite3_file) -> &'a mut Pending {
    // SAFETY: see above; the parent's file is no part of what is borrowed.
    unsafe { &mut (*file.cast::<Log>()).pending }
}

/// SAFETY: the file is a log that `open` made.
unsafe fn flush(file: *mut sqlite3_file) -> c_int {
    // SAFETY: see above; passing a write on does not touch `Log`.
    unsafe {
        let pending = pending(file);
        if pending.is_empty() {
            return ffi::SQLITE_OK;
        }
        let mut result = ffi::SQLITE_OK;
        pending.pass_on(|at, bytes| {
            let count = c_int::try_from(bytes.len()).unwrap_or(0);
            result = pass_write(file, bytes.as_ptr().cast(), count, at);
            result == ffi::SQLITE_OK
        });
        result
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives a log that `open` made and `count` readable bytes.
    unsafe {
        let given = slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(count).unwrap_or(0));
        if !pending(file).may_begin(at) {
            return ffi::SQLITE_IOERR_WRITE;
        }
        if pending(file).take_up(at, given) {
            return ffi::SQLITE_OK;
        }
        let flushed = flush(file);
        if flushed != ffi::SQLITE_OK || pending(file).take_up(at, given) {
            return flushed;
        }
        pass_write(file, bytes, count, at)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite gives a log that `open` made.
    unsafe {
        match flush(file) {
            ffi::SQLITE_OK if pending(file).is_torn() => ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_OK => pass_sync(file, flags),
            failed => failed,
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite gives a log that `open` made, and does not use it afterwards.
    unsafe {
        // What nobody synced was no commit.
        drop_in_place(pending(file));
        pass_close(file)
    }
}

/// Functions that only pass the call on to the parent's file.
macro_rules! pass {
    ($($name:ident = $method:ident ($($argument:ident: $type:ty),*) or $otherwise:expr;)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: SQLite gives a log that `open` made, whose real file is open and has methods.
            unsafe {
                let real = real(file);
                (*(*real).pMethods).$method.map_or($otherwise, |method| method(real, $($argument),*))
            }
        }
    )*};
}

/// Functions that must find in the file what was written.
macro_rules! flushed {
    ($($name:ident = $pass:ident ($($argument:ident: $type:ty),*);)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: SQLite gives a log that `open` made.
            unsafe {
                match flush(file) {
                    ffi::SQLITE_OK => $pass(file, $($argument),*),
                    failed => failed,
                }
            }
        }
    )*};
}

flushed! {
    read = pass_read(to: *mut c_void, count: c_int, at: i64);
    truncate = pass_truncate(length: i64);
    file_size = pass_file_size(to: *mut i64);
    control = pass_control(operation: c_int, argument: *mut c_void);
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
}

/// Version 1: the log's index and memory-mapped pages belong to the database file.
pub(crate) static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(pass_lock),
    xUnlock: Some(pass_unlock),
    xCheckReservedLock: Some(pass_check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(pass_sector_size),
    xDeviceCharacteristics: Some(pass_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
