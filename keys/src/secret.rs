//! Secret bytes.

use zeroize::Zeroizing;

/// Bytes that are wiped when dropped; no `Debug`, no `Clone`, no comparison.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Shows the bytes; the caller must not copy them anywhere that is not wiped.
    pub fn danger_expose(&self) -> &[u8] {
        &self.0
    }
}
