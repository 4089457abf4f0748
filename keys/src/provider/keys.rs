//! Keys of a device, as the keyring places them: the traits of keys from files, each over calls of the device.
//!
//! The public half comes from a file, so that a keyring can be loaded, compared and shown while the device is away. Whatever
//! the device signs is verified under it before anybody sees it: a device that errs, or holds another key, sends nothing.

use super::{Device, DeviceFault};
use crate::error::CryptoError;
use crate::legacy::{RsaPublic, RsaScheme, RsaSign};
use crate::secret::Secret;
use crate::sm2::{Ciphertext, Engine, PublicKey, Sign, Signature, Unwrap, Verify, WRAP_BYTES_MAX, Wrap, digest, is_on_curve};
use getrandom::SysRng;
use rand_core::{CryptoRng, UnwrapErr};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Where a key lies: a device, and what the device calls it.
#[derive(Clone)]
pub struct Placed {
    pub device: Arc<Device>,
    pub label: String,
}

/// Has the device use a key once, and checks what comes of it.
pub trait Probe: Send + Sync {
    fn probe(&self) -> Result<(), CryptoError>;
}

pub(crate) struct DeviceSigner {
    placed: Placed,
    z: [u8; 32],
    verifier: Box<dyn Verify>,
}

impl DeviceSigner {
    pub(crate) fn new(placed: Placed, key: &PublicKey, user_id: &[u8], engine: Engine) -> Result<Self, CryptoError> {
        Ok(Self {
            placed,
            z: digest::z(&key.point(), user_id)?,
            verifier: engine.verifier(key, user_id)?,
        })
    }
}

impl Sign for DeviceSigner {
    /// The device draws k itself.
    fn sign(&self, message: &[u8], _rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError> {
        let (e, label) = (digest::e(&self.z, message), self.placed.label.clone());
        let signature = self.placed.device.call(move |session| session.sign_sm2(&label, &e))?;
        let verified = self.verifier.verify(message, &signature);
        verified.map_err(|_| self.placed.device.note_wrong())?;
        Ok(signature)
    }
}

impl Probe for DeviceSigner {
    fn probe(&self) -> Result<(), CryptoError> {
        self.sign(PROBED, &mut UnwrapErr(SysRng)).map(drop)
    }
}

pub(crate) struct DeviceUnwrapper {
    placed: Placed,
    wrapper: Box<dyn Wrap>,
}

impl DeviceUnwrapper {
    pub(crate) fn new(placed: Placed, key: &PublicKey, engine: Engine) -> Self {
        Self {
            placed,
            wrapper: engine.wrapper(key),
        }
    }

    fn asked(&self, ciphertext: Ciphertext) -> Result<Secret, DeviceFault> {
        let label = self.placed.label.clone();
        self.placed
            .device
            .call(move |session| session.unwrap_sm2(&label, &ciphertext))
    }
}

impl Unwrap for DeviceUnwrapper {
    /// Devices have one error number for a message that is no good and for themselves being no good. Which it was is found by an
    /// envelope of our own: a device that opens that one is well.
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        let is_open_to = !ciphertext.c2.is_empty() && ciphertext.c2.len() <= WRAP_BYTES_MAX && is_on_curve(&ciphertext.c1);
        if !is_open_to {
            return Err(CryptoError::Ciphertext);
        }
        match self.asked(ciphertext.clone()) {
            Err(fault @ DeviceFault::Code(_)) => match self.probe() {
                Ok(()) => Err(CryptoError::Ciphertext),
                Err(_) => Err(fault.into()),
            },
            outcome => Ok(outcome?),
        }
    }
}

impl Probe for DeviceUnwrapper {
    fn probe(&self) -> Result<(), CryptoError> {
        let wrapped = self.wrapper.wrap(PROBED, &mut UnwrapErr(SysRng))?;
        let opened = self.asked(wrapped)?;
        if opened.danger_expose() == PROBED {
            Ok(())
        } else {
            Err(self.placed.device.note_wrong().into())
        }
    }
}

pub(crate) struct DeviceRsaSigner {
    placed: Placed,
    public: RsaPublic,
}

impl DeviceRsaSigner {
    pub(crate) fn new(placed: Placed, public: RsaPublic) -> Self {
        Self { placed, public }
    }
}

impl RsaSign for DeviceRsaSigner {
    fn sign(&self, scheme: RsaScheme, text: &[u8], _rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
        let (content, label) = (scheme.padded_content(text), self.placed.label.clone());
        let signature = self.placed.device.call(move |session| session.sign_rsa(&label, &content))?;
        let verified = self.public.verify(scheme, text, &signature);
        verified.map_err(|_| self.placed.device.note_wrong())?;
        Ok(signature)
    }
}

impl Probe for DeviceRsaSigner {
    fn probe(&self) -> Result<(), CryptoError> {
        self.sign(RsaScheme::Pkcs1Sha256, PROBED, &mut UnwrapErr(SysRng)).map(drop)
    }
}

/// A MAC key that does not leave its device: HMAC-SHA256.
#[derive(Clone)]
pub struct DeviceMac(Placed);

impl DeviceMac {
    pub(crate) fn new(placed: Placed) -> Self {
        Self(placed)
    }

    pub(crate) fn tag(&self, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        let (text, label) = (parts.concat(), self.0.label.clone());
        Ok(self.0.device.call(move |session| session.hmac_sha256(&label, &text))?)
    }

    /// Constant-time check.
    pub(crate) fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        let ours = self.tag(parts)?;
        if bool::from(ours.ct_eq(tag)) {
            Ok(())
        } else {
            Err(CryptoError::Signature)
        }
    }
}

impl Probe for DeviceMac {
    fn probe(&self) -> Result<(), CryptoError> {
        let tag = self.tag(&[PROBED])?;
        if tag.len() == 32 {
            Ok(())
        } else {
            Err(self.0.device.note_wrong().into())
        }
    }
}

const PROBED: &[u8] = b"hangu device probe";
