//! Values under a block cipher without a nonce, one key a message; the key travels as text, its algorithm named before it:
//! `01|` and 32 characters whose bytes are an AES key, `02|` and 16 of an SM4 key (NetsUnion), or 16 bytes as they are (DCEP).

use super::TextCipher;
use crate::field::{Broken, base64_decode, is_base64};

/// The key inside an opened envelope: as long as its cipher's, its algorithm named before it.
pub fn key_of(cipher: TextCipher, clear: &[u8]) -> Option<&[u8]> {
    let key = clear.strip_prefix(prefix(cipher))?;
    (key.len() == key_bytes(cipher)).then_some(key)
}

/// What stands before the key.
pub const fn prefix(cipher: TextCipher) -> &'static [u8] {
    match cipher {
        TextCipher::Aes256 => b"01|",
        TextCipher::Sm4 => b"02|",
        TextCipher::Sm4Bytes => b"",
    }
}

/// How many letters and digits a key has; their bytes are the key.
pub const fn key_bytes(cipher: TextCipher) -> usize {
    match cipher {
        TextCipher::Aes256 => 32,
        TextCipher::Sm4 | TextCipher::Sm4Bytes => 16,
    }
}

/// Checks what `ciphertext` needs, without decoding.
pub(crate) fn form(text: &str, max: usize, block: usize) -> Result<(), Broken> {
    let padding = text.bytes().rev().take_while(|&b| b == b'=').count();
    let length = (text.len() / 4 * 3).saturating_sub(padding);
    if text.len() > max {
        return Err(Broken::new(
            "field.length",
            format!("{} characters, allowed {max} when sealed", text.len()),
        ));
    }
    if length == 0 || !length.is_multiple_of(block) || !is_base64(text) {
        return Err(Broken::new("seal.missing", FORM));
    }
    Ok(())
}

pub(crate) fn ciphertext(text: &str, max: usize, block: usize) -> Result<Vec<u8>, Broken> {
    form(text, max, block)?;
    base64_decode(text).ok_or_else(|| Broken::new("seal.missing", FORM))
}

/// The longest sealed text of so many clear bytes: padding adds 1 to 16.
pub(crate) fn sealed_max(clear: usize) -> usize {
    let blocks = clear / BLOCK_BYTES + 1;
    blocks.saturating_mul(BLOCK_BYTES).div_ceil(3).saturating_mul(4)
}

const FORM: &str = "a sealed value is expected: base64 of whole cipher blocks";
const BLOCK_BYTES: usize = 16;
