//! Sealed bytes that were wrapped anew under another journal key.
//!
//! Form: `MARK` || SM3 of the bytes as they were first sealed (32) || nonce (12) || SM4-GCM ciphertext || tag (16). The digest
//! is part of the additional data, so that it cannot be exchanged without the key. By it the hash chain, which names a reply by
//! its first sealed bytes, holds before, while and after a journal is wrapped anew.

use super::{ExchangeId, MessageRecord, SealedRecord};

/// Begins what was wrapped anew. What was not begins with a random nonce, which is never this.
pub const MARK: &[u8; 12] = b"hangu rewrap";

/// Sealed bytes in the place of others that hold the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewrapped {
    pub place: Place,
    /// As they were read; where others stand meanwhile, or none, nothing is changed.
    pub from: SealedRecord,
    pub to: SealedRecord,
}

/// A message where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    pub exchange: ExchangeId,
    /// Its number within the exchange, from 1.
    pub seq: i64,
    pub message: MessageRecord,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A message by its number within its exchange, from 1.
    Message {
        exchange: ExchangeId,
        seq: i64,
    },
    Parked(i64),
}

/// SM3 of sealed bytes as they were first written.
pub fn first_digest(sealed: &[u8]) -> [u8; 32] {
    let carried = sealed.strip_prefix(MARK).and_then(|rest| rest.first_chunk::<32>());
    carried.copied().unwrap_or_else(|| keys::sm3::sm3(&[sealed]))
}

impl SealedRecord {
    /// Whether it is this record, or this record wrapped anew.
    pub fn is_same(&self, other: &Self) -> bool {
        self == other || first_digest(&self.sealed) == first_digest(&other.sealed)
    }
}
