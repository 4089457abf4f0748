//! What one field may hold: a kind from a closed list, a length, a charset; and how its text becomes an attribute's value.
//!
//! It knows no message and no container. Rules here apply to the clear text of a field, never to a sealed one.

mod amount;
mod base64;
mod charset;
mod date;
pub mod digits;
mod mask;
pub(crate) mod tag;

#[cfg(test)]
mod tests;

pub(crate) use base64::{decode as base64_decode, encode as base64_encode, is_base64};
pub(crate) use charset::Charset;
pub(crate) use date::{canonical, dated, rfc3339};
pub(crate) use digits::{push_date, push_digits, push_number};
pub(crate) use mask::Mask;

use crate::error::{BuildError, ParseError};
use crate::payment::{Money, Shape, Value};
use std::borrow::Cow;
use time::OffsetDateTime;

/// A broken rule, before it is known whether bytes are read or written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

impl Broken {
    pub(crate) fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }

    pub(crate) fn read(self, field: &str, offset: Option<usize>) -> ParseError {
        ParseError {
            rule: self.rule,
            field: Some(field.to_owned()),
            offset,
            detail: self.detail,
        }
    }

    pub(crate) fn built(self, field: &str) -> BuildError {
        BuildError {
            rule: self.rule,
            field: field.to_owned(),
            detail: self.detail,
        }
    }
}

/// The kind of a field's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Text,
    Digits,
    Alnum,
    /// One of a closed list.
    Code(Vec<String>),
    /// `12.34`; as an XML element it carries the currency as an attribute.
    AmountYuan,
    /// `CNY12.34`.
    AmountCny,
    /// A whole number of fen.
    AmountFen,
    /// Twelve digits of fen: `000000001234`.
    AmountFen12,
    /// `20300102`.
    Date8,
    /// `2030-01-02`.
    DateDash,
    /// `183005`.
    Time6,
    /// `183005`, the Beijing time of a moment; only written.
    Clock6,
    /// `0102`, the day of a moment in Beijing; only written.
    Day4,
    /// The last twelve letters and digits of an identifier; only written.
    Tail12,
    /// `2030-01-02T18:30:05`, Beijing time.
    DateTime,
    /// `2030-01-02 18:30:05`, Beijing time.
    DateTimeSpace,
    /// `20300102183005`, Beijing time; written also from an identifier that begins with it.
    DateTimeDigits,
    /// `2030-01-02T18:30:05+08:00`.
    Rfc3339,
    /// `1893580205`: seconds since 1970.
    UnixSeconds,
    /// An identifier that begins with its date, perhaps after a capital letter: `B203001020019`.
    DatedId,
    Base64,
}

impl Kind {
    pub(crate) const NAMES: &'static [&'static str] = &[
        "text",
        "digits",
        "alnum",
        "code",
        "amount_yuan",
        "amount_cny",
        "amount_fen",
        "amount_fen12",
        "date8",
        "date_dash",
        "time6",
        "clock6",
        "day4",
        "tail12",
        "datetime",
        "datetime_space",
        "datetime_digits",
        "rfc3339",
        "unix_seconds",
        "dated_id",
        "base64",
    ];

    pub(crate) fn parse(name: &str, values: &[String]) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "digits" => Self::Digits,
            "alnum" => Self::Alnum,
            "code" => Self::Code(values.to_vec()),
            "amount_yuan" => Self::AmountYuan,
            "amount_cny" => Self::AmountCny,
            "amount_fen" => Self::AmountFen,
            "amount_fen12" => Self::AmountFen12,
            "date8" => Self::Date8,
            "date_dash" => Self::DateDash,
            "time6" => Self::Time6,
            "clock6" => Self::Clock6,
            "day4" => Self::Day4,
            "tail12" => Self::Tail12,
            "datetime" => Self::DateTime,
            "datetime_space" => Self::DateTimeSpace,
            "datetime_digits" => Self::DateTimeDigits,
            "rfc3339" => Self::Rfc3339,
            "unix_seconds" => Self::UnixSeconds,
            "dated_id" => Self::DatedId,
            "base64" => Self::Base64,
            _ => return None,
        })
    }

    /// The shape of the value that this kind turns into; a list is made of texts.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::AmountYuan | Self::AmountCny | Self::AmountFen | Self::AmountFen12 => Shape::Money,
            Self::Date8 | Self::DateDash => Shape::Date,
            Self::Text
            | Self::Digits
            | Self::Alnum
            | Self::Code(_)
            | Self::Time6
            | Self::Clock6
            | Self::Day4
            | Self::Tail12
            | Self::DateTime
            | Self::DateTimeSpace
            | Self::DateTimeDigits
            | Self::Rfc3339
            | Self::UnixSeconds
            | Self::DatedId
            | Self::Base64 => Shape::Text,
        }
    }

    fn check(&self, text: &str, classes: u8) -> Result<(), Broken> {
        let kind_error = |wanted: &str| Broken::new("field.kind", format!("expected {wanted}"));
        let fits = |good: bool, wanted: &str| if good { Ok(()) } else { Err(kind_error(wanted)) };
        match self {
            Self::Text => Ok(()),
            Self::Digits => fits(Charset::Digits.is_among(classes), "digits"),
            Self::Alnum => fits(Charset::Alnum.is_among(classes), "letters and digits"),
            Self::Code(values) => code(values, text),
            Self::AmountYuan => fits(Money::parse_yuan(text).is_some(), "an amount such as 12.34"),
            Self::AmountCny => fits(amount::cny(text).is_some(), "an amount such as CNY12.34"),
            Self::AmountFen => fits(amount::fen(text).is_some(), "a whole number of fen"),
            Self::AmountFen12 => fits(amount::fen12(text).is_some(), "twelve digits of fen"),
            Self::Date8 => fits(date::date8(text).is_some(), "a date such as 20300102"),
            Self::DateDash => fits(date::date_dash(text).is_some(), "a date such as 2030-01-02"),
            Self::Time6 | Self::Clock6 => fits(date::time6(text), "a time such as 183005"),
            Self::Day4 => fits(date::day4(text), "a day such as 0102"),
            Self::Tail12 => fits(text.len() == 12, "twelve letters and digits"),
            Self::DateTime => fits(date::local(text).is_some(), "a moment such as 2030-01-02T18:30:05"),
            Self::DateTimeSpace => fits(date::local_space(text).is_some(), "a moment such as 2030-01-02 18:30:05"),
            Self::DateTimeDigits => fits(date::local_digits(text).is_some(), "a moment such as 20300102183005"),
            Self::DatedId => fits(dated(text).is_some(), "an identifier that begins with its date"),
            Self::Rfc3339 => fits(rfc3339(text).is_some(), "a moment such as 2030-01-02T18:30:05+08:00"),
            Self::UnixSeconds => fits(date::unix_seconds(text).is_some(), "seconds since 1970 such as 1893580205"),
            Self::Base64 => fits(is_base64(text), "base64"),
        }
    }

    /// The moment of a text of a kind that names one exactly, for freshness windows.
    pub(crate) fn moment(&self, text: &str) -> Option<OffsetDateTime> {
        match self {
            Self::Rfc3339 => rfc3339(text),
            Self::UnixSeconds => date::unix_seconds(text),
            Self::Text
            | Self::Digits
            | Self::Alnum
            | Self::Code(_)
            | Self::AmountYuan
            | Self::AmountCny
            | Self::AmountFen
            | Self::AmountFen12
            | Self::Date8
            | Self::DateDash
            | Self::Time6
            | Self::Clock6
            | Self::Day4
            | Self::Tail12
            | Self::DateTime
            | Self::DateTimeSpace
            | Self::DateTimeDigits
            | Self::DatedId
            | Self::Base64 => None,
        }
    }

    /// The attribute's value of a text that `check` let through.
    pub(crate) fn value(&self, text: &str) -> Option<Value> {
        Some(match self {
            Self::AmountYuan => Value::Money(Money::parse_yuan(text)?),
            Self::AmountCny => Value::Money(amount::cny(text)?),
            Self::AmountFen => Value::Money(amount::fen(text)?),
            Self::AmountFen12 => Value::Money(amount::fen12(text)?),
            Self::Date8 => Value::Date(date::date8(text)?),
            Self::DateDash => Value::Date(date::date_dash(text)?),
            Self::Text
            | Self::Digits
            | Self::Alnum
            | Self::Code(_)
            | Self::Time6
            | Self::Clock6
            | Self::Day4
            | Self::Tail12
            | Self::DateTime
            | Self::DateTimeSpace
            | Self::DateTimeDigits
            | Self::Rfc3339
            | Self::UnixSeconds
            | Self::DatedId
            | Self::Base64 => Value::text(&*self.canonical(text)?),
        })
    }

    /// The text of an attribute, from one of a kind whose shape is text.
    pub(crate) fn canonical<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        let moment = match self {
            Self::DateTime => date::local(text)?,
            Self::DateTimeSpace => date::local_space(text)?,
            Self::DateTimeDigits => date::local_digits(text)?,
            Self::Rfc3339 | Self::UnixSeconds => self.moment(text)?,
            Self::Text
            | Self::Digits
            | Self::Alnum
            | Self::Code(_)
            | Self::AmountYuan
            | Self::AmountCny
            | Self::AmountFen
            | Self::AmountFen12
            | Self::Date8
            | Self::DateDash
            | Self::Time6
            | Self::Clock6
            | Self::Day4
            | Self::Tail12
            | Self::DatedId
            | Self::Base64 => return Some(Cow::Borrowed(text)),
        };
        canonical(moment).map(Cow::Owned)
    }

    /// The text of an attribute's value; lists are written item by item.
    pub(crate) fn text<'v>(&self, value: &'v Value) -> Option<Cow<'v, str>> {
        let made = match (self, value) {
            (Self::AmountYuan, Value::Money(money)) => amount::write_yuan("", *money),
            (Self::AmountCny, Value::Money(money)) => amount::write_yuan("CNY", *money),
            (Self::AmountFen, Value::Money(money)) => amount::write_fen(*money),
            (Self::AmountFen12, Value::Money(money)) => format!("{:012}", money.fen()),
            (Self::Clock6, Value::Text(text)) => date::write_moment(text)?.split_off(8),
            (Self::Day4, Value::Text(text)) => date::write_moment(text)?.get(4..8)?.to_owned(),
            (Self::Tail12, Value::Text(text)) => tail(text)?,
            (Self::Date8, Value::Date(day)) => date::write_date8(*day),
            (Self::DateDash, Value::Date(day)) => date::write_date_dash(*day),
            (Self::DateTime, Value::Text(text)) => date::write_local(date::moment(text)?)?,
            (Self::DateTimeSpace, Value::Text(text)) => date::write_local(date::moment(text)?)?.replacen('T', " ", 1),
            (Self::DateTimeDigits, Value::Text(text)) => date::write_digits(text)?,
            (Self::Rfc3339, Value::Text(text)) => canonical(date::moment(text)?)?,
            (Self::UnixSeconds, Value::Text(text)) => date::moment(text)?.unix_timestamp().to_string(),
            (_, Value::Text(text)) => return Some(Cow::Borrowed(text)),
            (_, Value::Money(_) | Value::Date(_) | Value::List(_)) => return None,
        };
        Some(Cow::Owned(made))
    }
}

/// The last twelve letters and digits of a text that has so many.
fn tail(text: &str) -> Option<String> {
    let plain: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.last_chunk::<12>().map(|tail| tail.iter().collect())
}

/// Allowed length: characters always, bytes where a peer's columns count them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Length {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) bytes_max: Option<usize>,
}

impl Length {
    /// Reads `18` or `1..40`.
    pub(crate) fn parse(text: &str, bytes_max: Option<usize>) -> Option<Self> {
        let (min, max) = match text.split_once("..") {
            Some((min, max)) => (min.parse().ok()?, max.parse().ok()?),
            None => (text.parse().ok()?, text.parse().ok()?),
        };
        (min >= 1 && min <= max).then_some(Self { min, max, bytes_max })
    }

    /// Whether so many bytes of ASCII may stand here.
    fn allows(self, bytes: usize) -> bool {
        (self.min..=self.max).contains(&bytes) && self.bytes_max.is_none_or(|max| bytes <= max)
    }

    fn check(self, text: &str) -> Result<(), Broken> {
        let count = if text.is_ascii() { text.len() } else { text.chars().count() };
        if count < self.min || count > self.max {
            return Err(Broken::new(
                "field.length",
                format!("{count} characters, allowed {}..{}", self.min, self.max),
            ));
        }
        match self.bytes_max {
            Some(max) if text.len() > max => Err(Broken::new("field.length", format!("{} bytes, allowed {max}", text.len()))),
            Some(_) | None => Ok(()),
        }
    }

    /// The most characters.
    pub(crate) fn chars_max(self) -> usize {
        self.max
    }

    /// The longest clear value in bytes.
    pub(crate) fn clear_bytes_max(self) -> usize {
        self.bytes_max.unwrap_or_else(|| self.max.saturating_mul(4))
    }
}

/// Everything that the clear text of a field must satisfy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rules {
    pub(crate) kind: Kind,
    pub(crate) length: Length,
    pub(crate) charset: Charset,
}

impl Rules {
    /// Rules that lines of ASCII keep, however long.
    pub(crate) fn any_lines() -> Self {
        Self {
            kind: Kind::Text,
            length: Length {
                min: 0,
                max: usize::MAX,
                bytes_max: None,
            },
            charset: Charset::Lines,
        }
    }

    pub(crate) fn check(&self, text: &str) -> Result<(), Broken> {
        let classes = charset::classes(text);
        // Nearly every value is ASCII of its charset and as long as it may be; whatever is not is told exactly below.
        if self.charset.is_among(classes) && self.length.allows(text.len()) {
            return self.kind.check(text, classes);
        }
        self.length.check(text)?;
        self.charset.check(text)?;
        self.kind.check(text, classes)
    }

    /// A free text made to fit: forbidden characters become spaces, the rest is cut. For texts that explain, never for values.
    pub(crate) fn fit(&self, text: &str) -> String {
        let mut fitted = String::new();
        for c in text.chars().take(self.length.max) {
            let allowed = self.charset.allows(c) && c != '|';
            let c = if allowed { c } else { ' ' };
            if self.length.bytes_max.is_some_and(|max| fitted.len() + c.len_utf8() > max) {
                break;
            }
            fitted.push(c);
        }
        fitted
    }
}

fn code(values: &[String], text: &str) -> Result<(), Broken> {
    if values.iter().any(|value| value == text) {
        return Ok(());
    }
    Err(Broken::new("field.code", format!("expected one of {}", values.join(", "))))
}

/// Lower-case hex.
pub(crate) fn hex_encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Reads lower-case hex; `None` for anything else.
pub(crate) fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}
