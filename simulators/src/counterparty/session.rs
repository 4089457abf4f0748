//! Sealing under a session key whose bytes are wrapped: triple DES under RSA, SM4 under SM2.

use super::Twist;
use super::text_key::{Keys, Outcome, misfit};
use codecs::envelope::session::key_bytes;
use codecs::envelope::{RawCiphertext, SessionCipher, Wrapped};
use codecs::message::{Draft, Message, SealTarget};
use keys::error::CryptoError;
use keys::legacy::RsaPadding;
use keys::legacy::zero_padded::ZeroPaddedCbc;
use keys::sm2::Ciphertext;
use rand_core::CryptoRng;
use time::OffsetDateTime;

pub(super) fn open(message: &mut Message<'_>, cipher: SessionCipher, (keyring, link): Keys<'_>, now: OffsetDateTime) -> Outcome {
    let Some((serial, wrapped)) = message.wrapped_key()? else {
        return Ok(());
    };
    let Wrapped::Sm2(RawCiphertext { c1, c3, c2 }) = wrapped else {
        return Err("this party opens only what is wrapped with SM2".into());
    };
    let ours = keyring.unwrapper(link, &serial, now)?;
    let key = ours.sm2()?.unwrap(&Ciphertext { c1, c3, c2 })?;
    let cipher = prepared(cipher, key.danger_expose())?;
    for field in message.sealed_blocks()? {
        message.set_opened(field.slot, &cipher.decrypt(&field.ciphertext)?)?;
    }
    Ok(())
}

pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: &[SealTarget],
    cipher: SessionCipher,
    (keyring, link): Keys<'_>,
    (now, twist): (OffsetDateTime, Twist),
    rng: &mut dyn CryptoRng,
) -> Outcome {
    let mut key = vec![0; key_bytes(cipher)];
    rng.fill_bytes(&mut key);
    let theirs = keyring.wrapper(link, now)?;
    match cipher {
        SessionCipher::TripleDes => {
            let mut wrapped = theirs.rsa()?.wrap(RsaPadding::Pkcs1, &key, rng)?;
            misfit(&mut wrapped, twist);
            draft.set_rsa_envelope(&theirs.info.serial, &wrapped);
        }
        SessionCipher::Sm4 => {
            let Ciphertext { c1, c3, mut c2 } = theirs.sm2()?.wrap(&key, rng)?;
            misfit(&mut c2, twist);
            draft.set_envelope(&theirs.info.serial, &RawCiphertext { c1, c3, c2 });
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
