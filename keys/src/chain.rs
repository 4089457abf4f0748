//! From a certificate to an authority that counts (RFC 5280 6, GM/T 0015): names, signatures, basic constraints, key usage.
//!
//! No clock is asked. A chain says when all of it is valid at once, and whoever uses a key keeps within that time.

use crate::certificate::Certificate;
use crate::error::CryptoError;
use crate::key::Usage;
use time::OffsetDateTime;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

/// A certificate, its issuers in order, the trust anchor last. An anchor that is used itself is a chain of one.
pub struct Chain {
    members: Vec<Certificate>,
}

/// Why certificates are no chain.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    #[error("the certificate leads to no trust anchor of this store: the next issuer would be {0}")]
    NoAnchor(String),
    #[error("the certificate of {0} has a critical extension that is not understood, or one that cannot be read")]
    Extension(String),
    #[error("{0} is no authority by its certificate, but issued another")]
    NoAuthority(String),
    #[error("the certificate of {0} does not let it issue through so many others")]
    TooLong(String),
    #[error("the certificate of {0} is signed over SHA-1")]
    WeakSignature(String),
    #[error("the certificate is not for this usage: its key usage has no {0}")]
    Usage(&'static str),
    #[error("there is no certificate, or one that cannot be read")]
    Unreadable,
    #[error("the validities of the chain's certificates do not overlap, or one cannot be read")]
    Validity,
}

impl Chain {
    /// Of a certificate, with those of authorities that came with it in whatever order.
    pub fn build(certificate: &Certificate, others: &[Certificate], anchors: &[Certificate]) -> Result<Self, ChainError> {
        let mut members = vec![certificate.clone()];
        understood(certificate)?;
        while let Some(last) = members.last() {
            if anchors.iter().any(|anchor| anchor.is_same(last)) {
                return Self::checked(members);
            }
            let issued = |issuer: &&Certificate| last.check_issued_by(issuer).is_ok();
            let is_new = |other: &&Certificate| !members.iter().any(|member| member.is_same(other));
            let anchor = anchors.iter().find(issued);
            let issuer = anchor.or_else(|| others.iter().filter(is_new).find(issued));
            let Some(issuer) = issuer.filter(|_| members.len() < MEMBERS_MAX).cloned() else {
                return Err(ChainError::NoAnchor(last.issuer()));
            };
            may_issue(&issuer, members.len() - 1)?;
            if last.is_weakly_signed() {
                return Err(ChainError::WeakSignature(last.subject()));
            }
            members.push(issuer);
        }
        Err(ChainError::Validity)
    }

    /// From the certificate to the anchor.
    pub fn members(&self) -> &[Certificate] {
        &self.members
    }

    /// Each certificate but the anchor, with the one that issued it.
    pub fn issued(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        self.members.iter().zip(self.members.iter().skip(1))
    }

    /// First and last instant at which every certificate is valid.
    pub fn validity(&self) -> Result<(OffsetDateTime, OffsetDateTime), ChainError> {
        let unreadable = |_: CryptoError| ChainError::Validity;
        let from: Vec<_> = self
            .members
            .iter()
            .map(Certificate::not_before)
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        let to: Vec<_> = self
            .members
            .iter()
            .map(Certificate::not_after)
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        let both = from.into_iter().max().zip(to.into_iter().min());
        both.filter(|(from, to)| from <= to).ok_or(ChainError::Validity)
    }

    fn checked(members: Vec<Certificate>) -> Result<Self, ChainError> {
        let chain = Self { members };
        chain.validity()?;
        Ok(chain)
    }
}

/// Whether a certificate's key may do what it is used for. One that states no key usage may do anything (RFC 5280 4.2.1.3).
pub fn check_usage(certificate: &Certificate, usage: Usage) -> Result<(), ChainError> {
    let Some(stated) = key_usage(certificate)? else {
        return Ok(());
    };
    match usage {
        Usage::Sign if stated.digital_signature() || stated.non_repudiation() => Ok(()),
        Usage::Seal if stated.key_encipherment() || stated.data_encipherment() || stated.key_agreement() => Ok(()),
        Usage::Seal => Err(ChainError::Usage("keyEncipherment, dataEncipherment or keyAgreement")),
        Usage::Sign | Usage::Mac | Usage::Journal => Err(ChainError::Usage("digitalSignature or nonRepudiation")),
    }
}

/// What an issuer needs to have; `below` is how many other authorities stand between it and the certificate.
fn may_issue(issuer: &Certificate, below: usize) -> Result<(), ChainError> {
    understood(issuer)?;
    let found = issuer.parsed().tbs_certificate().get_extension::<BasicConstraints>();
    let found = found.map_err(|_| ChainError::Extension(issuer.subject()))?;
    let Some((_, constraints)) = found.filter(|(_, constraints)| constraints.ca) else {
        return Err(ChainError::NoAuthority(issuer.subject()));
    };
    if constraints.path_len_constraint.is_some_and(|most| usize::from(most) < below) {
        return Err(ChainError::TooLong(issuer.subject()));
    }
    if key_usage(issuer)?.is_some_and(|stated| !stated.key_cert_sign()) {
        return Err(ChainError::NoAuthority(issuer.subject()));
    }
    Ok(())
}

pub(crate) fn key_usage(certificate: &Certificate) -> Result<Option<KeyUsage>, ChainError> {
    let found = certificate.parsed().tbs_certificate().get_extension::<KeyUsage>();
    let found = found.map_err(|_| ChainError::Extension(certificate.subject()))?;
    Ok(found.map(|(_, usage)| usage))
}

/// RFC 5280 6.1.4 (o): what is critical and not processed is refused. None is there twice (4.2).
fn understood(certificate: &Certificate) -> Result<(), ChainError> {
    let extensions = certificate.parsed().tbs_certificate().extensions().map_or(&[][..], |all| all);
    let refused = || ChainError::Extension(certificate.subject());
    for (index, extension) in extensions.iter().enumerate() {
        let is_twice = extensions
            .iter()
            .skip(index + 1)
            .any(|other| other.extn_id == extension.extn_id);
        if is_twice || (extension.critical && !UNDERSTOOD.contains(&extension.extn_id)) {
            return Err(refused());
        }
    }
    Ok(())
}

/// Basic constraints, key usage, and three that narrow nothing which is decided here: alternative names, extended key usage
/// (of TLS and mail), policies.
const UNDERSTOOD: [ObjectIdentifier; 5] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
];

/// Authorities for payments have a root and one or two below it.
const MEMBERS_MAX: usize = 8;

#[cfg(test)]
mod tests;
