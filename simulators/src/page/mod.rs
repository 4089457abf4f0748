//! Reports for people: one HTML file in one language that needs no other file, no script and no network.
//!
//! It knows how a page begins and how a chart is drawn, and nothing of what is shown.

pub mod chart;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Zh,
    En,
}

/// Texts in both languages by their keys, read once.
pub struct Texts {
    source: &'static str,
    read: OnceLock<BTreeMap<String, Text>>,
}

#[derive(Deserialize)]
struct Text {
    en: String,
    zh: String,
}

impl Texts {
    /// Of a TOML table: `key = { en = "...", zh = "..." }`.
    pub const fn of(source: &'static str) -> Self {
        Self {
            source,
            read: OnceLock::new(),
        }
    }

    /// The text with this key; a key without one is shown as it is.
    pub fn text<'a>(&'a self, key: &'a str, language: Language) -> &'a str {
        let texts = self.read.get_or_init(|| toml::from_str(self.source).unwrap_or_default());
        texts.get(key).map_or(key, |text| match language {
            Language::Zh => text.zh.as_str(),
            Language::En => text.en.as_str(),
        })
    }
}

/// A whole page around a body.
pub fn page(title: &str, body: &str, language: Language) -> String {
    let lang = match language {
        Language::Zh => "zh-CN",
        Language::En => "en",
    };
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n",
        title = escaped(title),
    )
}

/// A table with a row of titles; cells are HTML already. All but the first columns hold numbers.
pub fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let row = |kind: &str, cells: &[String]| {
        let close = format!("</{kind}>");
        format!("<tr><{kind}>{}{close}</tr>\n", cells.join(&format!("{close}<{kind}>")))
    };
    let titles: Vec<String> = titles.iter().map(|title| escaped(title)).collect();
    let head = row("th", &titles);
    let rows: String = rows.iter().map(|cells| row("td", cells)).collect();
    format!("<table class=\"figures\">\n{head}{rows}</table>\n")
}

/// What can stand in XML and HTML; control characters are not allowed there.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

const STYLE: &str = include_str!("style.css");
