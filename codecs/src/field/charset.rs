//! Which characters a field may hold. Nothing is ever replaced on the way in.

use super::Broken;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charset {
    /// `0-9`.
    Digits,
    /// `0-9A-Za-z`.
    Alnum,
    /// `0-9A-Za-z` and `-_.:`: safe in a path of a URL.
    Token,
    /// Printable ASCII.
    Ascii,
    /// Printable ASCII and line ends.
    Lines,
    /// Printable Unicode.
    Text,
    /// Printable Unicode but `&`, for pairs that are not escaped.
    Plain,
}

impl Charset {
    pub(crate) const NAMES: &'static [&'static str] = &["digits", "alnum", "token", "ascii", "lines", "text", "plain"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "digits" => Self::Digits,
            "alnum" => Self::Alnum,
            "token" => Self::Token,
            "ascii" => Self::Ascii,
            "lines" => Self::Lines,
            "text" => Self::Text,
            "plain" => Self::Plain,
            _ => return None,
        })
    }

    pub(crate) fn allows(self, c: char) -> bool {
        match self {
            Self::Digits => c.is_ascii_digit(),
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Token => c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'),
            Self::Ascii => matches!(c, ' '..='~'),
            Self::Lines => matches!(c, ' '..='~' | '\r' | '\n'),
            Self::Text => printable(c),
            Self::Plain => c != '&' && printable(c),
        }
    }

    /// Whether a text of these classes is plain ASCII of this charset.
    pub(super) fn is_among(self, classes: u8) -> bool {
        let class = match self {
            Self::Digits => DIGIT,
            Self::Alnum => ALNUM,
            Self::Token => TOKEN,
            Self::Ascii | Self::Lines | Self::Text => VISIBLE,
            Self::Plain => PLAIN,
        };
        classes & class != 0
    }

    pub(super) fn check(self, text: &str) -> Result<(), Broken> {
        match text.chars().find(|&c| !self.allows(c)) {
            None => Ok(()),
            Some(c) => Err(Broken::new(
                "field.charset",
                format!("character U+{:04X} is not allowed", u32::from(c)),
            )),
        }
    }
}

/// The classes that every character of a text belongs to; an empty text belongs to all.
pub(super) fn classes(text: &str) -> u8 {
    let of = |b: u8| CLASSES.get(usize::from(b)).copied().unwrap_or_default();
    text.bytes()
        .fold(DIGIT | ALNUM | TOKEN | VISIBLE | PLAIN, |common, b| common & of(b))
}

const DIGIT: u8 = 1;
const ALNUM: u8 = 2;
const TOKEN: u8 = 4;
const VISIBLE: u8 = 8;
/// Visible, and no `&`.
const PLAIN: u8 = 16;
static CLASSES: [u8; 256] = class_table();

const fn class_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        let digit = if byte.is_ascii_digit() { DIGIT } else { 0 };
        let alnum = if byte.is_ascii_alphanumeric() { ALNUM | TOKEN } else { 0 };
        let token = if matches!(byte, b'-' | b'_' | b'.' | b':') { TOKEN } else { 0 };
        let plain = if byte == b'&' { 0 } else { PLAIN };
        #[expect(clippy::indexing_slicing, reason = "a byte is an index of 256 places")]
        let place = &mut table[byte as usize];
        *place = VISIBLE | digit | alnum | token | plain;
        byte += 1;
    }
    table
}

/// Refuses what a person cannot see or what makes text read in another order: controls, the byte order mark, the
/// replacement character, bidirectional overrides, line and paragraph separators, private and non-characters.
fn printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let hidden = matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e0fff}');
    !hidden && u32::from(c) & 0xfffe != 0xfffe
}
