//! Values that are sealed each by itself under the receiver's public key: RSA or SM2.

use super::Twist;
use super::text_key::{Keys, Outcome, misfit};
use codecs::envelope::{EachCipher, RawCiphertext, Wrapped, ciphertext_to_der};
use codecs::message::{Draft, Message, SealTarget};
use keys::legacy::RsaPadding;
use keys::sm2::Ciphertext;
use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use std::convert::Infallible;
use time::OffsetDateTime;

pub(super) fn open(message: &mut Message<'_>, cipher: EachCipher, (keyring, link): Keys<'_>, now: OffsetDateTime) -> Outcome {
    let sealed = message.sealed_each()?;
    if sealed.is_empty() {
        return Ok(());
    }
    let ours = match message.sealed_for() {
        Some(serial) => keyring.unwrapper(link, serial, now)?,
        None => keyring.one_unwrapper(link, now)?,
    };
    for field in sealed {
        let clear = match (field.wrapped, padding(cipher)) {
            (Wrapped::Rsa(bytes), Some(padding)) => ours.rsa()?.unwrap(padding, &bytes, &mut Nothing)?,
            (Wrapped::Sm2(RawCiphertext { c1, c3, c2 }), None) => ours.sm2()?.unwrap(&Ciphertext { c1, c3, c2 })?,
            (Wrapped::Rsa(_) | Wrapped::Sm2(_), _) => return Err("a ciphertext of another algorithm".into()),
        };
        message.set_opened(field.slot, clear.danger_expose())?;
    }
    Ok(())
}

pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: &[SealTarget],
    cipher: EachCipher,
    (keyring, link): Keys<'_>,
    (now, twist): (OffsetDateTime, Twist),
    rng: &mut dyn CryptoRng,
) -> Outcome {
    let theirs = keyring.wrapper(link, now)?;
    draft.set_sealed_for(&theirs.info.serial);
    for target in targets {
        let clear = target.clear.as_bytes();
        let bytes = if let Some(padding) = padding(cipher) {
            let mut wrapped = theirs.rsa()?.wrap(padding, clear, rng)?;
            misfit(&mut wrapped, twist);
            wrapped
        } else {
            let Ciphertext { c1, c3, mut c2 } = theirs.sm2()?.wrap(clear, rng)?;
            misfit(&mut c2, twist);
            ciphertext_to_der(&RawCiphertext { c1, c3, c2 })
        };
        draft.set_sealed_blocks(target.slot, &bytes);
    }
    Ok(())
}

const fn padding(cipher: EachCipher) -> Option<RsaPadding> {
    match cipher {
        EachCipher::RsaOaepSha1 => Some(RsaPadding::OaepSha1),
        EachCipher::RsaPkcs1 => Some(RsaPadding::Pkcs1),
        EachCipher::Sm2 => None,
    }
}

/// A source that gives nothing: opening blinds by what it derives from the key, and these keys protect nothing.
struct Nothing;

impl TryRng for Nothing {
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

impl TryCryptoRng for Nothing {}
