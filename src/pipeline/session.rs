//! Sealing under a session key whose bytes are wrapped (`codecs::envelope::session`): a fresh key a message, zero IV and
//! zero padding.

use super::open::Choose;
use super::{Fault, LinkView, Rejection, Step, text_key};
use codecs::envelope::session::key_bytes;
use codecs::envelope::{RawCiphertext, SessionCipher};
use codecs::message::{Draft, Message, SealTarget};
use keys::error::CryptoError;
use keys::legacy::RsaPadding;
use keys::legacy::zero_padded::ZeroPaddedCbc;
use keys::sm2::Ciphertext;
use rand_core::CryptoRng;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Opens every sealed value in its place.
pub(super) fn open(message: &mut Message<'_>, cipher: SessionCipher, choose: &Choose<'_>) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    let Some((serial, wrapped)) = message.wrapped_key().map_err(refused)? else {
        return Ok(());
    };
    let key = text_key::unwrapped(&serial, wrapped, choose)?;
    let cipher = prepared(cipher, key.danger_expose())
        .map_err(|error| Rejection::of_crypto(Step::Open, "envelope.invalid", "envelope", error))?;
    for field in message.sealed_blocks().map_err(refused)? {
        let clear = cipher.decrypt(&field.ciphertext).map(Zeroizing::new);
        let clear = clear.map_err(|error| Rejection::of_crypto(Step::Open, "seal.invalid", &field.path, error))?;
        message.set_opened(field.slot, &clear).map_err(refused)?;
    }
    Ok(())
}

/// Seals every value of a draft and wraps the key for the receiver.
pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: Vec<SealTarget>,
    cipher: SessionCipher,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<(), Fault> {
    let mut key = Zeroizing::new(vec![0; key_bytes(cipher)]);
    rng.fill_bytes(&mut key);
    let wrapper = link.keyring.wrapper(link.name, now)?;
    let serial = &wrapper.info.serial;
    match cipher {
        SessionCipher::TripleDes => draft.set_rsa_envelope(serial, &wrapper.rsa()?.wrap(RsaPadding::Pkcs1, &key, rng)?),
        SessionCipher::Sm4 => {
            let Ciphertext { c1, c3, c2 } = wrapper.sm2()?.wrap(&key, rng)?;
            draft.set_envelope(serial, &RawCiphertext { c1, c3, c2 });
        }
    }
    let cipher = prepared(cipher, &key)?;
    for target in targets {
        draft.set_sealed_blocks(target.slot, &cipher.encrypt(target.clear.as_bytes())?);
    }
    Ok(())
}

fn prepared(cipher: SessionCipher, key: &[u8]) -> Result<ZeroPaddedCbc, CryptoError> {
    match cipher {
        SessionCipher::TripleDes => ZeroPaddedCbc::triple_des(key),
        SessionCipher::Sm4 => ZeroPaddedCbc::sm4(key),
    }
}
