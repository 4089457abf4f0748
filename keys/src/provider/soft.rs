//! A key store in memory behind the trait of devices, which fails as a test tells it.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{DeviceFault, Open, Provider};
use crate::secret::Secret;
use crate::sm2::{Ciphertext, Engine, PrivateKey, Signature, Unwrap, signed_e};
use crate::testing::{GMT_D, SeededRng, hex};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What a test does to the store.
#[derive(Default)]
pub(crate) struct Levers {
    pub(crate) is_gone: AtomicBool,
    /// Every call of a session fails with this number, if it is not zero.
    pub(crate) code: AtomicU32,
    pub(crate) spoils: AtomicBool,
    pub(crate) opened: AtomicU32,
    pub(crate) closed: AtomicU32,
    pub(crate) hangs: Mutex<bool>,
    pub(crate) released: Condvar,
}

impl Levers {
    pub(crate) fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
        self.released.notify_all();
    }
}

pub(crate) struct SoftStore {
    pub(crate) key: [u8; 32],
    pub(crate) levers: Arc<Levers>,
}

impl Open for SoftStore {
    fn open(&self) -> Result<Box<dyn Provider>, DeviceFault> {
        if self.levers.is_gone.load(Ordering::SeqCst) {
            return Err(DeviceFault::Gone);
        }
        self.levers.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(SoftSession {
            key: PrivateKey::from_bytes(&self.key).unwrap(),
            levers: self.levers.clone(),
        }))
    }
}

struct SoftSession {
    key: PrivateKey,
    levers: Arc<Levers>,
}

impl SoftSession {
    fn obey(&self) -> Result<(), DeviceFault> {
        let hangs = self.levers.hangs.lock().unwrap();
        drop(self.levers.released.wait_while(hangs, |hangs| *hangs).unwrap());
        match self.levers.code.load(Ordering::SeqCst) {
            _ if self.levers.is_gone.load(Ordering::SeqCst) => Err(DeviceFault::Gone),
            0 => Ok(()),
            code => Err(DeviceFault::Code(code.into())),
        }
    }
}

impl Drop for SoftSession {
    fn drop(&mut self) {
        self.levers.closed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Provider for SoftSession {
    fn sign_sm2(&mut self, _label: &str, e: &[u8; 32]) -> Result<Signature, DeviceFault> {
        self.obey()?;
        let mut signature = signed_e(&self.key, e, &mut SeededRng::new(7)).map_err(|_| DeviceFault::Wrong)?;
        if self.levers.spoils.load(Ordering::SeqCst) {
            signature[63] ^= 1;
        }
        Ok(signature)
    }

    fn unwrap_sm2(&mut self, _label: &str, ciphertext: &Ciphertext) -> Result<Secret, DeviceFault> {
        self.obey()?;
        let unwrapper: Box<dyn Unwrap> = Engine::Reference.unwrapper(&self.key);
        unwrapper.unwrap(ciphertext).map_err(|_| DeviceFault::Code(0x0100_000c))
    }
}

pub(crate) fn key_bytes() -> [u8; 32] {
    hex(GMT_D)
}
