//! Revocation lists (RFC 5280 5): which of an authority's certificates count no more, and until when the list itself counts.

use crate::certificate::signed::{SHA1_WITH_RSA, first_value, verify};
use crate::certificate::{Certificate, instant};
use crate::chain::key_usage;
use crate::error::CryptoError;
use crate::pem;
use time::OffsetDateTime;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;

/// A list read once. Not trusted by being read.
pub struct RevocationList {
    parsed: CertificateList,
    /// The exact bytes that the authority signed.
    signed: Vec<u8>,
}

impl RevocationList {
    /// From the bytes of a file: DER, or the first `X509 CRL` block of a PEM text.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        match str::from_utf8(bytes).ok().and_then(|text| pem::block(text, "X509 CRL")) {
            Some(der) => Self::from_der(&der),
            None => Self::from_der(bytes),
        }
    }

    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let parsed = CertificateList::from_der(der).map_err(|_| CryptoError::Key)?;
        let signed = first_value(der)?;
        let list = Self { parsed, signed };
        list.understood()?;
        list.this_update()?;
        list.next_update()?;
        Ok(list)
    }

    pub fn issuer(&self) -> String {
        self.parsed.tbs_cert_list.issuer.to_string()
    }

    pub fn this_update(&self) -> Result<OffsetDateTime, CryptoError> {
        instant(self.parsed.tbs_cert_list.this_update)
    }

    /// When a newer one is there at the latest.
    pub fn next_update(&self) -> Result<Option<OffsetDateTime>, CryptoError> {
        self.parsed.tbs_cert_list.next_update.map(instant).transpose()
    }

    /// Whether the list is this authority's: name, signature, and that its certificate lets it sign lists.
    pub fn check_issued_by(&self, issuer: &Certificate) -> Result<(), CryptoError> {
        let refused = CryptoError::Signature;
        let signature = self.parsed.signature.as_bytes().ok_or(refused)?;
        let algorithm = &self.parsed.signature_algorithm;
        let is_weak = algorithm.oid == SHA1_WITH_RSA;
        if is_weak || self.issuer() != issuer.subject() || self.parsed.tbs_cert_list.signature != *algorithm {
            return Err(refused);
        }
        let usage = key_usage(issuer).map_err(|_| refused)?;
        if usage.is_some_and(|usage| !usage.crl_sign()) {
            return Err(refused);
        }
        verify(&issuer.public_key()?, algorithm.oid, &self.signed, signature)
    }

    /// Whether a certificate of the same issuer is on the list. On hold counts as revoked, as long as the list says so.
    pub fn revokes(&self, certificate: &Certificate) -> bool {
        let tbs = certificate.parsed().tbs_certificate();
        let revoked = self.parsed.tbs_cert_list.revoked_certificates.iter().flatten();
        let mut serials = revoked.map(|entry| &entry.serial_number);
        self.parsed.tbs_cert_list.issuer == *tbs.issuer() && serials.any(|serial| serial == tbs.serial_number())
    }

    /// Refuses lists that mean something else than what they list: changes to another list, entries of other authorities.
    fn understood(&self) -> Result<(), CryptoError> {
        let extensions = self.parsed.tbs_cert_list.crl_extensions.iter().flatten();
        for extension in extensions.filter(|extension| extension.critical) {
            if extension.extn_id != ISSUING_DISTRIBUTION_POINT {
                return Err(CryptoError::Key);
            }
            let point = IssuingDistributionPoint::from_der(extension.extn_value.as_bytes());
            if point.map_err(|_| CryptoError::Key)?.indirect_crl {
                return Err(CryptoError::Key);
            }
        }
        Ok(())
    }
}

const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

#[cfg(test)]
mod tests;
