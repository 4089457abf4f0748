//! The one outer form of certificates, requests and revocation lists (RFC 5280 4.1.1, RFC 2986 4): what is signed, by which
//! algorithm, the signature. SM2 signatures are the sequence of two numbers of GM/T 0009, over the usual user id.

use super::{CertificateKey, EC_PUBLIC_KEY, RSA_ENCRYPTION, SM2_CURVE};
use crate::error::CryptoError;
use crate::legacy::{RsaPublic, RsaScheme};
use crate::sm2::{DEFAULT_USER_ID, Engine, PublicKey, Signature};
use crate::store::Material;
use rand_core::CryptoRng;
use x509_cert::der::asn1::{Any, AnyRef, BitString, Null, ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, Tag};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// The first value inside the outer sequence, with its header: the exact bytes that were signed.
pub(crate) fn first_value(der: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut reader = SliceReader::new(der).map_err(|_| CryptoError::Key)?;
    let read = reader.sequence(|inner| {
        let signed = inner.tlv_bytes()?.to_vec();
        inner.tlv_bytes()?;
        inner.tlv_bytes()?;
        Ok::<_, der::Error>(signed)
    });
    read.map_err(|_| CryptoError::Key)
}

/// The public key of an SPKI: SM2 on its own curve, or RSA.
pub(crate) fn key_of(info: &SubjectPublicKeyInfoOwned) -> Result<CertificateKey, CryptoError> {
    if info.algorithm.oid == RSA_ENCRYPTION {
        let der = info.to_der().map_err(|_| CryptoError::Key)?;
        return RsaPublic::from_spki_der(&der).map(CertificateKey::Rsa);
    }
    let curve = info.algorithm.parameters.as_ref().map(Any::decode_as::<ObjectIdentifier>);
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(Ok(SM2_CURVE)) {
        return Err(CryptoError::Key);
    }
    let bytes = info.subject_public_key.as_bytes().ok_or(CryptoError::Key)?;
    uncompressed(bytes).map(CertificateKey::Sm2)
}

/// A point as `04 || x || y`.
pub(crate) fn uncompressed(bytes: &[u8]) -> Result<PublicKey, CryptoError> {
    let point = bytes.strip_prefix(&[UNCOMPRESSED]).and_then(|point| point.try_into().ok());
    PublicKey::from_point(point.ok_or(CryptoError::Key)?)
}

/// Whether a signature is this key's, by `SHA256withRSA`, `SHA1withRSA` or SM2 with SM3.
pub(crate) fn verify(
    key: &CertificateKey,
    algorithm: ObjectIdentifier,
    text: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    match key {
        CertificateKey::Rsa(key) if algorithm == SHA256_WITH_RSA => key.verify(RsaScheme::Pkcs1Sha256, text, signature),
        CertificateKey::Rsa(key) if algorithm == SHA1_WITH_RSA => key.verify(RsaScheme::Pkcs1Sha1, text, signature),
        CertificateKey::Sm2(key) if algorithm == SM2_WITH_SM3 => verify_sm2(key, text, &two_numbers(signature)?),
        CertificateKey::Rsa(_) | CertificateKey::Sm2(_) => Err(CryptoError::Signature),
    }
}

/// SM2 with SM3 over the usual user id.
pub(crate) fn verify_sm2(key: &PublicKey, text: &[u8], signature: &Signature) -> Result<(), CryptoError> {
    Engine::Reference.verifier(key, DEFAULT_USER_ID)?.verify(text, signature)
}

/// The whole of what is signed here: the text, the algorithm, the signature. `SHA256withRSA`, or SM2 with SM3.
pub(crate) fn seal(key: &Material, text: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
    let (oid, parameters, signature) = match key {
        Material::Sm2Private(key) => {
            let signer = Engine::Reference.signer(key, DEFAULT_USER_ID)?;
            (SM2_WITH_SM3, None, of_two_numbers(&signer.sign(text, rng)?)?)
        }
        Material::RsaPrivate(key) => {
            let null = Any::encode_from(&Null).map_err(|_| CryptoError::Key)?;
            (SHA256_WITH_RSA, Some(null), key.sign(RsaScheme::Pkcs1Sha256, text, rng)?)
        }
        // A request for a key in a device is signed by the device's own tools.
        Material::Sm2Placed(..)
        | Material::RsaPlaced(..)
        | Material::MacPlaced(_)
        | Material::Sm2Public(_)
        | Material::RsaPublic(_)
        | Material::Secret(_) => return Err(CryptoError::Key),
    };
    let algorithm = AlgorithmIdentifierOwned { oid, parameters };
    let algorithm = algorithm.to_der().map_err(|_| CryptoError::Key)?;
    let signature = BitString::from_bytes(&signature).and_then(|bits| bits.to_der());
    let signature = signature.map_err(|_| CryptoError::Key)?;
    sequence(&[text, &algorithm, &signature])
}

/// A sequence of values that have their headers.
pub(crate) fn sequence(values: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
    let content = values.concat();
    let whole = AnyRef::new(Tag::Sequence, &content).and_then(|whole| whole.to_der());
    whole.map_err(|_| CryptoError::TooLong)
}

/// r || s of the sequence of two numbers that GM/T 0009 makes of a signature.
pub(crate) fn two_numbers(der: &[u8]) -> Result<Signature, CryptoError> {
    let mut reader = SliceReader::new(der).map_err(|_| CryptoError::Signature)?;
    let read = reader.sequence(|inner| Ok::<_, der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?)));
    let (r, s) = read.map_err(|_| CryptoError::Signature)?;
    reader.finish().map_err(|_| CryptoError::Signature)?;
    joined(r, s).ok_or(CryptoError::Signature)
}

/// Two numbers of at most 32 bytes, filled up with zeroes and joined.
pub(crate) fn joined(left: UintRef<'_>, right: UintRef<'_>) -> Option<[u8; 64]> {
    let mut both = [0; 64];
    let (first, second) = both.split_at_mut(32);
    for (number, target) in [(left, first), (right, second)] {
        let bytes = number.as_bytes();
        let start = target.len().checked_sub(bytes.len())?;
        let (_, tail) = target.split_at_mut(start);
        tail.copy_from_slice(bytes);
    }
    Some(both)
}

pub(crate) fn of_two_numbers(signature: &Signature) -> Result<Vec<u8>, CryptoError> {
    let (r, s) = signature.split_at(32);
    let number = |bytes| UintRef::new(bytes).and_then(|number| number.to_der());
    let (r, s) = (number(r), number(s));
    sequence(&[
        &r.map_err(|_| CryptoError::Signature)?,
        &s.map_err(|_| CryptoError::Signature)?,
    ])
}

const UNCOMPRESSED: u8 = 4;
pub(crate) const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
pub(super) const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");
