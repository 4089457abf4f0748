//! Sealing under a key that travels as text: `01|` and an AES key, `02|` and an SM4 key, each value in ECB by itself.

use super::Twist;
use codecs::envelope::text_key::{key_bytes, key_of, prefix};
use codecs::envelope::{RawCiphertext, TextCipher, Wrapped};
use codecs::message::{Draft, Message, SealTarget};
use keys::keyring::Keyring;
use keys::legacy::RsaPadding;
use keys::legacy::aes::AesEcb;
use keys::legacy::sm4_ecb::Sm4Ecb;
use keys::sm2::Ciphertext;
use rand_core::CryptoRng;
use time::OffsetDateTime;

pub(super) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A keyring and the link whose keys are meant.
pub(super) type Keys<'k> = (&'k Keyring, &'k str);

pub(super) fn open(message: &mut Message<'_>, cipher: TextCipher, (keyring, link): Keys<'_>, now: OffsetDateTime) -> Outcome {
    let Some((serial, Wrapped::Sm2(RawCiphertext { c1, c3, c2 }))) = message.wrapped_key()? else {
        return if message.wrapped_key()?.is_none() {
            Ok(())
        } else {
            Err("this party opens only what is wrapped with SM2".into())
        };
    };
    let ours = keyring.unwrapper(link, &serial, now)?;
    let text = ours.sm2()?.unwrap(&Ciphertext { c1, c3, c2 })?;
    let key = key_of(cipher, text.danger_expose()).ok_or("no key of the cipher in the envelope")?;
    for field in message.sealed_blocks()? {
        let clear = match cipher {
            TextCipher::Aes256 => AesEcb::new(key)?.decrypt(&field.ciphertext)?,
            TextCipher::Sm4 | TextCipher::Sm4Bytes => Sm4Ecb::new(key.try_into()?).decrypt(&field.ciphertext)?,
        };
        message.set_opened(field.slot, &clear)?;
    }
    Ok(())
}

/// What the right key opens to another clear text is what a wrong key sees.
pub(super) fn misfit(sealed: &mut [u8], twist: Twist) {
    if let (Twist::WrongSealKey, Some(first)) = (twist, sealed.first_mut()) {
        *first ^= 1;
    }
}

pub(super) fn seal(
    draft: &mut Draft<'_>,
    targets: &[SealTarget],
    cipher: TextCipher,
    (keyring, link): Keys<'_>,
    (now, twist): (OffsetDateTime, Twist),
    rng: &mut dyn CryptoRng,
) -> Outcome {
    let mut key = vec![0; key_bytes(cipher)];
    rng.fill_bytes(&mut key);
    // Sixteen letters are enough for keys that protect nothing.
    for byte in &mut key {
        *byte = b'A' + *byte % 16;
    }
    let text = [prefix(cipher), &key].concat();
    let theirs = keyring.wrapper(link, now)?;
    match cipher {
        TextCipher::Aes256 => {
            let mut wrapped = theirs.rsa()?.wrap(RsaPadding::Pkcs1, &text, rng)?;
            misfit(&mut wrapped, twist);
            draft.set_rsa_envelope(&theirs.info.serial, &wrapped);
        }
        TextCipher::Sm4 | TextCipher::Sm4Bytes => {
            let Ciphertext { c1, c3, mut c2 } = theirs.sm2()?.wrap(&text, rng)?;
            misfit(&mut c2, twist);
            draft.set_envelope(&theirs.info.serial, &RawCiphertext { c1, c3, c2 });
        }
    }
    for target in targets {
        let clear = target.clear.as_bytes();
        let sealed = match cipher {
            TextCipher::Aes256 => AesEcb::new(&key)?.encrypt(clear)?,
            TextCipher::Sm4 | TextCipher::Sm4Bytes => Sm4Ecb::new(key.as_slice().try_into()?).encrypt(clear)?,
        };
        draft.set_sealed_blocks(target.slot, &sealed);
    }
    Ok(())
}
