//! Bytes that were written and not yet passed on: one piece of the log without gaps.

/// A longer piece is passed on before. SQLite's own VFS for Unix looks at no more than 17 bits of a write's length.
const BYTES_MAX: usize = 0x1_ffff;

#[derive(Default)]
pub(crate) struct Pending {
    at: i64,
    bytes: Vec<u8>,
    /// From here on the file lacks what was written: nothing behind it may count.
    lost: Option<i64>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the file lacks something that was written.
    pub(crate) fn is_torn(&self) -> bool {
        self.lost.is_some()
    }

    /// Notes that a write begins here; false where it lies behind a gap. One at the gap or before it begins anew.
    pub(crate) fn may_begin(&mut self, at: i64) -> bool {
        if self.lost.is_some_and(|lost| at <= lost) {
            self.lost = None;
        }
        self.lost.is_none()
    }

    /// Takes bytes that begin where these end, or the first ones; false where those before must go first.
    pub(crate) fn take_up(&mut self, at: i64, bytes: &[u8]) -> bool {
        if self.bytes.is_empty() {
            self.at = at;
        }
        let length = i64::try_from(self.bytes.len()).unwrap_or(i64::MAX);
        let is_next = self.at.checked_add(length) == Some(at);
        if is_next && self.bytes.len().saturating_add(bytes.len()) <= BYTES_MAX {
            self.bytes.extend_from_slice(bytes);
            return true;
        }
        false
    }

    /// Hands them to be written, once; false if that failed.
    pub(crate) fn pass_on(&mut self, write: impl FnOnce(i64, &[u8]) -> bool) -> bool {
        let is_written = write(self.at, &self.bytes);
        if !is_written {
            self.lost = Some(self.lost.map_or(self.at, |lost| lost.min(self.at)));
        }
        self.bytes.clear();
        is_written
    }
}
