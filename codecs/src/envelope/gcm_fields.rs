//! Sealed values as nonce, SM4-GCM ciphertext and tag in base64, each bound to its message and place by additional data.

use crate::field::{Broken, base64_decode, is_base64, push_number};
use crate::spec::MessageSpec;
use crate::values::Values;

/// Nonce, ciphertext and tag of a sealed value.
pub(crate) type Parts = ([u8; 12], Vec<u8>, [u8; 16]);

/// Checks what `parts` needs, without decoding.
pub(crate) fn form(text: &str, max: usize) -> Result<(), Broken> {
    let padding = text.bytes().rev().take_while(|&b| b == b'=').count();
    let length = (text.len() / 4 * 3).saturating_sub(padding);
    fits(text, max)?;
    if length <= NONCE_BYTES + TAG_BYTES || !is_base64(text) {
        return Err(Broken::new("seal.missing", FORM));
    }
    Ok(())
}

fn fits(text: &str, max: usize) -> Result<(), Broken> {
    if text.len() > max {
        let detail = format!("{} characters, allowed {max} when sealed", text.len());
        return Err(Broken::new("field.length", detail));
    }
    Ok(())
}

/// Takes base64(nonce || ciphertext || tag) apart; the ciphertext is never empty.
pub(crate) fn parts(text: &str, max: usize) -> Result<Parts, Broken> {
    fits(text, max)?;
    let missing = || Broken::new("seal.missing", FORM);
    let mut bytes = base64_decode(text).ok_or_else(missing)?;
    let (nonce, rest) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(missing)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(missing)?;
    let (nonce, length, tag) = (*nonce, ciphertext.len(), *tag);
    if length == 0 {
        return Err(missing());
    }
    bytes.drain(..NONCE_BYTES);
    bytes.truncate(length);
    Ok((nonce, bytes, tag))
}

/// `MsgId|path[n]`: binds a sealed value to its message and its place.
pub(crate) fn additional(kind: &MessageSpec, values: &Values<'_>, path: &str, occurrence: usize) -> Vec<u8> {
    let msg_id = kind
        .plan
        .msg_id
        .and_then(|field| values.get(field))
        .map_or("", |item| &item.sent);
    let mut text = String::with_capacity(msg_id.len() + path.len() + NUMBER_BYTES);
    for piece in [msg_id, "|", path, "["] {
        text.push_str(piece);
    }
    push_number(&mut text, i64::try_from(occurrence).unwrap_or(i64::MAX));
    text.push(']');
    text.into_bytes()
}

/// The longest sealed text of so many clear bytes.
pub(crate) fn sealed_max(clear: usize) -> usize {
    clear.saturating_add(NONCE_BYTES + TAG_BYTES).div_ceil(3).saturating_mul(4)
}

const FORM: &str = "a sealed value is expected: base64 of nonce, ciphertext and tag";
/// Of the number of an occurrence with what stands around it.
const NUMBER_BYTES: usize = 24;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
