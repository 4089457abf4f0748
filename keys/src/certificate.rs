//! X.509 certificates (RFC 5280, GM/T 0015) as sources of public keys and of the serial numbers that messages carry.
//!
//! No chain is built here (`chain.rs`) and no revocation is asked for (`revocation.rs`): which certificates a link takes is what
//! its keyring lists. One signature can be checked against one issuer, for messages that bring their certificate with them.

use crate::error::CryptoError;
use crate::hex;
use crate::legacy::RsaPublic;
use crate::legacy::digest::Digest;
use crate::pem;
use crate::sm2::PublicKey;
use time::OffsetDateTime;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::time::Time;

pub(crate) mod signed; // what X.509 signs, and how

/// A certificate read once. Not trusted by being read.
#[derive(Clone)]
pub struct Certificate {
    parsed: x509_cert::Certificate,
    /// The exact bytes that the issuer signed.
    signed: Vec<u8>,
    der: Vec<u8>,
}

/// The public key of a certificate, by what it is.
#[derive(PartialEq, Eq)]
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

/// How messages write a certificate's serial number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SerialForm {
    Hex,
    HexLower,
    Decimal,
    /// What Alipay calls a certificate's SN.
    IssuerMd5,
}

impl SerialForm {
    pub const ALL: [Self; 4] = [Self::Hex, Self::HexLower, Self::Decimal, Self::IssuerMd5];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::HexLower => "hex-lower",
            Self::Decimal => "decimal",
            Self::IssuerMd5 => "issuer-md5",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
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
        let signed = signed::first_value(der)?;
        let der = der.to_vec();
        Ok(Self { parsed, signed, der })
    }

    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    pub fn public_key(&self) -> Result<CertificateKey, CryptoError> {
        signed::key_of(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// Upper-case hexadecimal digits, two a byte: `WeChat`; in lower case `UnionPay` without a card.
    pub fn serial_hex(&self) -> String {
        hex::encode(self.serial()).to_ascii_uppercase()
    }

    /// Decimal digits: the certId of `UnionPay` forms.
    pub fn serial_decimal(&self) -> String {
        decimal(self.serial())
    }

    /// The serial number as a counterparty's messages write it.
    pub fn serial_in(&self, form: SerialForm) -> String {
        match form {
            SerialForm::Hex => self.serial_hex(),
            SerialForm::HexLower => self.serial_hex().to_ascii_lowercase(),
            SerialForm::Decimal => self.serial_decimal(),
            SerialForm::IssuerMd5 => self.issuer_and_serial_md5(),
        }
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
        signed::verify(&issuer.public_key()?, oid, &self.signed, signature)
    }

    /// Whether the issuer signed over SHA-1, for which two certificates of one signature can be made.
    pub(crate) fn is_weakly_signed(&self) -> bool {
        self.parsed.signature_algorithm().oid == signed::SHA1_WITH_RSA
    }

    /// Whether two are the same bytes.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.der == other.der
    }

    /// Whether it has this issuer and this serial number, the one in DER, the other as the content of an integer.
    pub(crate) fn is_named(&self, issuer: &[u8], serial: &[u8]) -> bool {
        let tbs = self.parsed.tbs_certificate();
        tbs.serial_number().as_bytes() == serial && tbs.issuer().to_der().is_ok_and(|der| der == issuer)
    }

    pub(crate) fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    fn is_of(&self, kind: RootKind) -> bool {
        let oid = self.parsed.signature_algorithm().oid;
        match kind {
            RootKind::Rsa => oid.to_string().starts_with(PKCS1),
            RootKind::Sm2 => oid == signed::SM2_WITH_SM3,
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

pub(crate) fn instant(time: Time) -> Result<OffsetDateTime, CryptoError> {
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
const PKCS1: &str = "1.2.840.113549.1.1.";
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

#[cfg(test)]
mod tests;
