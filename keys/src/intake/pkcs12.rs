//! PKCS #12 (RFC 7292) under a passphrase: one private key and certificates, as OpenSSL, Java and Windows write them in DER.
//!
//! The MAC is checked before anything is opened. Certificates under RC2, which older programs still choose, are left behind:
//! they are public, and come by themselves.

use super::values::{CONTEXT_0, Values};
use super::{Brought, IntakeError, Openers, password};
use crate::pem;
use subtle::ConstantTimeEq;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Tag, TagNumber};
use zeroize::Zeroizing;

pub(super) fn open(der: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let mut parts = Values::in_sequence(der)?;
    if parts.count()? != 3 {
        return Err(IntakeError::Form);
    }
    let content = data(parts.sequence()?)?;
    let passphrase = openers.passphrase.ok_or(IntakeError::Passphrase)?;
    check(parts.sequence()?, content, passphrase)?;
    let mut brought = Brought::default();
    let mut safes = Values::in_sequence(content)?;
    while !safes.is_finished() {
        take_safe(safes.sequence()?, passphrase, &mut brought)?;
    }
    if brought.private.is_none() && brought.certificates.is_empty() {
        return Err(IntakeError::Form);
    }
    Ok(brought.in_order())
}

/// `MacData`: of which digest, salt, how often.
fn check(mut parts: Values<'_>, content: &[u8], passphrase: &str) -> Result<(), IntakeError> {
    let mut stated = parts.sequence()?;
    let digest = password::digest(stated.sequence()?.oid()?)?;
    let tag = stated.octets()?;
    let (salt, count) = password::salt_and_count(parts)?;
    let bytes = digest.of(&[]).len();
    let key = password::pkcs12_key(digest, password::MAC, passphrase, salt, count, bytes);
    let wanted = password::hmac(digest, &key, content).map_err(|_| IntakeError::Closed)?;
    if bool::from(wanted.ct_eq(tag)) {
        Ok(())
    } else {
        Err(IntakeError::Closed)
    }
}

/// A `ContentInfo` with data as it is.
fn data(mut info: Values<'_>) -> Result<&[u8], IntakeError> {
    if info.oid()? == DATA {
        info.tagged()?.octets()
    } else {
        Err(IntakeError::Form)
    }
}

/// A `ContentInfo` with bags, in the clear or encrypted.
fn take_safe(mut info: Values<'_>, passphrase: &str, brought: &mut Brought) -> Result<(), IntakeError> {
    let kind = info.oid()?;
    if kind == DATA {
        return take_bags(info.tagged()?.octets()?, passphrase, brought);
    }
    if kind != ENCRYPTED_DATA {
        return Err(IntakeError::Form);
    }
    let mut data = info.tagged()?.sequence()?;
    data.count()?;
    let mut content = data.sequence()?;
    content.oid()?;
    let (algorithm, sealed) = (content.sequence()?, content.content(IMPLICIT_0)?);
    match password::open(algorithm, sealed, passphrase) {
        Ok(clear) => take_bags(&clear, passphrase, brought),
        Err(IntakeError::Algorithm) => {
            brought.is_partial = true;
            Ok(())
        }
        Err(other) => Err(other),
    }
}

fn take_bags(der: &[u8], passphrase: &str, brought: &mut Brought) -> Result<(), IntakeError> {
    let mut bags = Values::in_sequence(der)?;
    while !bags.is_finished() {
        let mut bag = bags.sequence()?;
        let kind = bag.oid()?;
        let content = bag.content(CONTEXT_0)?;
        match kind {
            KEY_BAG => take_key(Zeroizing::new(pem::encode("PRIVATE KEY", content)), brought)?,
            SHROUDED_KEY_BAG => {
                let passphrase = Some(passphrase);
                let key = password::pkcs8(content, Openers { passphrase, key: None })?;
                take_key(key, brought)?;
            }
            CERTIFICATE_BAG => take_certificate(content, brought)?,
            _ => {}
        }
    }
    Ok(())
}

fn take_key(key: Zeroizing<String>, brought: &mut Brought) -> Result<(), IntakeError> {
    match brought.private.replace(key) {
        None => Ok(()),
        Some(_) => Err(IntakeError::Several),
    }
}

fn take_certificate(content: &[u8], brought: &mut Brought) -> Result<(), IntakeError> {
    let mut parts = Values::in_sequence(content)?;
    if parts.oid()? == X509_CERTIFICATE {
        let der = parts.tagged()?.octets()?;
        brought.certificates.push_str(&pem::encode("CERTIFICATE", der));
    }
    Ok(())
}

const IMPLICIT_0: Tag = Tag::ContextSpecific {
    constructed: false,
    number: TagNumber(0),
};

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
