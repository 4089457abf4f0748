//! Sealing under a key that travels as text (`codecs::envelope::text_key`): a fresh key a message, each value by itself.

use super::open::Choose;
use super::{Fault, LinkView, Rejection, Step};
use codecs::envelope::text_key::{key_bytes, key_of, prefix};
use codecs::envelope::{RawCiphertext, TextCipher, Wrapped};
use codecs::message::{Draft, Message, SealTarget};
use keys::error::CryptoError;
use keys::legacy::RsaPadding;
use keys::legacy::aes::AesEcb;
use keys::legacy::sm4_ecb::Sm4Ecb;
use keys::secret::Secret;
use keys::sm2::Ciphertext;
use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use std::convert::Infallible;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Opens every sealed value in its place.
pub(super) fn open(message: &mut Message<'_>, cipher: TextCipher, choose: &Choose<'_>) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    let Some((serial, wrapped)) = message.wrapped_key().map_err(refused)? else {
        return Ok(());
    };
    let invalid = |error| Rejection::of_crypto(Step::Open, "envelope.invalid", "envelope", error);
    let key = unwrapped(&serial, wrapped, choose)?;
    let key = key_of(cipher, key.danger_expose()).ok_or(CryptoError::Ciphertext);
    let cipher = key.and_then(|key| ValueCipher::new(cipher, key)).map_err(invalid)?;
    for field in message.sealed_blocks().map_err(refused)? {
        let clear = cipher
            .decrypt(&field.ciphertext)
            .map_err(|error| Rejection::of_crypto(Step::Open, "seal.invalid", &field.path, error))?;
        message.set_opened(field.slot, &clear).map_err(refused)?;
    }
    Ok(())
}

/// Seals every value of a draft and wraps the key for the receiver.
pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: Vec<SealTarget>,
    cipher: TextCipher,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<(), Fault> {
    let text = fresh(cipher, rng);
    let wrapper = link.keyring.wrapper(link.name, now)?;
    let serial = &wrapper.info.serial;
    match cipher {
        TextCipher::Aes256 => draft.set_rsa_envelope(serial, &wrapper.rsa()?.wrap(RsaPadding::Pkcs1, &text, rng)?),
        TextCipher::Sm4 | TextCipher::Sm4Bytes => {
            let Ciphertext { c1, c3, c2 } = wrapper.sm2()?.wrap(&text, rng)?;
            draft.set_envelope(serial, &RawCiphertext { c1, c3, c2 });
        }
    }
    let key = key_of(cipher, &text).ok_or(CryptoError::Key)?;
    let cipher = ValueCipher::new(cipher, key)?;
    for target in targets {
        draft.set_sealed_blocks(target.slot, &cipher.encrypt(target.clear.as_bytes())?);
    }
    Ok(())
}

/// What is wrapped under a key of ours.
pub(super) fn unwrapped(serial: &str, wrapped: Wrapped, choose: &Choose<'_>) -> Result<Secret, Box<Rejection>> {
    let refused = |error| Rejection::of_key(Step::Open, &error);
    let invalid = |error| Rejection::of_crypto(Step::Open, "envelope.invalid", "envelope", error);
    let ours = choose(serial).map_err(refused)?;
    match wrapped {
        Wrapped::Sm2(RawCiphertext { c1, c3, c2 }) => {
            let key = ours.sm2().map_err(refused)?;
            key.unwrap(&Ciphertext { c1, c3, c2 }).map_err(invalid)
        }
        Wrapped::Rsa(bytes) => {
            let key = ours.rsa().map_err(refused)?;
            key.unwrap(RsaPadding::Pkcs1, &bytes, &mut Unrandom).map_err(invalid)
        }
    }
}

/// The name of the algorithm, then letters and digits, each as likely as the other; or bytes, where the key is no text.
fn fresh(cipher: TextCipher, rng: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>> {
    if cipher == TextCipher::Sm4Bytes {
        let mut key = Zeroizing::new(vec![0; key_bytes(cipher)]);
        rng.fill_bytes(&mut key);
        return key;
    }
    let mut text = Zeroizing::new(prefix(cipher).to_vec());
    let length = text.len() + key_bytes(cipher);
    text.reserve_exact(key_bytes(cipher));
    while text.len() < length {
        let mut byte = [0_u8];
        rng.fill_bytes(&mut byte);
        // 248 is four times 62: what lies above would make some characters likelier.
        if let Some(character) = Some(byte[0]).filter(|&byte| byte < 248) {
            text.extend(CHARACTERS.get(usize::from(character % 62)));
        }
    }
    text
}

enum ValueCipher {
    Aes(AesEcb),
    Sm4(Sm4Ecb),
}

impl ValueCipher {
    fn new(cipher: TextCipher, key: &[u8]) -> Result<Self, CryptoError> {
        match cipher {
            TextCipher::Aes256 => AesEcb::new(key).map(Self::Aes),
            TextCipher::Sm4 | TextCipher::Sm4Bytes => {
                let key: &[u8; 16] = key.try_into().map_err(|_| CryptoError::Key)?;
                Ok(Self::Sm4(Sm4Ecb::new(key)))
            }
        }
    }

    fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Aes(cipher) => cipher.encrypt(clear),
            Self::Sm4(cipher) => cipher.encrypt(clear),
        }
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Aes(cipher) => cipher.decrypt(ciphertext),
            Self::Sm4(cipher) => cipher.decrypt(ciphertext),
        }
    }
}

/// A source that gives nothing: unwrapping blinds by what it derives from the private key and the ciphertext, and only adds
/// what a source gives.
pub(crate) struct Unrandom;

impl TryRng for Unrandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Unrandom {}

const CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
