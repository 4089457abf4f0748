//! Values that are encrypted each by itself under the receiver's public key, in base64: as long as an RSA modulus, or an SM2
//! ciphertext in ASN.1. No data key travels, so nothing but the key's serial number stands beside them.

use super::{EachCipher, Wrapped, ciphertext_from_der};
use crate::field::{Broken, base64_decode};

/// A value's ciphertext; `clear` is the longest that its clear text may be, in bytes.
pub(crate) fn ciphertext(cipher: EachCipher, text: &str, clear: usize) -> Result<Wrapped, Broken> {
    let max = match cipher {
        EachCipher::RsaOaepSha1 | EachCipher::RsaPkcs1 => RSA_BYTES_MAX,
        EachCipher::Sm2 => clear.saturating_add(SM2_BYTES_MORE),
    };
    // Checked before it is decoded, so that no long text costs more than its length.
    if text.len() > max.div_ceil(3).saturating_mul(4) {
        return Err(Broken::new(
            "field.length",
            format!("{} characters, longer than any ciphertext of it", text.len()),
        ));
    }
    let missing = || Broken::new("seal.missing", FORM);
    let bytes = base64_decode(text).ok_or_else(missing)?;
    match cipher {
        EachCipher::RsaOaepSha1 | EachCipher::RsaPkcs1 if (RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&bytes.len()) => {
            Ok(Wrapped::Rsa(bytes))
        }
        EachCipher::RsaOaepSha1 | EachCipher::RsaPkcs1 => Err(missing()),
        EachCipher::Sm2 => ciphertext_from_der(&bytes).map(Wrapped::Sm2).map_err(|_| missing()),
    }
}

const FORM: &str = "a sealed value is expected: base64 of an RSA or SM2 ciphertext";
/// Moduli of 1024 to 4096 bits.
const RSA_BYTES_MIN: usize = 128;
const RSA_BYTES_MAX: usize = 512;
/// Two coordinates, a digest, and what ASN.1 puts around them and the text.
const SM2_BYTES_MORE: usize = 128;
