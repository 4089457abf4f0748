//! The password of a device: read when a session is opened, and never offered a second time once it was refused. Devices count
//! wrong passwords and lock after a few; a gateway that tries again by itself would lock them within a second.

use super::DeviceFault;
use crate::sm3::sm3;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

type Read = dyn Fn() -> Option<Zeroizing<String>> + Send + Sync;

/// Has no `Debug` and no `Clone`.
pub struct DevicePassword {
    read: Box<Read>,
    /// SM3 of the one that was refused.
    refused: Mutex<Option<[u8; 32]>>,
}

impl DevicePassword {
    /// From whatever reads it; `None` where it cannot be read.
    pub fn new(read: impl Fn() -> Option<Zeroizing<String>> + Send + Sync + 'static) -> Self {
        Self {
            read: Box::new(read),
            refused: Mutex::default(),
        }
    }

    /// Offers it, unless this very one was refused before. One thread at a time, so that a wrong one counts once.
    pub(crate) fn offer(&self, login: impl FnOnce(&Zeroizing<String>) -> Result<(), DeviceFault>) -> Result<(), DeviceFault> {
        let password = (self.read)().ok_or(DeviceFault::Denied)?;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let print = sm3(&[b"hangu device password|", password.as_bytes()]);
        if *refused == Some(print) {
            return Err(DeviceFault::Denied);
        }
        let outcome = login(&password);
        if outcome == Err(DeviceFault::Denied) {
            *refused = Some(print);
        }
        outcome
    }
}
