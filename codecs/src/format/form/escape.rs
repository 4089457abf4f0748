//! Percent-encoding of forms (WHATWG URL, 5): a space is `+`, all but letters, digits and `*-._` is `%XX`.

use std::borrow::Cow;

/// The bytes that a text stands for; `None` where it is not in this encoding.
pub(super) fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    let plain = |b: u8| matches!(b, b'!'..=b'~') && !matches!(b, b'%' | b'+' | b'&' | b'=');
    if text.bytes().all(plain) {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (pair, tail) = rest.split_first_chunk::<2>()?;
                out.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
                rest = tail;
            }
            // A value may hold `=` as it is; base64 ends with it.
            b'=' => out.push(first),
            _ if plain(first) => out.push(first),
            _ => return None,
        }
    }
    Some(Cow::Owned(out))
}

pub(super) fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
