//! The functions and structures of GM/T 0018 as the library of a device has them.
//!
//! A library is as trustworthy as the device: what it is given are buffers of the lengths that the standard states, and what it
//! gives back is taken as bytes that are checked elsewhere.
#![allow(unsafe_code, reason = "a device's library is a C library")]

use super::Opening;
use crate::provider::DeviceFault;
use crate::sm2::WRAP_BYTES_MAX;
use libloading::Library as Loaded;
use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;

/// `ECCref_MAX_LEN`.
pub(super) const FIELD_BYTES: usize = 64;

/// `ECCrefPublicKey`.
#[repr(C)]
pub(super) struct PublicKeyBytes {
    pub(super) bits: c_uint,
    pub(super) x: [u8; FIELD_BYTES],
    pub(super) y: [u8; FIELD_BYTES],
}

/// `ECCSignature`.
#[repr(C)]
pub(super) struct SignatureBytes {
    pub(super) r: [u8; FIELD_BYTES],
    pub(super) s: [u8; FIELD_BYTES],
}

/// `ECCCipher`, with room for the longest C2.
#[repr(C)]
pub(super) struct CiphertextBytes {
    x: [u8; FIELD_BYTES],
    y: [u8; FIELD_BYTES],
    m: [u8; 32],
    l: c_uint,
    c: [u8; WRAP_BYTES_MAX],
}

impl PublicKeyBytes {
    pub(super) const fn empty() -> Self {
        Self {
            bits: 0,
            x: [0; FIELD_BYTES],
            y: [0; FIELD_BYTES],
        }
    }
}

impl SignatureBytes {
    pub(super) const fn empty() -> Self {
        Self {
            r: [0; FIELD_BYTES],
            s: [0; FIELD_BYTES],
        }
    }
}

impl CiphertextBytes {
    /// Numbers stand at the right end of their fields. `None` where C2 is too long.
    pub(super) fn of(c1: &[u8; 64], c3: &[u8; 32], c2: &[u8]) -> Option<Box<Self>> {
        let mut bytes = Box::new(Self {
            x: [0; FIELD_BYTES],
            y: [0; FIELD_BYTES],
            m: *c3,
            l: c_uint::try_from(c2.len()).ok()?,
            c: [0; WRAP_BYTES_MAX],
        });
        bytes.x[32..].copy_from_slice(&c1[..32]);
        bytes.y[32..].copy_from_slice(&c1[32..]);
        bytes.c.get_mut(..c2.len())?.copy_from_slice(c2);
        Some(bytes)
    }
}

type Handle = *mut c_void;

/// The functions of one library, which stays loaded as long as they may be called.
pub(super) struct Library {
    open_device: unsafe extern "C" fn(*mut Handle) -> c_int,
    close_device: unsafe extern "C" fn(Handle) -> c_int,
    open_session: unsafe extern "C" fn(Handle, *mut Handle) -> c_int,
    close_session: unsafe extern "C" fn(Handle) -> c_int,
    get_access: unsafe extern "C" fn(Handle, c_uint, *mut c_uchar, c_uint) -> c_int,
    random: unsafe extern "C" fn(Handle, c_uint, *mut c_uchar) -> c_int,
    sign_public: unsafe extern "C" fn(Handle, c_uint, *mut PublicKeyBytes) -> c_int,
    seal_public: unsafe extern "C" fn(Handle, c_uint, *mut PublicKeyBytes) -> c_int,
    sign: unsafe extern "C" fn(Handle, c_uint, *mut c_uchar, c_uint, *mut SignatureBytes) -> c_int,
    open: OpenFn,
    _loaded: Loaded,
}

#[derive(Clone, Copy)]
enum OpenFn {
    WithKind(unsafe extern "C" fn(Handle, c_uint, c_uint, *mut CiphertextBytes, *mut c_uchar, *mut c_uint) -> c_int),
    Plain(unsafe extern "C" fn(Handle, c_uint, *mut CiphertextBytes, *mut c_uchar, *mut c_uint) -> c_int),
}

impl Library {
    pub(super) fn load(path: &Path, opening: &Opening) -> Result<Arc<Self>, DeviceFault> {
        // SAFETY: loading runs the library's own beginnings, which is what the operator asked for by naming it.
        let loaded = unsafe { Loaded::new(path) }.map_err(|_| DeviceFault::Gone)?;
        let opening_name = opening.function.as_bytes();
        // SAFETY: each symbol has the signature that GM/T 0018 states for its name, or that the configuration states for the
        // one that it names; the pointers are kept together with the library that they point into.
        let library = unsafe {
            Self {
                open_device: named(&loaded, b"SDF_OpenDevice")?,
                close_device: named(&loaded, b"SDF_CloseDevice")?,
                open_session: named(&loaded, b"SDF_OpenSession")?,
                close_session: named(&loaded, b"SDF_CloseSession")?,
                get_access: named(&loaded, b"SDF_GetPrivateKeyAccessRight")?,
                random: named(&loaded, b"SDF_GenerateRandom")?,
                sign_public: named(&loaded, b"SDF_ExportSignPublicKey_ECC")?,
                seal_public: named(&loaded, b"SDF_ExportEncPublicKey_ECC")?,
                sign: named(&loaded, b"SDF_InternalSign_ECC")?,
                open: if opening.takes_kind {
                    OpenFn::WithKind(named(&loaded, opening_name)?)
                } else {
                    OpenFn::Plain(named(&loaded, opening_name)?)
                },
                _loaded: loaded,
            }
        };
        Ok(Arc::new(library))
    }

    pub(super) fn open_device(self: &Arc<Self>) -> Result<Arc<OpenDevice>, u32> {
        let mut handle = null_mut();
        // SAFETY: the function writes one handle, for which there is room.
        checked(unsafe { (self.open_device)(&raw mut handle) })?;
        Ok(Arc::new(OpenDevice {
            library: self.clone(),
            handle,
        }))
    }
}

/// # Safety
/// `T` must be the type of the function of that name.
unsafe fn named<T: Copy>(loaded: &Loaded, name: &[u8]) -> Result<T, DeviceFault> {
    // SAFETY: the caller vouches for the type.
    let symbol = unsafe { loaded.get::<T>(name) };
    symbol.map(|symbol| *symbol).map_err(|_| DeviceFault::Unsupported)
}

/// A device, closed when the last of its sessions is.
pub(super) struct OpenDevice {
    library: Arc<Library>,
    handle: Handle,
}

// SAFETY: GM/T 0018 lets several threads open sessions of one device handle; it is closed once, by the last owner.
unsafe impl Send for OpenDevice {}
// SAFETY: as above.
unsafe impl Sync for OpenDevice {}

impl OpenDevice {
    pub(super) fn session(self: &Arc<Self>) -> Result<SessionHandle, u32> {
        let mut handle = null_mut();
        // SAFETY: the device is open as long as `self`, and the function writes one handle.
        checked(unsafe { (self.library.open_session)(self.handle, &raw mut handle) })?;
        Ok(SessionHandle {
            device: self.clone(),
            handle,
        })
    }
}

impl Drop for OpenDevice {
    fn drop(&mut self) {
        // SAFETY: no session is left, and nobody else has the handle. What a lost device answers changes nothing.
        let _code = unsafe { (self.library.close_device)(self.handle) };
    }
}

/// One session, used by one thread at a time.
pub(super) struct SessionHandle {
    device: Arc<OpenDevice>,
    handle: Handle,
}

impl SessionHandle {
    pub(super) fn get_access(&self, index: u32, password: &[u8]) -> u32 {
        let Ok(length) = c_uint::try_from(password.len()) else {
            return TOO_LONG;
        };
        // SAFETY: the session is open; the function reads `length` bytes of the password and writes none.
        code(unsafe { (self.library().get_access)(self.handle, index, password.as_ptr().cast_mut(), length) })
    }

    pub(super) fn random(&self, target: &mut [u8]) -> u32 {
        let Ok(length) = c_uint::try_from(target.len()) else {
            return TOO_LONG;
        };
        // SAFETY: the session is open; the function writes `length` bytes, for which there is room.
        code(unsafe { (self.library().random)(self.handle, length, target.as_mut_ptr()) })
    }

    pub(super) fn public(&self, index: u32, is_signing: bool, key: &mut PublicKeyBytes) -> u32 {
        let library = self.library();
        let function = if is_signing {
            library.sign_public
        } else {
            library.seal_public
        };
        // SAFETY: the session is open; the function fills the structure.
        code(unsafe { function(self.handle, index, key) })
    }

    pub(super) fn sign(&self, index: u32, e: &[u8; 32], signature: &mut SignatureBytes) -> u32 {
        // SAFETY: the session is open; the function reads 32 bytes of e and fills the structure.
        code(unsafe { (self.library().sign)(self.handle, index, e.as_ptr().cast_mut(), 32, signature) })
    }

    /// `length` says how much room there is, and afterwards how much was written.
    pub(super) fn open(
        &self,
        index: u32,
        sealed: &mut CiphertextBytes,
        clear: &mut [u8; WRAP_BYTES_MAX],
        length: &mut u32,
    ) -> u32 {
        let clear = clear.as_mut_ptr();
        // SAFETY: the session is open; the function reads as much of C2 as the structure says that there is, and writes at
        // most as many bytes, which is at most WRAP_BYTES_MAX, for which there is room.
        code(unsafe {
            match self.library().open {
                OpenFn::WithKind(open) => open(self.handle, index, SGD_SM2_3, sealed, clear, length),
                OpenFn::Plain(open) => open(self.handle, index, sealed, clear, length),
            }
        })
    }

    fn library(&self) -> &Library {
        &self.device.library
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handle, and its device is still open. What a lost device answers changes nothing.
        let _code = unsafe { (self.library().close_session)(self.handle) };
    }
}

fn checked(returned: c_int) -> Result<(), u32> {
    match code(returned) {
        0 => Ok(()),
        other => Err(other),
    }
}

/// Codes are unsigned in the standard's table and signed in its declarations.
const fn code(returned: c_int) -> u32 {
    returned.cast_unsigned()
}

/// The encryption key of an index (GM/T 0006).
const SGD_SM2_3: c_uint = 0x0002_0800;
/// `SDR_INARGERR`.
const TOO_LONG: u32 = 0x0100_001d;

#[cfg(test)]
mod tests {
    use super::{CiphertextBytes, PublicKeyBytes, SignatureBytes};
    use std::mem::{offset_of, size_of};

    /// The layout that the standard's declarations have, with `unsigned int` of four bytes and no packing.
    #[test]
    fn structures_lie_as_the_standard_says() {
        assert_eq!(
            [
                offset_of!(PublicKeyBytes, x),
                offset_of!(PublicKeyBytes, y),
                size_of::<PublicKeyBytes>()
            ],
            [4, 68, 132]
        );
        assert_eq!([offset_of!(SignatureBytes, s), size_of::<SignatureBytes>()], [64, 128]);
        let sealed = [
            offset_of!(CiphertextBytes, y),
            offset_of!(CiphertextBytes, m),
            offset_of!(CiphertextBytes, l),
        ];
        assert_eq!((sealed, offset_of!(CiphertextBytes, c)), ([64, 128, 160], 164));
    }
}
