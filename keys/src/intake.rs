//! The forms in which authorities and other programs hand keys over, opened to what the store takes: a private key and
//! certificates, both in PEM.
//!
//! PEM and DER of PKCS #8 (encrypted too), SEC1 and PKCS #1; PKCS #12; the structures of GM/T 0009, of which an authority uses
//! the enveloped key to hand out an encryption key pair; PKCS #7 and GM/T 0010; and CFCA's own key file. What a file is, its
//! bytes say.

use crate::certificate::{Certificate, CertificateKey};
use crate::chain::check_usage;
use crate::error::CryptoError;
use crate::key::Usage;
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::pem;
use crate::sm2::{PrivateKey, PublicKey};
use base64ct::{Base64, Encoding};
use values::Values;
use x509_cert::der::{Tag, Tagged};
use zeroize::Zeroizing;

mod cfca; // CFCA's key file
mod gmt0009; // keys and enveloped keys of GM/T 0009
mod password; // keys under a passphrase
mod pkcs12; // RFC 7292
mod pkcs7; // RFC 2315, GM/T 0010
mod values; // DER, value by value

/// What a file brought. No `Debug`; the key is wiped when dropped.
#[derive(Default)]
pub struct Brought {
    /// A private key as it stood in the file (PEM or hex digits), or as PKCS #8 in PEM.
    pub private: Option<Zeroizing<String>>,
    /// A public key, as it stood in the file or as SPKI in PEM.
    pub public: Option<String>,
    /// Certificates in PEM; the one of the private key first.
    pub certificates: String,
    /// The certificate of who signed the private key in the file, in PEM. Whether this one may, the caller decides.
    pub signer: Option<String>,
    /// Whether certificates were left behind because only RC2 would open them.
    pub is_partial: bool,
}

/// What opens a file.
#[derive(Clone, Copy, Default)]
pub struct Openers<'a> {
    pub passphrase: Option<&'a str>,
    /// The key pair for which an authority enveloped another.
    pub key: Option<&'a PrivateKey>,
}

/// Why a file brought nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("is in none of the forms that are read: PEM, PKCS #7, #8 and #12, GM/T 0009 and 0010, CFCA's key file")]
    Form,
    #[error("is encrypted: it needs its passphrase")]
    Passphrase,
    #[error("does not open: another passphrase, or altered")]
    Closed,
    #[error("is an enveloped key: it needs the key pair that it was enveloped for")]
    Envelope,
    #[error("does not open under this key pair, or holds a private key that is not its public key's")]
    OtherKey,
    #[error("is encrypted by an algorithm that is not read")]
    Algorithm,
    #[error("is not signed with SM2 by the holder of a certificate in it, or was altered")]
    Signature,
    #[error("holds no certificate that fits, or more than one")]
    Certificate,
    #[error("holds more than one private key")]
    Several,
}

/// Opens the bytes of a file.
pub fn bring(bytes: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let Ok(text) = str::from_utf8(bytes) else {
        return of_der(bytes, openers);
    };
    if text.contains("-----BEGIN ") {
        return of_pem(text, openers);
    }
    if crate::hex::decode(text.trim_ascii()).is_some_and(|key| key.len() == KEY_BYTES) {
        return Ok(private(Zeroizing::new(text.trim_ascii().to_owned())));
    }
    let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    match Base64::decode_vec(&digits) {
        Ok(der) => of_der(&Zeroizing::new(der), openers),
        Err(_) => of_der(bytes, openers),
    }
}

fn of_pem(text: &str, openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let certificates = pem::blocks(text, "CERTIFICATE").ok_or(IntakeError::Form)?;
    let mut brought = if let Some(der) = pem::block(text, "ENCRYPTED PRIVATE KEY") {
        private(password::pkcs8(&der, openers)?)
    } else if let Some(der) = pem::block(text, "CFCA KEY") {
        cfca::open(&der, openers)?
    } else if let Some(der) = PKCS7_LABELS.iter().find_map(|label| pem::block(text, label)) {
        pkcs7::open(&der, openers)?
    } else if PRIVATE_LABELS.iter().any(|label| pem::block(text, label).is_some()) {
        private(Zeroizing::new(text.to_owned()))
    } else {
        Brought::default()
    };
    let has_public = PUBLIC_LABELS.iter().any(|label| pem::block(text, label).is_some());
    brought.public = has_public.then(|| text.to_owned());
    if brought.private.is_none() && certificates.is_empty() && brought.certificates.is_empty() && !has_public {
        return Err(IntakeError::Form);
    }
    brought
        .certificates
        .extend(certificates.iter().map(|der| pem::encode("CERTIFICATE", der)));
    Ok(brought.in_order())
}

fn of_der(der: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let whole = Values::only(der)?;
    if whole.tag() == Tag::Integer {
        return gmt0009::private_key(whole.value()).map(private);
    }
    if whole.tag() == Tag::BitString {
        return Ok(Brought {
            public: Some(gmt0009::public_key(der)?),
            ..Brought::default()
        });
    }
    let mut inner = Values::of(whole.value());
    let (first, second) = (inner.any()?, inner.any()?);
    let pem = |label| Ok(private(Zeroizing::new(pem::encode(label, der))));
    match (first.tag(), first.value(), second.tag()) {
        (Tag::ObjectIdentifier, _, values::CONTEXT_0) => pkcs7::open(der, openers).map(Brought::in_order),
        (Tag::Integer, [3], Tag::Sequence) => pkcs12::open(der, openers),
        (Tag::Integer, [1], Tag::Sequence) => cfca::open(der, openers),
        (Tag::Integer, [1], Tag::OctetString) => pem("EC PRIVATE KEY"),
        (Tag::Integer, [0], Tag::Sequence) => pem("PRIVATE KEY"),
        (Tag::Integer, [0], Tag::Integer) => pem("RSA PRIVATE KEY"),
        (Tag::Sequence, _, Tag::OctetString) => password::pkcs8(der, openers).map(private),
        (Tag::Sequence, _, Tag::Sequence) if gmt0009::is_enveloped(first.value()) => gmt0009::open(der, openers).map(private),
        (Tag::Sequence, _, Tag::Sequence) if Certificate::from_der(der).is_ok() => Ok(Brought {
            certificates: pem::encode("CERTIFICATE", der),
            ..Brought::default()
        }),
        _ => Err(IntakeError::Form),
    }
}

fn private(key: Zeroizing<String>) -> Brought {
    Brought {
        private: Some(key),
        ..Brought::default()
    }
}

impl Brought {
    /// The certificates, if the first of them is the private key's.
    pub fn own_certificates(&self) -> Option<&str> {
        let first = Certificate::from_pem(&self.certificates).ok()?;
        let private = self.private.as_deref()?;
        is_of(&first, private).then_some(self.certificates.as_str())
    }

    /// The public half of the private key.
    pub fn public_half(&self) -> Option<CertificateKey> {
        let private = self.private.as_deref()?;
        let sm2 = sm2_private(private).map(|key| CertificateKey::Sm2(key.public().clone()));
        sm2.or_else(|| {
            RsaPrivate::from_pem(private)
                .ok()
                .map(|key| CertificateKey::Rsa(key.public().clone()))
        })
    }

    /// The certificate of the private key before those of its issuers.
    fn in_order(mut self) -> Self {
        let blocks = pem::blocks(&self.certificates, "CERTIFICATE").unwrap_or_default();
        let Some(key) = &self.private else { return self };
        let is_own = |der: &[u8]| Certificate::from_der(der).is_ok_and(|certificate| is_of(&certificate, key));
        let (own, others): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|der| is_own(der));
        self.certificates = own.iter().chain(&others).map(|der| pem::encode("CERTIFICATE", der)).collect();
        self
    }
}

/// A public key or the first certificate of a PEM text.
pub fn public_key(pem: &str) -> Option<CertificateKey> {
    if let Ok(certificate) = Certificate::from_pem(pem) {
        return certificate.public_key().ok();
    }
    let sm2 = PublicKey::from_pem(pem).map(CertificateKey::Sm2);
    sm2.or_else(|_| RsaPublic::from_pem(pem).map(CertificateKey::Rsa)).ok()
}

/// Of some certificates in PEM those of one key pair: that of this public key first, those of authorities behind it.
pub fn certificates_of(certificates: &str, public: &CertificateKey) -> Result<String, IntakeError> {
    first(certificates, |own, _| own.public_key().is_ok_and(|key| key == *public))
}

/// The same for a key that only its certificate tells: the one certificate that issued no other and is for this usage. Of a
/// double certificate that is one of the two.
pub fn certificates_for(certificates: &str, usage: Usage) -> Result<String, IntakeError> {
    first(certificates, |own, all| {
        let issued = |other: &Certificate| other.issuer() == own.subject() && other.check_issued_by(own).is_ok();
        check_usage(own, usage).is_ok() && (all.len() == 1 || !all.iter().any(issued))
    })
}

fn first(certificates: &str, is_own: impl Fn(&Certificate, &[Certificate]) -> bool) -> Result<String, IntakeError> {
    let all = Certificate::all_from_pem(certificates).map_err(|_| IntakeError::Certificate)?;
    let (own, others): (Vec<_>, Vec<_>) = all.iter().partition(|certificate| is_own(certificate, &all));
    if own.len() != 1 {
        return Err(IntakeError::Certificate);
    }
    Ok(own.into_iter().chain(others).map(Certificate::to_pem).collect())
}

/// From PEM, or the hex digits that a file may hold instead.
fn sm2_private(text: &str) -> Option<PrivateKey> {
    match crate::hex::decode(text.trim_ascii()) {
        Some(digits) => PrivateKey::from_bytes(digits.as_slice().try_into().ok()?).ok(),
        None => PrivateKey::from_pem(text).ok(),
    }
}

/// Whether a certificate is of a private key.
fn is_of(certificate: &Certificate, private: &str) -> bool {
    match certificate.public_key() {
        Ok(CertificateKey::Sm2(public)) => sm2_private(private).is_some_and(|key| *key.public() == public),
        Ok(CertificateKey::Rsa(public)) => RsaPrivate::from_pem(private).is_ok_and(|key| *key.public() == public),
        Err(_) => false,
    }
}

/// d of SM2, as PKCS #8 in PEM.
fn sm2_pem(d: &[u8]) -> Result<Zeroizing<String>, CryptoError> {
    let d: &[u8; KEY_BYTES] = d.try_into().map_err(|_| CryptoError::Key)?;
    PrivateKey::from_bytes(d)?.danger_to_pkcs8_pem()
}

const PKCS7_LABELS: [&str; 3] = ["PKCS7", "PKCS #7 SIGNED DATA", "CMS"];
const PRIVATE_LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
const PUBLIC_LABELS: [&str; 2] = ["PUBLIC KEY", "RSA PUBLIC KEY"];
const KEY_BYTES: usize = 32;

#[cfg(test)]
pub(crate) use tests::{CFCA_TEST_AUTHORITY, cfca_test};

#[cfg(test)]
mod tests;
