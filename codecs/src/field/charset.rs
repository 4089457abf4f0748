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

    pub(super) fn check(self, text: &str) -> Result<(), Broken> {
        // Most values are plain ASCII, which needs no decoding.
        let is_plain = match self {
            Self::Digits => all(text, |b| b.is_ascii_digit()),
            Self::Alnum => all(text, |b| b.is_ascii_alphanumeric()),
            Self::Token => all(text, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':')),
            Self::Ascii | Self::Lines | Self::Text => all(text, |b| matches!(b, b' '..=b'~')),
            Self::Plain => all(text, |b| b != b'&' && matches!(b, b' '..=b'~')),
        };
        if is_plain {
            return Ok(());
        }
        match text.chars().find(|&c| !self.allows(c)) {
            None => Ok(()),
            Some(c) => Err(Broken::new(
                "field.charset",
                format!("character U+{:04X} is not allowed", u32::from(c)),
            )),
        }
    }
}

/// Without an early end, so that the compiler may take many bytes at a time.
fn all(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |so_far, b| so_far & is_allowed(b))
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
