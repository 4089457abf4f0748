//! The charset of the wire. Inside, everything is UTF-8: what comes in another charset is decoded whole before it is read, and
//! encoded when it has been written. Nothing is replaced, and what would not come back as the same bytes is refused, so that a
//! signature over bytes is one over exactly what came.

use super::fault;
use crate::error::ParseError;
use crate::field::Broken;
use encoding_rs::{DecoderResult, EncoderResult, GBK};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Charset {
    #[default]
    Utf8,
    Gbk,
}

impl Charset {
    pub(crate) const NAMES: [(&'static str, Self); 2] = [("utf-8", Self::Utf8), ("gbk", Self::Gbk)];

    pub(crate) const fn is_utf8(self) -> bool {
        matches!(self, Self::Utf8)
    }

    /// As documents declare it.
    pub(crate) const fn declared(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gbk => "GBK",
        }
    }

    /// A body in UTF-8.
    pub(crate) fn decoded(self, body: &[u8]) -> Result<Vec<u8>, ParseError> {
        match self {
            Self::Utf8 => Ok(body.to_vec()),
            Self::Gbk => gbk_decoded(body).map(String::into_bytes),
        }
    }

    /// UTF-8 as it goes over the wire. A character that the charset has not is named, with its place among the bytes.
    pub(crate) fn encoded(self, text: Vec<u8>) -> Result<Vec<u8>, Broken> {
        match self {
            Self::Utf8 => Ok(text),
            Self::Gbk => {
                let text = std::str::from_utf8(&text).map_err(|_| Broken::new("encoding.utf8", "it is not UTF-8"))?;
                gbk_encoded(text).map_err(|(character, at)| {
                    let code = u32::from(character);
                    Broken::new("encoding.gbk", format!("U+{code:04X} at byte {at} is not in GBK"))
                })
            }
        }
    }

    /// Where a place of the decoded body is in the body as it came.
    pub(crate) fn offset(self, content: &[u8], at: usize) -> usize {
        let before = content.get(..at).map(|before| self.encoded(before.to_vec()));
        match before {
            Some(Ok(before)) => before.len(),
            Some(Err(_)) | None => at,
        }
    }
}

fn gbk_decoded(body: &[u8]) -> Result<String, ParseError> {
    let wrong = |at, detail: &str| Err(fault("encoding.gbk", Some(at), detail));
    let mut decoder = GBK.new_decoder_without_bom_handling();
    // Two bytes give three at most, and four bytes four.
    let mut text = String::with_capacity(body.len().saturating_mul(2).saturating_add(16));
    match decoder.decode_to_string_without_replacement(body, &mut text, true) {
        (DecoderResult::InputEmpty, _) => {}
        (DecoderResult::Malformed(bad, after), read) => {
            return wrong(read.saturating_sub(usize::from(bad) + usize::from(after)), "not GBK");
        }
        (DecoderResult::OutputFull, read) => return wrong(read, "it is too long"),
    }
    match gbk_encoded(&text) {
        Ok(again) if again == body => Ok(text),
        Ok(again) => {
            let same = again.iter().zip(body).take_while(|(again, body)| again == body).count();
            wrong(same, "bytes that are not how GBK writes their character")
        }
        Err((_, at)) => {
            let before = text.get(..at).map(gbk_encoded).and_then(Result::ok);
            wrong(before.map_or(0, |before| before.len()), "a character that is not in GBK")
        }
    }
}

/// A character that is not in GBK, and where it begins.
fn gbk_encoded(text: &str) -> Result<Vec<u8>, (char, usize)> {
    let mut encoder = GBK.new_encoder();
    let mut bytes = Vec::with_capacity(text.len().saturating_mul(2).saturating_add(16));
    match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true) {
        (EncoderResult::InputEmpty | EncoderResult::OutputFull, _) => Ok(bytes),
        (EncoderResult::Unmappable(character), read) => Err((character, read.saturating_sub(character.len_utf8()))),
    }
}

#[cfg(test)]
mod tests;
