//! What is known of a key besides its bytes.

use crate::algorithm::Algorithm;
use time::OffsetDateTime;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// Our private key for this link.
    Ours,
    /// The counterparty's public key.
    Theirs,
    /// A secret both sides hold (MAC, sealing), or only we hold (journal).
    Shared,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Ours, Self::Theirs, Self::Shared];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Shared => "shared",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Usage {
    Sign,
    Seal,
    Mac,
    Journal,
}

impl Usage {
    pub const ALL: [Self; 4] = [Self::Sign, Self::Seal, Self::Mac, Self::Journal];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Seal => "seal",
            Self::Mac => "mac",
            Self::Journal => "journal",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.name() == name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    Pending,
    Accepted,
    Primary,
    Draining,
    Retired,
    Revoked,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Accepted,
        Self::Primary,
        Self::Draining,
        Self::Retired,
        Self::Revoked,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Primary => "primary",
            Self::Draining => "draining",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a key in this status still works when a message names it by serial (`design.md` 10).
    pub fn is_live(self) -> bool {
        match self {
            Self::Accepted | Self::Primary | Self::Draining => true,
            Self::Pending | Self::Retired | Self::Revoked => false,
        }
    }
}

/// A key's description as an operator states it: what goes into the keyring with the key's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyEntry {
    pub id: String,
    pub link: String,
    pub side: Side,
    pub usage: Usage,
    pub algorithm: Algorithm,
    pub status: Status,
    pub serial: String,
    /// When a primary key takes its place; at once if absent.
    pub primary_from: Option<OffsetDateTime>,
    /// First instant at which the key may be used.
    pub not_before: OffsetDateTime,
    /// Last instant at which the key may be used.
    pub not_after: OffsetDateTime,
    /// User id of an SM2 signing key; `DEFAULT_USER_ID` if none is given.
    pub user_id: Option<String>,
}

/// A key's public description; safe to print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyInfo {
    pub id: String,
    pub link: String,
    pub side: Side,
    pub usage: Usage,
    pub algorithm: Algorithm,
    /// Length of an RSA modulus.
    pub bits: Option<u32>,
    pub status: Status,
    /// As messages carry it.
    pub serial: String,
    /// When a primary key takes its place; at once if absent.
    pub primary_from: Option<OffsetDateTime>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// First 16 bytes of SM3 over the public point (SPKI for RSA, a labelled digest for a shared secret), in hex.
    pub fingerprint: String,
}

impl KeyInfo {
    /// Whether its validity has begun and not ended.
    pub fn is_valid(&self, now: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}
