//! A key that one side of a link announces to the other, under a signature that stands apart from the message that carries it.
//!
//! The message may be signed as all of its link are; this signature proves the announcement by itself, for as long as somebody
//! has to decide on it. It covers one text, each value followed by `|`: sender, receiver, usage, serial number, the key in
//! base64, first and last moment of validity. It is SM2 over SM3, the sequence of two numbers of GM/T 0009, in base64. Trusted
//! by nothing here: who believes it looks at the fingerprint by another channel.

use crate::certificate::signed::{of_two_numbers, two_numbers};
use crate::certificate::{Certificate, CertificateKey};
use crate::error::CryptoError;
use crate::hex;
use crate::key::Usage;
use crate::pem;
use crate::sm2::{PublicKey, Sign, Verify};
use crate::sm3::sm3;
use base64ct::{Base64, Encoding};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, PrimitiveDateTime};

/// What an announcement says, word for word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    pub sender: String,
    pub receiver: String,
    /// `SIGN` or `SEAL`.
    pub usage: String,
    pub serial: String,
    /// Base64 of a certificate, or of a public key as SPKI.
    pub key: String,
    /// yyyy-MM-ddTHH:mm:ss, Beijing time.
    pub from: String,
    pub to: String,
}

/// The key of an announcement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnouncedKey {
    pub usage: Usage,
    pub public: PublicKey,
    /// As key files hold it.
    pub pem: String,
    /// As keyrings have it.
    pub fingerprint: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// What is wrong with an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Flaw {
    #[error("its usage is none that is known")]
    Usage,
    #[error("it holds no public key for SM2 and no certificate of one")]
    Key,
    #[error("its certificate has another serial number")]
    Serial,
    #[error("its validity is no time, or its certificate is not valid for all of it")]
    Validity,
    #[error("its validity is over")]
    Expired,
    #[error("its signature is not one of the known key")]
    Signature,
}

impl Announcement {
    /// The exact bytes that are signed.
    pub fn text(&self) -> String {
        let values = [
            &self.sender,
            &self.receiver,
            &self.usage,
            &self.serial,
            &self.key,
            &self.from,
            &self.to,
        ];
        values.iter().flat_map(|value| [value.as_str(), "|"]).collect()
    }

    pub fn signed(&self, key: &dyn Sign, rng: &mut dyn CryptoRng) -> Result<String, CryptoError> {
        let signature = key.sign(self.text().as_bytes(), rng)?;
        Ok(Base64::encode_string(&of_two_numbers(&signature)?))
    }

    pub fn check(&self, key: &dyn Verify, signature: &str) -> Result<(), Flaw> {
        let der = Base64::decode_vec(signature).map_err(|_| Flaw::Signature)?;
        let signature = two_numbers(&der).map_err(|_| Flaw::Signature)?;
        key.verify(self.text().as_bytes(), &signature).map_err(|_| Flaw::Signature)
    }

    /// The key, if it is one that can be used now or later.
    pub fn key(&self, now: OffsetDateTime) -> Result<AnnouncedKey, Flaw> {
        let usage = usage(&self.usage).ok_or(Flaw::Usage)?;
        let (not_before, not_after) = (moment(&self.from)?, moment(&self.to)?);
        if not_after <= not_before {
            return Err(Flaw::Validity);
        }
        if not_after <= now {
            return Err(Flaw::Expired);
        }
        let der = Base64::decode_vec(&self.key).map_err(|_| Flaw::Key)?;
        let (public, pem) = match Certificate::from_der(&der) {
            Ok(certificate) => (self.certified(&certificate, (not_before, not_after))?, certificate.to_pem()),
            Err(_) => bare(&der)?,
        };
        Ok(AnnouncedKey {
            usage,
            fingerprint: hex::encode(&sm3(&[&public.point()])[..16]),
            public,
            pem,
            not_before,
            not_after,
        })
    }

    fn certified(&self, certificate: &Certificate, (from, to): (OffsetDateTime, OffsetDateTime)) -> Result<PublicKey, Flaw> {
        if !certificate.has_serial(&self.serial) {
            return Err(Flaw::Serial);
        }
        let valid = certificate.not_before().ok().zip(certificate.not_after().ok());
        if !valid.is_some_and(|(first, last)| first <= from && to <= last) {
            return Err(Flaw::Validity);
        }
        match certificate.public_key() {
            Ok(CertificateKey::Sm2(key)) => Ok(key),
            Ok(CertificateKey::Rsa(_)) | Err(_) => Err(Flaw::Key),
        }
    }
}

impl PublicKey {
    /// As an announcement carries it.
    pub fn to_announced(&self) -> Result<String, CryptoError> {
        let der = pem::block(&self.to_spki_pem()?, LABEL).ok_or(CryptoError::Key)?;
        Ok(Base64::encode_string(&der))
    }
}

/// The word for a usage; none for a usage whose keys are secrets.
pub const fn word(usage: Usage) -> Option<&'static str> {
    match usage {
        Usage::Sign => Some("SIGN"),
        Usage::Seal => Some("SEAL"),
        Usage::Mac | Usage::Journal => None,
    }
}

pub fn usage(announced: &str) -> Option<Usage> {
    Usage::ALL.into_iter().find(|usage| word(*usage) == Some(announced))
}

/// A moment as announcements write it.
pub fn stamp(at: OffsetDateTime) -> String {
    // The format names no part that a moment lacks.
    at.to_offset(offset!(+8)).format(FORM).unwrap_or_default()
}

fn moment(text: &str) -> Result<OffsetDateTime, Flaw> {
    let local = PrimitiveDateTime::parse(text, FORM).map_err(|_| Flaw::Validity)?;
    Ok(local.assume_offset(offset!(+8)))
}

fn bare(der: &[u8]) -> Result<(PublicKey, String), Flaw> {
    let pem = pem::encode(LABEL, der);
    let key = PublicKey::from_pem(&pem).map_err(|_| Flaw::Key)?;
    Ok((key, pem))
}

const LABEL: &str = "PUBLIC KEY";
const FORM: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

#[cfg(test)]
mod tests;
