//! A secret that a file holds under a key of a device: shared keys, journal keys, the master key of a guarded store. The device
//! opens it when the keys are loaded; from then on it is a key in memory like any other.
//!
//! `hangu-device-wrapped 1 SCHEME HEX`, on one line.

use super::{Device, Placed};
use crate::error::CryptoError;
use crate::hex;
use crate::legacy::{RsaPadding, RsaPublic};
use crate::secret::Secret;
use crate::sm2::{Ciphertext, Engine, PublicKey};
use rand_core::CryptoRng;

/// How the device's key wraps. OAEP and SM2 are made with its public half, AES-GCM by the device itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WrapScheme {
    Aes256Gcm,
    OaepSha1,
    OaepSha256,
    Sm2,
}

impl WrapScheme {
    pub const ALL: [Self; 4] = [Self::Aes256Gcm, Self::OaepSha1, Self::OaepSha256, Self::Sm2];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::OaepSha1 => "rsa-oaep-sha1",
            Self::OaepSha256 => "rsa-oaep-sha256",
            Self::Sm2 => "sm2",
        }
    }
}

impl Device {
    /// A secret as a file's text, under an AES key of this device.
    pub fn wrap(&self, label: &str, secret: Secret, rng: &mut dyn CryptoRng) -> Result<String, CryptoError> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let label = label.to_owned();
        let wrapped = self.call(move |session| session.wrap_secret(&label, nonce, secret.danger_expose()))?;
        Ok(text(WrapScheme::Aes256Gcm, &[&nonce[..], &wrapped].concat()))
    }
}

/// A secret as a file's text, for the SM2 key of a device.
pub fn seal_for(key: &PublicKey, secret: &Secret, rng: &mut dyn CryptoRng) -> Result<String, CryptoError> {
    let Ciphertext { c1, c3, c2 } = Engine::default().wrapper(key).wrap(secret.danger_expose(), rng)?;
    Ok(text(WrapScheme::Sm2, &[&c1[..], &c3, &c2].concat()))
}

/// The same for the RSA key of a device.
pub fn seal_for_rsa(
    key: &RsaPublic,
    padding: RsaPadding,
    secret: &Secret,
    rng: &mut dyn CryptoRng,
) -> Result<String, CryptoError> {
    let scheme = match padding {
        RsaPadding::OaepSha1 => WrapScheme::OaepSha1,
        RsaPadding::OaepSha256 => WrapScheme::OaepSha256,
        RsaPadding::Pkcs1 => return Err(CryptoError::Key),
    };
    Ok(text(scheme, &key.wrap(padding, secret.danger_expose(), rng)?))
}

/// What such a file holds, opened by the device.
pub(crate) fn open_text(placed: &Placed, text: &str) -> Result<Secret, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let ["hangu-device-wrapped", "1", scheme, digits] = words[..] else {
        return Err(NOT_WRAPPED.to_owned());
    };
    let scheme = WrapScheme::ALL
        .into_iter()
        .find(|known| known.name() == scheme)
        .ok_or(NOT_WRAPPED)?;
    let wrapped = hex::decode(digits).ok_or(NOT_WRAPPED)?.to_vec();
    let opened = asked(placed, scheme, wrapped).ok_or(NOT_WRAPPED)?;
    opened.map_err(|fault| format!("cannot be opened: device {} {fault}", placed.device.name()))
}

/// `None` where the bytes are too few for the scheme.
fn asked(placed: &Placed, scheme: WrapScheme, wrapped: Vec<u8>) -> Option<Result<Secret, super::DeviceFault>> {
    let label = placed.label.clone();
    Some(match scheme {
        WrapScheme::Aes256Gcm => {
            let (nonce, wrapped) = wrapped.split_first_chunk::<NONCE_BYTES>()?;
            let (nonce, wrapped) = (*nonce, wrapped.to_vec());
            placed
                .device
                .call(move |session| session.unwrap_secret(&label, nonce, &wrapped))
        }
        WrapScheme::OaepSha1 => placed
            .device
            .call(move |session| session.unwrap_rsa(&label, RsaPadding::OaepSha1, &wrapped)),
        WrapScheme::OaepSha256 => placed
            .device
            .call(move |session| session.unwrap_rsa(&label, RsaPadding::OaepSha256, &wrapped)),
        WrapScheme::Sm2 => {
            let (c1, rest) = wrapped.split_first_chunk::<64>()?;
            let (c3, c2) = rest.split_first_chunk::<32>()?;
            let ciphertext = Ciphertext {
                c1: *c1,
                c3: *c3,
                c2: c2.to_vec(),
            };
            placed.device.call(move |session| session.unwrap_sm2(&label, &ciphertext))
        }
    })
}

fn text(scheme: WrapScheme, wrapped: &[u8]) -> String {
    format!("hangu-device-wrapped 1 {} {}\n", scheme.name(), hex::encode(wrapped))
}

const NOT_WRAPPED: &str = "needs a secret under a device's key: `hangu-device-wrapped 1 SCHEME HEX` on one line";
const NONCE_BYTES: usize = 12;
