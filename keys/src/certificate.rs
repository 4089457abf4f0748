//! X.509 certificates (RFC 5280, GM/T 0015) as sources of public keys and of the serial numbers that messages carry.
//!
//! No chain is built and no revocation is asked for: which certificates a link takes is what its keyring lists. One signature
//! can be checked against one issuer, for messages that bring their certificate with them.

use crate::error::CryptoError;
use crate::hex;
use crate::legacy::digest::Digest;
use crate::legacy::{RsaPublic, RsaScheme};
use crate::pem;
use crate::sm2::{DEFAULT_USER_ID, Engine, PublicKey, Signature};
use time::OffsetDateTime;
use x509_cert::der::asn1::{Any, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::time::Time;

/// A certificate read once. Not trusted by being read.
pub struct Certificate {
    parsed: x509_cert::Certificate,
    /// The exact bytes that the issuer signed.
    signed: Vec<u8>,
}

/// The public key of a certificate, by what it is.
pub enum CertificateKey {
    Sm2(PublicKey),
    Rsa(RsaPublic),
}

/// The root certificates that count for a joined serial number: those signed with RSA, or those signed with SM2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RootKind {
    Rsa,
    Sm2,
}

impl Certificate {
    /// From the first `CERTIFICATE` block of a PEM text.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        Self::from_der(&pem::block(text, LABEL).ok_or(CryptoError::Key)?)
    }

    /// From every `CERTIFICATE` block of a PEM text, in order; at least one.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, CryptoError> {
        let blocks = pem::blocks(text, LABEL).filter(|blocks| !blocks.is_empty());
        let blocks = blocks.ok_or(CryptoError::Key)?;
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|_| CryptoError::Key)?;
        let signed = first_value(der).map_err(|_| CryptoError::Key)?;
        Ok(Self { parsed, signed })
    }

    pub fn public_key(&self) -> Result<CertificateKey, CryptoError> {
        let info = self.parsed.tbs_certificate().subject_public_key_info();
        if info.algorithm.oid == RSA_ENCRYPTION {
            let der = info.to_der().map_err(|_| CryptoError::Key)?;
            return RsaPublic::from_spki_der(&der).map(CertificateKey::Rsa);
        }
        let curve = info.algorithm.parameters.as_ref().map(Any::decode_as::<ObjectIdentifier>);
        if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(Ok(SM2_CURVE)) {
            return Err(CryptoError::Key);
        }
        let point = info
            .subject_public_key
            .as_bytes()
            .and_then(|bytes| bytes.strip_prefix(&[UNCOMPRESSED]));
        let point = point.and_then(|point| point.try_into().ok()).ok_or(CryptoError::Key)?;
        PublicKey::from_point(point).map(CertificateKey::Sm2)
    }

    /// Upper-case hexadecimal digits, two a byte: `WeChat`; in lower case `UnionPay` without a card.
    pub fn serial_hex(&self) -> String {
        hex::encode(self.serial()).to_ascii_uppercase()
    }

    /// Decimal digits: the certId of `UnionPay` forms.
    pub fn serial_decimal(&self) -> String {
        decimal(self.serial())
    }

    /// MD5 over issuer and decimal serial number, in lower-case digits: Alipay's certificate SN.
    pub fn issuer_and_serial_md5(&self) -> String {
        let issuer = self.parsed.tbs_certificate().issuer().to_string();
        Digest::Md5.hex_of(&[issuer.as_bytes(), self.serial_decimal().as_bytes()])
    }

    /// Whether a message's serial number means this certificate, in any of the three forms.
    pub fn has_serial(&self, serial: &str) -> bool {
        let number = |text: &str| text.trim_start_matches('0').to_ascii_uppercase();
        number(serial) == number(&self.serial_hex()) || serial == self.serial_decimal() || serial == self.issuer_and_serial_md5()
    }

    pub fn not_before(&self) -> Result<OffsetDateTime, CryptoError> {
        instant(self.parsed.tbs_certificate().validity().not_before)
    }

    pub fn not_after(&self) -> Result<OffsetDateTime, CryptoError> {
        instant(self.parsed.tbs_certificate().validity().not_after)
    }

    /// RFC 4514: the most specific name first.
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// Whether the signature of this certificate is one of the issuer's key, by `SHA256withRSA`, `SHA1withRSA` or SM2 with SM3.
    pub fn check_issued_by(&self, issuer: &Self) -> Result<(), CryptoError> {
        let signature = self.parsed.signature().as_bytes().ok_or(CryptoError::Signature)?;
        let algorithm = self.parsed.signature_algorithm();
        let oid = algorithm.oid;
        // RFC 5280 4.1.1.2: what stands outside the signed bytes must be what stands inside.
        if self.issuer() != issuer.subject() || self.parsed.tbs_certificate().signature() != algorithm {
            return Err(CryptoError::Signature);
        }
        match issuer.public_key()? {
            CertificateKey::Rsa(key) if oid == SHA256_WITH_RSA => key.verify(RsaScheme::Pkcs1Sha256, &self.signed, signature),
            CertificateKey::Rsa(key) if oid == SHA1_WITH_RSA => key.verify(RsaScheme::Pkcs1Sha1, &self.signed, signature),
            CertificateKey::Sm2(key) if oid == SM2_WITH_SM3 => {
                let verifier = Engine::Reference.verifier(&key, DEFAULT_USER_ID)?;
                verifier.verify(&self.signed, &two_numbers(signature)?)
            }
            CertificateKey::Rsa(_) | CertificateKey::Sm2(_) => Err(CryptoError::Signature),
        }
    }

    fn is_of(&self, kind: RootKind) -> bool {
        let oid = self.parsed.signature_algorithm().oid;
        match kind {
            RootKind::Rsa => oid.to_string().starts_with(PKCS1),
            RootKind::Sm2 => oid == SM2_WITH_SM3,
        }
    }

    /// Without the zero that keeps the number positive.
    fn serial(&self) -> &[u8] {
        let bytes = self.parsed.tbs_certificate().serial_number().as_bytes();
        let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeroes..).unwrap_or_default()
    }
}

/// The serial numbers of the roots of one kind, joined by `_`: Alipay's root certificate SN.
pub fn root_serials(roots: &[Certificate], kind: RootKind) -> String {
    let of_kind = roots.iter().filter(|root| root.is_of(kind));
    of_kind.map(Certificate::issuer_and_serial_md5).collect::<Vec<_>>().join("_")
}

/// The first value inside the outer sequence, with its header.
fn first_value(der: &[u8]) -> Result<Vec<u8>, x509_cert::der::Error> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|inner| {
        let signed = inner.tlv_bytes()?.to_vec();
        inner.tlv_bytes()?;
        inner.tlv_bytes()?;
        Ok::<_, x509_cert::der::Error>(signed)
    })
}

/// r || s of the sequence of two numbers that GM/T 0009 makes of a signature.
fn two_numbers(der: &[u8]) -> Result<Signature, CryptoError> {
    let mut reader = SliceReader::new(der).map_err(|_| CryptoError::Signature)?;
    let read = reader.sequence(|inner| Ok::<_, x509_cert::der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?)));
    let (r, s) = read.map_err(|_| CryptoError::Signature)?;
    reader.finish().map_err(|_| CryptoError::Signature)?;
    let mut signature = [0; 64];
    let (left, right) = signature.split_at_mut(32);
    for (number, target) in [(r, left), (s, right)] {
        let bytes = number.as_bytes();
        let start = target.len().checked_sub(bytes.len()).ok_or(CryptoError::Signature)?;
        let (_, tail) = target.split_at_mut(start);
        tail.copy_from_slice(bytes);
    }
    Ok(signature)
}

fn instant(time: Time) -> Result<OffsetDateTime, CryptoError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| CryptoError::Key)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| CryptoError::Key)
}

/// A big-endian number in decimal digits.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u16::from(*byte);
        for digit in &mut digits {
            let value = u16::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or(0);
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or(0));
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

const LABEL: &str = "CERTIFICATE";
const UNCOMPRESSED: u8 = 4;
const PKCS1: &str = "1.2.840.113549.1.1.";
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

#[cfg(test)]
mod tests;
