//! Bytes as text: hex, base64 and GBK, also as careless senders write them.

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use encoding_rs::GBK;

pub(super) use keys::hex::encode as hex;

/// Reads hex in either case.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    keys::hex::decode(text).map(|bytes| bytes.to_vec())
}

pub(super) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}

/// The alphabet of URLs, or padding left out.
pub(super) fn unbase64_url(text: &str) -> Option<Vec<u8>> {
    let url = || Base64Url::decode_vec(text).or_else(|_| Base64UrlUnpadded::decode_vec(text));
    Base64Unpadded::decode_vec(text).or_else(|_| url()).ok()
}

/// A text in GBK; `None` where it has a character that GBK has not, or none outside ASCII.
pub(super) fn to_gbk(text: &str) -> Option<Vec<u8>> {
    let (bytes, _, replaced) = GBK.encode(text);
    (!replaced && !text.is_ascii()).then(|| bytes.into_owned())
}

/// The text that bytes are in GBK; `None` where they are none, or are UTF-8 and need no other reading.
pub(super) fn from_gbk(bytes: &[u8]) -> Option<String> {
    let text = GBK.decode_without_bom_handling_and_without_replacement(bytes)?;
    std::str::from_utf8(bytes).is_err().then(|| text.into_owned())
}

/// What a form's percent-encoding stands for, in whatever encoding the bytes are.
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (pair, tail) = rest.split_first_chunk::<2>()?;
                out.extend(unhex(std::str::from_utf8(pair).ok()?)?);
                rest = tail;
            }
            _ => out.push(first),
        }
    }
    Some(out)
}

/// How percent-encodings differ.
#[derive(Clone, Copy)]
pub(super) struct Escaping {
    pub(super) space: &'static str,
    pub(super) upper: bool,
    /// Characters that stay as they are, beside letters and digits.
    pub(super) kept: &'static str,
}

impl Escaping {
    /// As forms are written.
    pub(super) const FORM: Self = Self {
        space: "+",
        upper: true,
        kept: "*-._",
    };

    pub(super) fn escape(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() * 2);
        for byte in text.bytes() {
            match char::from(byte) {
                ' ' => out.push_str(self.space),
                c if c.is_ascii_alphanumeric() || self.kept.contains(c) => out.push(c),
                _ if self.upper => out.push_str(&format!("%{byte:02X}")),
                _ => out.push_str(&format!("%{byte:02x}")),
            }
        }
        out
    }
}
