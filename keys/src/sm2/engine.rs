//! The choice of implementation, in one place, so that the keyring names none.

use super::encrypt::{Unwrapper, Wrapper};
use super::native::Native;
use super::reference::Reference;
use super::sign::{Signer, Verifier};
use super::{PrivateKey, PublicKey, Sign, Unwrap, Verify, Wrap};
use crate::error::CryptoError;
use serde::Deserialize;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Our own arithmetic with tables for known keys: 256 KiB for a key that verifies, 86 KiB for one that wraps, and once the
    /// same again for G, as long as the prepared keys live.
    #[default]
    Native,
    /// `RustCrypto`'s arithmetic.
    Reference,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Native, Self::Reference];

    /// As configurations and reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Reference => "reference",
        }
    }

    pub fn signer(self, key: &PrivateKey, user_id: &[u8]) -> Result<Box<dyn Sign>, CryptoError> {
        Ok(match self {
            Self::Native => Box::new(Signer::<Native>::new(key, user_id)?),
            Self::Reference => Box::new(Signer::<Reference>::new(key, user_id)?),
        })
    }

    pub fn verifier(self, key: &PublicKey, user_id: &[u8]) -> Result<Box<dyn Verify>, CryptoError> {
        Ok(match self {
            Self::Native => Box::new(Verifier::<Native>::new(key, user_id)?),
            Self::Reference => Box::new(Verifier::<Reference>::new(key, user_id)?),
        })
    }

    pub fn wrapper(self, key: &PublicKey) -> Box<dyn Wrap> {
        match self {
            Self::Native => Box::new(Wrapper::<Native>::new(key)),
            Self::Reference => Box::new(Wrapper::<Reference>::new(key)),
        }
    }

    pub fn unwrapper(self, key: &PrivateKey) -> Box<dyn Unwrap> {
        match self {
            Self::Native => Box::new(Unwrapper::<Native>::new(key)),
            Self::Reference => Box::new(Unwrapper::<Reference>::new(key)),
        }
    }
}
