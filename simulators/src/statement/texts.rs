//! Headings and widths of the layouts, from `layouts.toml`, and amounts and charsets as they write them.

use super::lines::Period;
use serde::Deserialize;

/// The file as it stands; a test holds that it is whole.
#[derive(Deserialize)]
pub(super) struct Layouts {
    pub(super) wechat: Csv,
    pub(super) alipay: Alipay,
    pub(super) zm: Zm,
    pub(super) zme: Zm,
}

#[derive(Deserialize)]
pub(super) struct Csv {
    pub(super) columns: Vec<String>,
    pub(super) totals: Vec<String>,
    pub(super) goods: String,
}

#[derive(Deserialize)]
pub(super) struct Alipay {
    pub(super) detail_name: String,
    pub(super) summary_name: String,
    pub(super) detail_head: Vec<String>,
    pub(super) columns: Vec<String>,
    pub(super) detail_foot: Vec<String>,
    pub(super) summary_head: Vec<String>,
    pub(super) summary_columns: Vec<String>,
    pub(super) summary_foot: Vec<String>,
    pub(super) sum: String,
    pub(super) payment: String,
    pub(super) refund: String,
    pub(super) goods: String,
    /// Year, month, day.
    pub(super) date: [String; 3],
}

#[derive(Deserialize)]
pub(super) struct Zm {
    /// What each field is called, and how many bytes it has.
    pub(super) fields: Vec<(String, usize)>,
}

pub(super) fn layouts() -> Result<Layouts, String> {
    toml::from_str(include_str!("layouts.toml")).map_err(|error| error.to_string())
}

/// `12.05`, with a sign before it when it is below nothing.
pub(super) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// As a program writes a sum that it keeps as a fraction: `45.0`, `0.47`, `1.5`.
pub(super) fn trimmed_yuan(fen: i64) -> String {
    let text = yuan(fen);
    text.strip_suffix('0').unwrap_or(&text).to_owned()
}

/// Bytes in GBK; what it has no sign for is an error and never a question mark.
pub(super) fn gbk(text: &str) -> Result<Vec<u8>, String> {
    let (bytes, _, has_unmappable) = encoding_rs::GBK.encode(text);
    if has_unmappable {
        Err("a character has no place in GBK".to_owned())
    } else {
        Ok(bytes.into_owned())
    }
}

impl Period {
    /// Both ends as `yyyy<Y>MM<M>dd<D> HH:mm:ss`.
    pub(super) fn written(self, [year, month, day]: &[String; 3]) -> [String; 2] {
        self.bounds().map(|(date, hour)| {
            format!(
                "{:04}{year}{:02}{month}{:02}{day} {hour:02}:00:00",
                date.year(),
                u8::from(date.month()),
                date.day()
            )
        })
    }
}
