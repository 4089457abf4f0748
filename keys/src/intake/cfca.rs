//! CFCA's own key file (`PKCS12_SM2` of its toolkit): version, SM2 private key under a passphrase, certificate.
//!
//! The passphrase makes the key by one SM3 alone. Whoever has such a file guesses fast: it is imported and destroyed.

use super::values::Values;
use super::{Brought, IntakeError, Openers, sm2_pem};
use crate::certificate::Certificate;
use crate::pem;
use crate::sm3::sm3;
use crate::sm4::Sm4Cbc;
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

pub(super) fn open(der: &[u8], openers: Openers<'_>) -> Result<Brought, IntakeError> {
    let mut parts = Values::in_sequence(der)?;
    if parts.count()? != 1 {
        return Err(IntakeError::Form);
    }
    let (mut key, mut certificate) = (parts.sequence()?, parts.sequence()?);
    let (key_type, algorithm, sealed) = (key.oid()?, key.oid()?, key.octets()?);
    let (certificate_type, certificate) = (certificate.oid()?, certificate.octets()?);
    if !parts.is_finished() || [key_type, certificate_type] != [SM2_DATA; 2] {
        return Err(IntakeError::Form);
    }
    if algorithm != SM4 && algorithm != SM4_CBC {
        return Err(IntakeError::Algorithm);
    }
    let passphrase = openers.passphrase.ok_or(IntakeError::Passphrase)?;
    let derived = Zeroizing::new(sm3(&[passphrase.as_bytes(), &1_u32.to_be_bytes()]));
    let (iv, cipher_key) = derived.split_at(16);
    let closed = IntakeError::Closed;
    let (Ok(iv), Ok(cipher_key)) = (iv.try_into(), cipher_key.try_into()) else {
        return Err(closed);
    };
    let d = Zeroizing::new(Sm4Cbc::new(cipher_key).decrypt(iv, sealed).map_err(|_| closed)?);
    let private = sm2_pem(&d).map_err(|_| closed)?;
    let parsed = Certificate::from_der(certificate).map_err(|_| IntakeError::Form)?;
    if !super::is_of(&parsed, &private) {
        return Err(closed);
    }
    Ok(Brought {
        private: Some(private),
        certificates: pem::encode("CERTIFICATE", certificate),
        ..Brought::default()
    })
}

const SM2_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.1");
const SM4: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104");
const SM4_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.2");
