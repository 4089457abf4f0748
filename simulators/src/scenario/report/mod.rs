//! Reports of a run: for a terminal, for programs, for `JUnit`'s readers, and one HTML file for people.

mod html;
mod junit;
mod text;

pub use html::html;
pub use junit::junit;
pub use text::{line, summary};

use super::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Zh,
    En,
}

/// Everything, for programs.
pub fn json(verdicts: &[Verdict]) -> Value {
    json!({
        "passed": verdicts.iter().filter(|verdict| verdict.passed).count(),
        "failed": verdicts.iter().filter(|verdict| !verdict.passed).count(),
        "scenarios": verdicts,
    })
}

#[derive(Deserialize)]
struct Text {
    en: String,
    zh: String,
}

/// A text of the reports by its key.
fn text(key: &str, language: Language) -> &str {
    static TEXTS: OnceLock<BTreeMap<String, Text>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| toml::from_str(include_str!("texts.toml")).unwrap_or_default());
    texts.get(key).map_or(key, |text| match language {
        Language::Zh => text.zh.as_str(),
        Language::En => text.en.as_str(),
    })
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// What can stand in XML and HTML; control characters are not allowed there.
fn escaped(text: &str) -> String {
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

/// Why a scenario failed, in lines: the step with what was expected and what came, or the checks that do not hold.
fn reasons(verdict: &Verdict, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(step) = verdict.failed_step() {
        lines.push(format!(
            "{} {}, {} {}: {}",
            text("step", language),
            step.number,
            text("line", language),
            step.line,
            step.text
        ));
        let with = |key: &'static str| move |line: &String| format!("  {}  {line}", text(key, language));
        lines.extend(step.expected.iter().map(with("expected")));
        lines.extend(step.came.iter().map(with("came")));
    }
    for check in verdict.checks.iter().filter(|check| !check.ok) {
        lines.push(format!("{}: {}", text(check.name, language), check.detail));
    }
    lines
}
