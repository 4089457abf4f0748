//! Structures of GM/T 0009 (GB/T 35276): an SM2 private key as a number, and the enveloped key by which an authority hands out
//! the key pair that it made for encryption: a fresh SM4 key sealed for the signing key pair, the private key under that.

use super::values::Values;
use super::{IntakeError, KEY_BYTES, Openers, sm2_pem};
use crate::certificate::signed::{joined, uncompressed};
use crate::sm2::{Ciphertext, Engine, PrivateKey};
use ::sm4::Sm4;
use cbc::cipher::{BlockCipherDecrypt, KeyInit};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use zeroize::Zeroizing;

/// `SM2PrivateKey ::= INTEGER` (7.1); given its content.
pub(super) fn private_key(content: &[u8]) -> Result<Zeroizing<String>, IntakeError> {
    let start = content.iter().take_while(|byte| **byte == 0).count();
    let digits = content.get(start..).unwrap_or_default();
    let mut d = Zeroizing::new([0; KEY_BYTES]);
    let free = KEY_BYTES.checked_sub(digits.len()).ok_or(IntakeError::Form)?;
    let (_, target) = d.split_at_mut(free);
    target.copy_from_slice(digits);
    sm2_pem(d.as_slice()).map_err(|_| IntakeError::Form)
}

/// `SM2PublicKey ::= BIT STRING` (7.1), as SPKI in PEM.
pub(super) fn public_key(der: &[u8]) -> Result<String, IntakeError> {
    let key = uncompressed(Values::of(der).bits()?).map_err(|_| IntakeError::Form)?;
    key.to_spki_pem().map_err(|_| IntakeError::Form)
}

/// Whether the content of a structure's first sequence names SM4, as an enveloped key's does.
pub(super) fn is_enveloped(algorithm: &[u8]) -> bool {
    Values::of(algorithm)
        .oid()
        .is_ok_and(|oid| oid == SM4 || SM4.len() + 1 == oid.len() && oid.starts_with(SM4))
}

/// `SM2EnvelopedKey` (7.4): symAlgID, symEncryptedKey, sm2PublicKey, sm2EncryptedPrivateKey.
pub(super) fn open(der: &[u8], openers: Openers<'_>) -> Result<Zeroizing<String>, IntakeError> {
    let mut parts = Values::in_sequence(der)?;
    let algorithm = parts.sequence()?.oid()?;
    let sealed_key = cipher(parts.sequence()?)?;
    let public = uncompressed(parts.bits()?).map_err(|_| IntakeError::Form)?;
    let sealed = parts.bits()?;
    if !parts.is_finished() {
        return Err(IntakeError::Form);
    }
    if algorithm != SM4 && algorithm != SM4_ECB {
        return Err(IntakeError::Algorithm);
    }
    let key = openers.key.ok_or(IntakeError::Envelope)?;
    let refused = |_| IntakeError::OtherKey;
    let opened = Engine::default().unwrapper(key).unwrap(&sealed_key).map_err(refused)?;
    let clear = decrypted(opened.danger_expose(), sealed)?;
    let d: &[u8; KEY_BYTES] = d_of(&clear)?.try_into().map_err(|_| IntakeError::OtherKey)?;
    let private = PrivateKey::from_bytes(d).map_err(refused)?;
    if *private.public() != public {
        return Err(IntakeError::OtherKey);
    }
    private.danger_to_pkcs8_pem().map_err(refused)
}

/// `SM2Cipher` (7.2): x, y, hash, ciphertext.
pub(super) fn cipher(mut parts: Values<'_>) -> Result<Ciphertext, IntakeError> {
    let number = |bytes| UintRef::new(bytes).map_err(|_| IntakeError::Form);
    let (x, y) = (number(parts.number()?)?, number(parts.number()?)?);
    let c3 = parts.octets()?.try_into().map_err(|_| IntakeError::Form)?;
    let c2 = parts.octets()?.to_vec();
    let c1 = joined(x, y).filter(|_| parts.is_finished()).ok_or(IntakeError::Form)?;
    Ok(Ciphertext { c1, c3, c2 })
}

/// SM4 in ECB, block by block.
pub(super) fn decrypted(key: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let key: &[u8; 16] = key.try_into().map_err(|_| IntakeError::OtherKey)?;
    let cipher = Sm4::new(key.into());
    let mut clear = Zeroizing::new(sealed.to_vec());
    let (blocks, rest) = clear.as_chunks_mut::<16>();
    if !rest.is_empty() {
        return Err(IntakeError::Form);
    }
    for block in blocks {
        cipher.decrypt_block(block.into());
    }
    Ok(clear)
}

/// The standard does not say how long the private key is made before it is encrypted. In use are 32 bytes; these with a block of
/// padding (PKCS #7); and 64 bytes, as a device's reference has them (GM/T 0018), of which the first half is zero.
fn d_of(clear: &[u8]) -> Result<&[u8], IntakeError> {
    match clear.split_at_checked(KEY_BYTES) {
        Some((d, [])) => Ok(d),
        Some((d, padding)) if padding == [16; 16] => Ok(d),
        Some((zeroes, d)) if zeroes.iter().all(|byte| *byte == 0) => Ok(d),
        Some(_) | None => Err(IntakeError::OtherKey),
    }
}

const SM4: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104");
const SM4_ECB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.1");
