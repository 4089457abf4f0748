//! What records say: the founding, proposals with their exact change, verdicts on them, checkpoints. JSON texts, with every
//! field known.

use super::record::Stamp;
use super::refusal::Refusal;
use crate::algorithm::Algorithm;
use crate::hex;
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::sm2::PublicKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The first record: who the officers are, and how many must agree. Signed by each of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// A random name, so that nothing signed for one store counts in another.
    pub store: String,
    /// Tells a wrong master key from a damaged file.
    pub master_check: String,
    /// How many officers must have signed a change, its proposer among them.
    pub threshold: u8,
    pub officers: Vec<Officer>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    pub name: String,
    /// x || y in hex.
    pub public_key: String,
    pub roles: BTreeSet<Role>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Proposes changes.
    Custodian,
    /// Approves what another proposed.
    Approver,
    /// Signs checkpoints; changes nothing.
    Auditor,
    /// Runs the gateway; changes nothing.
    Operator,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Custodian, Self::Approver, Self::Auditor, Self::Operator];

    pub fn name(self) -> &'static str {
        match self {
            Self::Custodian => "custodian",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A change as one officer proposes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    pub store: String,
    pub officer: String,
    /// Head of the log that the proposer saw: the signature vouches for the whole history too.
    pub follows: String,
    pub expires: Stamp,
    pub change: Change,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new key, made here or brought in.
    Key(Box<KeyChange>),
    /// Status transitions that take effect together: a promotion drains the key before it.
    Status(Vec<Step>),
    Validity {
        id: String,
        not_before: Stamp,
        not_after: Stamp,
    },
    /// An officer who is new, or whose key or roles become these.
    Officer(Officer),
    OfficerRemoved(Named),
    Threshold(u8),
    Anchor(Anchor),
    AnchorRemoved(Named),
    /// A certificate for a key that is there, and with it perhaps another serial number.
    Certificate(Box<CertificateChange>),
    /// A double certificate: one for a signing key that is there, and the key pair for opening that the authority made with it.
    Pair(Box<PairChange>),
    /// Another master key in the place of the one that there is.
    Master(MasterChange),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub name: String,
}

/// A certificate of an authority whose certificates count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    pub name: String,
    /// PEM.
    pub certificate: String,
}

/// What a certificate makes of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateChange {
    pub id: String,
    pub serial: String,
    pub not_before: Stamp,
    pub not_after: Stamp,
    /// PEM: the key's own, then those of its issuers up to the trust anchor, which is not among them.
    pub certificates: String,
    /// SM3 of the wrapped file, which is made anew when the serial number changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<String>,
}

/// Both take effect, or neither.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairChange {
    pub certificate: CertificateChange,
    pub key: KeyChange,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterChange {
    /// As `master_check` of the first record.
    pub check: String,
    /// SM3 of the wrapped file of each key.
    pub wrapped: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    pub from: String,
    pub to: String,
    /// When a promotion takes effect, on every instance alike; at once if absent. Every other step takes effect at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_from: Option<Stamp>,
}

/// A key's description with what identifies its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    pub id: String,
    pub link: String,
    pub side: String,
    pub usage: String,
    pub algorithm: String,
    pub status: String,
    pub serial: String,
    pub not_before: Stamp,
    pub not_after: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// As `hangu key list` prints it.
    pub fingerprint: String,
    pub material: Material,
}

/// Where a key's bytes are: public ones in the log itself, others wrapped in a file that the log knows by its SM3.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// PEM: a public key, or the certificate that holds it. None for shared secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// SM3 of the wrapped file in hex. None for keys of counterparties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<String>,
}

impl KeyChange {
    pub fn new(entry: &KeyEntry, fingerprint: String, material: Material) -> Self {
        Self {
            id: entry.id.clone(),
            link: entry.link.clone(),
            side: entry.side.name().to_owned(),
            usage: entry.usage.name().to_owned(),
            algorithm: entry.algorithm.name().to_owned(),
            status: entry.status.name().to_owned(),
            serial: entry.serial.clone(),
            not_before: Stamp::new(entry.not_before),
            not_after: Stamp::new(entry.not_after),
            user_id: entry.user_id.clone(),
            fingerprint,
            material,
        }
    }

    pub(super) fn entry(&self) -> Result<KeyEntry, Refusal> {
        let unknown = |what: &str, name: &str| Refusal::Key {
            id: self.id.clone(),
            rule: format!("has the {what} {name}, which there is not"),
        };
        Ok(KeyEntry {
            primary_from: None,
            id: self.id.clone(),
            link: self.link.clone(),
            side: Side::parse(&self.side).ok_or_else(|| unknown("side", &self.side))?,
            usage: Usage::parse(&self.usage).ok_or_else(|| unknown("usage", &self.usage))?,
            algorithm: Algorithm::parse(&self.algorithm).ok_or_else(|| unknown("algorithm", &self.algorithm))?,
            status: Status::parse(&self.status).ok_or_else(|| unknown("status", &self.status))?,
            serial: self.serial.clone(),
            not_before: self.not_before.at(),
            not_after: self.not_after.at(),
            user_id: self.user_id.clone(),
        })
    }
}

/// An approval or a withdrawal: of which proposal, by its number and hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub store: String,
    pub officer: String,
    pub proposal: u64,
    /// SM3 of the proposal's whole record.
    pub hash: String,
    pub at: Stamp,
}

/// A checkpoint: the head of the log as an officer saw it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    pub store: String,
    pub officer: String,
    /// Number of the last record.
    pub number: u64,
    pub head: String,
    pub at: Stamp,
}

impl Officer {
    pub(super) fn public(&self) -> Result<PublicKey, Refusal> {
        let bytes = hex::decode(&self.public_key);
        let point = bytes.as_ref().and_then(|bytes| bytes.as_slice().try_into().ok());
        let key = point.and_then(|point| PublicKey::from_point(point).ok());
        key.ok_or_else(|| Refusal::Officers(format!("the public key of {} is not on the curve", self.name)))
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// Reads a content that is exactly what this program writes: two texts never mean the same.
pub(super) fn read<T: DeserializeOwned + Serialize>(content: &str) -> Result<T, Refusal> {
    let value: T = serde_json::from_str(content).map_err(|error| Refusal::Form(error.to_string()))?;
    if write(&value)? == content {
        Ok(value)
    } else {
        Err(Refusal::Form(
            "is not written in the one form that its content has".to_owned(),
        ))
    }
}

pub(super) fn write<T: Serialize>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::Form(error.to_string()))
}
