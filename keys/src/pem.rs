//! PEM blocks as institutions hand them out: any line length, carriage returns, remarks before a block.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// The bytes of the first block with this label. Encrypted blocks have headers and are not read.
pub(crate) fn block(text: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    split(text, label).map(|(bytes, _)| bytes)
}

/// Every block with this label, in order; `None` if one of them is broken.
pub(crate) fn blocks(text: &str, label: &str) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let (mut rest, mut all) = (text, Vec::new());
    while rest.contains(&begin(label)) {
        let (bytes, after) = split(rest, label)?;
        all.push(bytes);
        rest = after;
    }
    Some(all)
}

/// A block with lines of 64 characters (RFC 7468). Made in one piece, so that what is secret in it can be wiped.
pub(crate) fn encode(label: &str, bytes: &[u8]) -> String {
    let digits = Zeroizing::new(Base64::encode_string(bytes));
    let mut text = String::with_capacity(digits.len() + digits.len() / LINE_CHARS + 2 * label.len() + FRAME_CHARS);
    text.extend([&begin(label), "\n"]);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % LINE_CHARS == 0 {
            text.push('\n');
        }
        text.push(digit);
    }
    text.extend(["\n-----END ", label, "-----\n"]);
    text
}

fn split<'a>(text: &'a str, label: &str) -> Option<(Zeroizing<Vec<u8>>, &'a str)> {
    let (_, behind) = text.split_once(&begin(label))?;
    let (body, after) = behind.split_once(&format!("-----END {label}-----"))?;
    let mut digits = Zeroizing::new(String::with_capacity(body.len()));
    digits.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let bytes = Base64::decode_vec(&digits).ok()?;
    Some((Zeroizing::new(bytes), after))
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

const LINE_CHARS: usize = 64;
const FRAME_CHARS: usize = 40;
