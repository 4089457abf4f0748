//! What a passphrase opens: PKCS #8 encrypted (RFC 5958 3), by PBES2 (RFC 8018 6.2, GM/T 0091) or by the older schemes of
//! PKCS #12 (RFC 7292 B, C). CBC under a passphrase does not authenticate: what is opened must be a key that fits together.

use super::values::Values;
use super::{IntakeError, Openers};
use crate::error::CryptoError;
use crate::legacy::digest::Digest;
use crate::pem;
use crate::sm3::HmacSm3;
use ::aes::{Aes128, Aes256};
use ::des::{TdesEde2, TdesEde3};
use ::sm4::Sm4;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

/// `EncryptedPrivateKeyInfo`, opened to PKCS #8 in PEM.
pub(super) fn pkcs8(der: &[u8], openers: Openers<'_>) -> Result<Zeroizing<String>, IntakeError> {
    let mut parts = Values::in_sequence(der)?;
    let (algorithm, sealed) = (parts.sequence()?, parts.octets()?);
    let clear = open(algorithm, sealed, openers.passphrase.ok_or(IntakeError::Passphrase)?)?;
    // A wrong passphrase leaves a padding that looks right once in 256 times.
    Values::in_sequence(&clear).map_err(|_| IntakeError::Closed)?;
    Ok(Zeroizing::new(pem::encode("PRIVATE KEY", &clear)))
}

/// Opens what is sealed by the algorithm that these values name.
pub(super) fn open(mut algorithm: Values<'_>, sealed: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let scheme = algorithm.oid()?;
    let parameters = algorithm.sequence()?;
    if [PBES2, PBES2_SM].contains(&scheme) {
        return by_pbes2(parameters, sealed, passphrase);
    }
    let key_bytes = match scheme {
        TRIPLE_DES => 24,
        TWO_KEY_DES => 16,
        _ => return Err(IntakeError::Algorithm),
    };
    let (salt, count) = salt_and_count(parameters)?;
    let derive = |purpose, bytes| pkcs12_key(Digest::Sha1, purpose, passphrase, salt, count, bytes);
    let (key, iv) = (derive(KEY, key_bytes), derive(IV, 8));
    if scheme == TRIPLE_DES {
        return by_cbc::<TdesEde3>(&key, &iv, sealed);
    }
    by_cbc::<TdesEde2>(&key, &iv, sealed)
}

fn by_pbes2(mut parameters: Values<'_>, sealed: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let (mut derivation, mut encryption) = (parameters.sequence()?, parameters.sequence()?);
    if ![PBKDF2, PBKDF2_SM].contains(&derivation.oid()?) {
        return Err(IntakeError::Algorithm);
    }
    let mut derivation = derivation.sequence()?;
    let (salt, count) = (derivation.octets()?, limited(derivation.count()?)?);
    if derivation.peek() == Some(x509_cert::der::Tag::Integer) {
        derivation.count()?;
    }
    let prf = if derivation.is_finished() {
        HMAC_SHA1
    } else {
        derivation.sequence()?.oid()?
    };
    let prf = Prf::new(prf, passphrase)?;
    let (cipher, iv) = (encryption.oid()?, encryption.octets()?);
    let key = |bytes| prf.stretched(salt, count, bytes);
    match cipher {
        AES_128_CBC => by_cbc::<Aes128>(&key(16), iv, sealed),
        AES_256_CBC => by_cbc::<Aes256>(&key(32), iv, sealed),
        SM4_CBC => by_cbc::<Sm4>(&key(16), iv, sealed),
        DES_EDE3_CBC => by_cbc::<TdesEde3>(&key(24), iv, sealed),
        _ => Err(IntakeError::Algorithm),
    }
}

/// The salt and the count of the older schemes and of a MAC.
pub(super) fn salt_and_count(mut parameters: Values<'_>) -> Result<(&[u8], u32), IntakeError> {
    let salt = parameters.octets()?;
    let count = if parameters.is_finished() { 1 } else { parameters.count()? };
    Ok((salt, limited(count)?))
}

/// A file may not keep a machine busy for as long as it likes.
fn limited(count: u32) -> Result<u32, IntakeError> {
    if (1..=COUNT_MAX).contains(&count) {
        Ok(count)
    } else {
        Err(IntakeError::Algorithm)
    }
}

fn by_cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let cipher = C::new_from_slice(key).map_err(|_| IntakeError::Form)?;
    let mode = cbc::Decryptor::inner_iv_slice_init(cipher, iv).map_err(|_| IntakeError::Form)?;
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let clear = mode.decrypt_padded::<Pkcs7>(&mut bytes).map_err(|_| IntakeError::Closed)?;
    Ok(Zeroizing::new(clear.to_vec()))
}

/// The HMAC of PBKDF2, keyed by the passphrase.
enum Prf {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sm3(HmacSm3),
}

impl Prf {
    fn new(oid: ObjectIdentifier, passphrase: &str) -> Result<Self, IntakeError> {
        let key = passphrase.as_bytes();
        let unusable = |_| IntakeError::Closed;
        match oid {
            HMAC_SHA1 => KeyInit::new_from_slice(key).map(Self::Sha1).map_err(unusable),
            HMAC_SHA256 => KeyInit::new_from_slice(key).map(Self::Sha256).map_err(unusable),
            HMAC_SM3 => Ok(Self::Sm3(HmacSm3::new(key))),
            _ => Err(IntakeError::Algorithm),
        }
    }

    fn tag(&self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha1(keyed) => parts
                .iter()
                .fold(keyed.clone(), Mac::chain_update)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha256(keyed) => parts
                .iter()
                .fold(keyed.clone(), Mac::chain_update)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sm3(keyed) => keyed.tag(parts).to_vec(),
        })
    }

    /// PBKDF2 (RFC 8018 5.2).
    fn stretched(&self, salt: &[u8], count: u32, bytes: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(bytes + 32));
        for block in 1_u32.. {
            if key.len() >= bytes {
                break;
            }
            let mut round = self.tag(&[salt, &block.to_be_bytes()]);
            let mut sum = round.clone();
            for _ in 1..count {
                round = self.tag(&[&round]);
                sum.iter_mut().zip(round.iter()).for_each(|(sum, byte)| *sum ^= byte);
            }
            key.extend_from_slice(&sum);
        }
        key.truncate(bytes);
        key
    }
}

/// The derivation of RFC 7292 B.2, over digests whose blocks have 64 bytes.
pub(super) fn pkcs12_key(
    digest: Digest,
    purpose: u8,
    passphrase: &str,
    salt: &[u8],
    count: u32,
    bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let wide = passphrase.encode_utf16().chain([0]).flat_map(u16::to_be_bytes);
    let wide: Zeroizing<Vec<u8>> = Zeroizing::new(wide.collect());
    let mut filled = Zeroizing::new([filled_up(salt), filled_up(&wide)].concat());
    let mut key = Zeroizing::new(Vec::with_capacity(bytes + BLOCK_BYTES));
    while key.len() < bytes {
        let mut round = Zeroizing::new(digest.of(&[&[purpose; BLOCK_BYTES], &filled]));
        for _ in 1..count {
            round = Zeroizing::new(digest.of(&[&round]));
        }
        key.extend_from_slice(&round);
        let added: Zeroizing<Vec<u8>> = Zeroizing::new(round.iter().copied().cycle().take(BLOCK_BYTES).collect());
        filled.chunks_mut(BLOCK_BYTES).for_each(|block| add(block, &added));
    }
    key.truncate(bytes);
    key
}

/// Repeated up to whole blocks; nothing stays nothing.
fn filled_up(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().div_ceil(BLOCK_BYTES) * BLOCK_BYTES;
    bytes.iter().copied().cycle().take(length).collect()
}

/// block + added + 1, as big-endian numbers, what overflows dropped.
fn add(block: &mut [u8], added: &[u8]) {
    let mut carry = 1;
    for (byte, added) in block.iter_mut().zip(added).rev() {
        let sum = u16::from(*byte) + u16::from(*added) + carry;
        let [high, low] = sum.to_be_bytes();
        (*byte, carry) = (low, u16::from(high));
    }
}

/// The digest of a MAC's algorithm.
pub(super) fn digest(oid: ObjectIdentifier) -> Result<Digest, IntakeError> {
    match oid {
        SHA1 => Ok(Digest::Sha1),
        SHA256 => Ok(Digest::Sha256),
        SM3 => Ok(Digest::Sm3),
        _ => Err(IntakeError::Algorithm),
    }
}

/// HMAC over one text, for a MAC of PKCS #12.
pub(super) fn hmac(digest: Digest, key: &[u8], text: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let keyed = match digest {
        Digest::Sha1 => Prf::Sha1(KeyInit::new_from_slice(key).map_err(|_| CryptoError::Key)?),
        Digest::Sha256 => Prf::Sha256(KeyInit::new_from_slice(key).map_err(|_| CryptoError::Key)?),
        Digest::Sm3 => Prf::Sm3(HmacSm3::new(key)),
        Digest::Md5 => return Err(CryptoError::Key),
    };
    Ok(keyed.tag(&[text]).to_vec())
}

/// What a derived value is for (RFC 7292 B.3).
const KEY: u8 = 1;
const IV: u8 = 2;
pub(super) const MAC: u8 = 3;

const COUNT_MAX: u32 = 1_000_000;
const BLOCK_BYTES: usize = 64;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const PBES2: ObjectIdentifier = oid("1.2.840.113549.1.5.13");
const PBES2_SM: ObjectIdentifier = oid("1.2.156.10197.6.1.4.1.5.2");
const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");
const PBKDF2_SM: ObjectIdentifier = oid("1.2.156.10197.6.1.4.1.5.1");
const TRIPLE_DES: ObjectIdentifier = oid("1.2.840.113549.1.12.1.3");
const TWO_KEY_DES: ObjectIdentifier = oid("1.2.840.113549.1.12.1.4");
const HMAC_SHA1: ObjectIdentifier = oid("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = oid("1.2.840.113549.2.9");
const HMAC_SM3: ObjectIdentifier = oid("1.2.156.10197.1.401.2");
const AES_128_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.2");
const AES_256_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.42");
const SM4_CBC: ObjectIdentifier = oid("1.2.156.10197.1.104.2");
const DES_EDE3_CBC: ObjectIdentifier = oid("1.2.840.113549.3.7");
const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const SM3: ObjectIdentifier = oid("1.2.156.10197.1.401");
