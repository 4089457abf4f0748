//! Signatures whose number e was made otherwise than GB/T 32918.2 says: to find out how a counterparty signs, never to take one.

use super::reference::Reference;
use super::sign::Verifier;
use super::{PublicKey, Signature, identity};
use crate::error::CryptoError;
use crate::legacy::digest::sha256;
use crate::sm3::sm3;

/// How e was made of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Otherwise {
    /// SM3 of the message, without Z.
    WithoutZ,
    /// SHA-256 of the message, without Z.
    Sha256WithoutZ,
    /// SHA-256 of Z and the message, Z by SM3.
    Sha256,
    /// SHA-256 of Z and the message, Z by SHA-256 too.
    Sha256Throughout,
}

impl Otherwise {
    /// Whether a signature was made like this.
    pub fn made(self, key: &PublicKey, user_id: &[u8], message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        let e = self.e(&key.point(), user_id, message)?;
        Verifier::<Reference>::new(key, user_id)?.verify_e(&e, signature)
    }

    fn e(self, point: &[u8; 64], user_id: &[u8], message: &[u8]) -> Result<[u8; 32], CryptoError> {
        Ok(match self {
            Self::WithoutZ => sm3(&[message]),
            Self::Sha256WithoutZ => sha256(&[message]),
            Self::Sha256 => sha256(&[&identity::z(point, user_id)?, message]),
            Self::Sha256Throughout => sha256(&[&identity::z_by(sha256, point, user_id)?, message]),
        })
    }
}
