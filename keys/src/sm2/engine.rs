//! The choice of implementation, in one place, so that the keyring names none.

use super::{
    PrivateKey, PublicKey, ReferenceSigner, ReferenceUnwrapper, ReferenceVerifier, ReferenceWrapper, Sign, Unwrap, Verify, Wrap,
};
use crate::error::CryptoError;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Engine {
    /// Our protocol code over `RustCrypto`'s arithmetic.
    #[default]
    Reference,
}

impl Engine {
    pub fn signer(self, key: &PrivateKey, user_id: &[u8]) -> Result<Box<dyn Sign>, CryptoError> {
        match self {
            Self::Reference => Ok(Box::new(ReferenceSigner::new(key, user_id)?)),
        }
    }

    pub fn verifier(self, key: &PublicKey, user_id: &[u8]) -> Result<Box<dyn Verify>, CryptoError> {
        match self {
            Self::Reference => Ok(Box::new(ReferenceVerifier::new(key, user_id)?)),
        }
    }

    pub fn wrapper(self, key: &PublicKey) -> Box<dyn Wrap> {
        match self {
            Self::Reference => Box::new(ReferenceWrapper::new(key)),
        }
    }

    pub fn unwrapper(self, key: &PrivateKey) -> Box<dyn Unwrap> {
        match self {
            Self::Reference => Box::new(ReferenceUnwrapper::new(key)),
        }
    }
}
