//! Devices that speak GM/T 0018 (SDF), by their vendor's library: SM2 signatures and envelopes under keys inside the device.
//!
//! A key is named by its index, as text. GM/T 0018-2012 has no function that opens an SM2 ciphertext under an inside key to the
//! caller; GM/T 0018-2023 and most vendors do, under one name or another, with or without a word for which of an index's two
//! keys is meant. `opening` says both.

use crate::provider::{DeviceFault, DevicePassword, Open, Provider};
use crate::secret::Secret;
use crate::sm2::{Ciphertext, Signature, WRAP_BYTES_MAX};
use raw::{CiphertextBytes, Library, OpenDevice, PublicKeyBytes, SessionHandle, SignatureBytes};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

mod raw; // the functions themselves: the only unsafe code

/// One device of one library.
pub struct SdfDevice {
    /// The vendor's library.
    pub library: PathBuf,
    /// Gives access to the private keys.
    pub password: Arc<DevicePassword>,
    /// The function that opens an envelope.
    pub opening: Opening,
    /// The library and the open device, shared by all sessions.
    pub shared: SdfShared,
}

/// How the library opens an SM2 ciphertext under an inside key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// `SDF_InternalDecrypt_ECC` in GM/T 0018-2023.
    pub function: String,
    /// Whether it takes the kind of key after the index: `SGD_SM2_3`.
    pub takes_kind: bool,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            function: "SDF_InternalDecrypt_ECC".to_owned(),
            takes_kind: true,
        }
    }
}

/// What the sessions of one device share. Opaque; begins empty.
#[derive(Default)]
pub struct SdfShared(Mutex<Held>);

#[derive(Default)]
struct Held {
    library: Option<Arc<Library>>,
    device: Option<Arc<OpenDevice>>,
}

impl Open for SdfDevice {
    /// A session of the open device; where that gives none, the device is opened anew.
    fn open(&self) -> Result<Box<dyn Provider>, DeviceFault> {
        let mut held = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let library = match &held.library {
            Some(library) => library.clone(),
            None => held.library.insert(Library::load(&self.library, &self.opening)?).clone(),
        };
        if let Some(session) = held.device.as_ref().and_then(|device| device.session().ok()) {
            return Ok(Box::new(self.begun(session)));
        }
        held.device = None;
        let device = library.open_device().map_err(|_| DeviceFault::Gone)?;
        let session = device.session().map_err(|_| DeviceFault::Gone)?;
        held.device = Some(device);
        Ok(Box::new(self.begun(session)))
    }
}

impl SdfDevice {
    fn begun(&self, handle: SessionHandle) -> SdfSession {
        SdfSession {
            handle,
            password: self.password.clone(),
            granted: BTreeSet::new(),
        }
    }
}

struct SdfSession {
    handle: SessionHandle,
    password: Arc<DevicePassword>,
    /// Indices whose private keys this session may use.
    granted: BTreeSet<u32>,
}

impl SdfSession {
    /// The index that a label is, with the right to use its private key.
    fn granted(&mut self, label: &str) -> Result<u32, DeviceFault> {
        let index = index(label)?;
        if !self.granted.contains(&index) {
            let handle = &self.handle;
            self.password
                .offer(|password| match handle.get_access(index, password.as_bytes()) {
                    PERMISSION_DENIED => Err(DeviceFault::Denied),
                    code => match of_code(code) {
                        // Vendors have codes of their own for a wrong password.
                        Err(DeviceFault::Code(_)) => Err(DeviceFault::Denied),
                        outcome => outcome,
                    },
                })?;
            self.granted.insert(index);
        }
        Ok(index)
    }
}

impl Provider for SdfSession {
    fn sign_sm2(&mut self, label: &str, e: &[u8; 32]) -> Result<Signature, DeviceFault> {
        let index = self.granted(label)?;
        let mut signature = SignatureBytes::empty();
        of_code(self.handle.sign(index, e, &mut signature))?;
        let halves = (right(&signature.r)?, right(&signature.s)?);
        let mut joined = [0; 64];
        joined[..32].copy_from_slice(halves.0);
        joined[32..].copy_from_slice(halves.1);
        Ok(joined)
    }

    fn unwrap_sm2(&mut self, label: &str, ciphertext: &Ciphertext) -> Result<Secret, DeviceFault> {
        let index = self.granted(label)?;
        let Ciphertext { c1, c3, c2 } = ciphertext;
        let mut sealed = CiphertextBytes::of(c1, c3, c2).ok_or(DeviceFault::Unsupported)?;
        let mut clear = Zeroizing::new([0; WRAP_BYTES_MAX]);
        let mut length = u32::try_from(WRAP_BYTES_MAX).map_err(|_| DeviceFault::Unsupported)?;
        of_code(self.handle.open(index, &mut sealed, &mut clear, &mut length))?;
        let opened = usize::try_from(length).ok().and_then(|length| clear.get(..length));
        // SM2 keeps the length: another one is no clear text of this.
        match opened.filter(|opened| opened.len() == c2.len()) {
            Some(opened) => Ok(Secret::new(opened.to_vec())),
            None => Err(DeviceFault::Wrong),
        }
    }

    fn public_sm2(&mut self, label: &str, is_signing: bool) -> Result<[u8; 64], DeviceFault> {
        let mut key = PublicKeyBytes::empty();
        of_code(self.handle.public(index(label)?, is_signing, &mut key))?;
        if key.bits != 256 {
            return Err(DeviceFault::Wrong);
        }
        let mut point = [0; 64];
        point[..32].copy_from_slice(right(&key.x)?);
        point[32..].copy_from_slice(right(&key.y)?);
        Ok(point)
    }

    fn random(&mut self, target: &mut [u8]) -> Result<(), DeviceFault> {
        of_code(self.handle.random(target))
    }
}

fn index(label: &str) -> Result<u32, DeviceFault> {
    label.parse().map_err(|_| DeviceFault::NoKey)
}

/// The right half of a field of 512 bits; the left one of a number of 256 bits is zero.
fn right(field: &[u8; raw::FIELD_BYTES]) -> Result<&[u8; 32], DeviceFault> {
    match field.split_last_chunk() {
        Some((left, right)) if left.iter().all(|byte| *byte == 0) => Ok(right),
        Some(_) | None => Err(DeviceFault::Wrong),
    }
}

/// The codes of GM/T 0018 annex A, as far as they tell what to do.
fn of_code(code: u32) -> Result<(), DeviceFault> {
    match code {
        0 => Ok(()),
        // SDR_COMMFAIL, SDR_HARDFAIL, SDR_OPENDEVICE, SDR_OPENSESSION; SDR_PARDENY is a right that was lost with its session.
        0x0100_0003..=0x0100_0007 => Err(DeviceFault::Gone),
        // SDR_KEYNOTEXIST
        0x0100_0008 => Err(DeviceFault::NoKey),
        // SDR_NOTSUPPORT, SDR_ALGNOTSUPPORT, SDR_ALGMODNOTSUPPORT
        0x0100_0002 | 0x0100_0009 | 0x0100_000a => Err(DeviceFault::Unsupported),
        other => Err(DeviceFault::Code(other.into())),
    }
}

/// `SDR_PARDENY`.
const PERMISSION_DENIED: u32 = 0x0100_0007;
