//! What can go wrong with a guarded store. Carries no secret.

use super::record::Broken;
use super::refusal::Refusal;
use crate::error::CryptoError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum GuardedError {
    /// What was asked for is against a rule; nothing was written.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The log as it stands is not valid.
    #[error("store.log, {0}")]
    Broken(#[from] Broken),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Crypto(#[from] CryptoError),
    #[error("the master key is not this store's")]
    OtherMaster,
    #[error("too few shares, one twice, or not all of one split")]
    Shares,
    #[error("another program writes to this store; try again when it is done")]
    Locked,
    #[error("the revocation list {0} is not signed by the authority that it names")]
    Revocation(String),
    #[error("key {0}: {1}")]
    Material(String, String),
}
