//! Bytes that were written and not yet passed on: one piece of the log without gaps.

/// A longer piece is passed on before. SQLite's own VFS for Unix looks at no more than 17 bits of a write's length.
const BYTES_MAX: usize = 0x1_ffff;

#[derive(Default)]
pub(crate) struct Pending {
    at: i64,
    bytes: Vec<u8>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
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

    /// Hands them to be written, once: what fails is gone, as if it had never been asked for.
    pub(crate) fn pass_on<T>(&mut self, write: impl FnOnce(i64, &[u8]) -> T) -> T {
        let result = write(self.at, &self.bytes);
        self.bytes.clear();
        result
    }
}
