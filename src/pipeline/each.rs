//! Values that are sealed each by itself under the receiver's public key (`codecs::envelope::EachCipher`). Where a message names
//! no key, the link has one.

use super::open::Chosen;
use super::text_key::Unrandom;
use super::{Fault, Rejection, Step};
use codecs::envelope::{EachCipher, RawCiphertext, Wrapped, ciphertext_to_der};
use codecs::message::{Draft, Message, SealTarget, SealedEach};
use keys::error::CryptoError;
use keys::keyring::{UnwrapKey, Usable, WrapKey};
use keys::legacy::RsaPadding;
use keys::secret::Secret;
use keys::sm2::Ciphertext;
use rand_core::CryptoRng;

/// Opens every sealed value in its place, by the first of the keys that fits.
pub(super) fn open(message: &mut Message<'_>, cipher: EachCipher, chosen: &Chosen<'_>) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    let sealed = message.sealed_each().map_err(refused)?;
    if sealed.is_empty() {
        return Ok(());
    }
    let keys = chosen(message.sealed_for()).map_err(|error| Rejection::of_key(Step::Open, &error))?;
    for field in sealed {
        let clear = opened(&field, cipher, &keys)?;
        message.set_opened(field.slot, clear.danger_expose()).map_err(refused)?;
    }
    Ok(())
}

/// Seals every value of a draft and names the key.
pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: Vec<SealTarget>,
    cipher: EachCipher,
    receiver: &Usable<'_, WrapKey>,
    rng: &mut dyn CryptoRng,
) -> Result<(), Fault> {
    draft.set_sealed_for(&receiver.info.serial);
    for target in targets {
        let clear = target.clear.as_bytes();
        let bytes = if let Some(padding) = padding(cipher) {
            receiver.rsa()?.wrap(padding, clear, rng)?
        } else {
            let Ciphertext { c1, c3, c2 } = receiver.sm2()?.wrap(clear, rng)?;
            ciphertext_to_der(&RawCiphertext { c1, c3, c2 })
        };
        draft.set_sealed_blocks(target.slot, &bytes);
    }
    Ok(())
}

fn opened(field: &SealedEach, cipher: EachCipher, keys: &[Usable<'_, UnwrapKey>]) -> Result<Secret, Box<Rejection>> {
    let mut refused = Rejection::of_crypto(Step::Open, "seal.invalid", &field.path, CryptoError::Ciphertext);
    for ours in keys {
        let clear = match (&field.wrapped, padding(cipher)) {
            (Wrapped::Rsa(bytes), Some(padding)) => ours.rsa().map(|key| key.unwrap(padding, bytes, &mut Unrandom)),
            (Wrapped::Sm2(RawCiphertext { c1, c3, c2 }), None) => {
                let (c1, c3, c2) = (*c1, *c3, c2.clone());
                ours.sm2().map(|key| key.unwrap(&Ciphertext { c1, c3, c2 }))
            }
            (Wrapped::Rsa(_) | Wrapped::Sm2(_), _) => continue,
        };
        match clear {
            Ok(Ok(clear)) => return Ok(clear),
            Ok(Err(_)) => {}
            Err(error) => refused = Rejection::of_key(Step::Open, &error),
        }
    }
    Err(refused)
}

/// `None` for SM2.
const fn padding(cipher: EachCipher) -> Option<RsaPadding> {
    match cipher {
        EachCipher::RsaOaepSha1 => Some(RsaPadding::OaepSha1),
        EachCipher::RsaPkcs1 => Some(RsaPadding::Pkcs1),
        EachCipher::Sm2 => None,
    }
}
