//! Reports of a run: for a terminal, for programs, for `JUnit`'s readers, and one HTML file for people.

mod html;
mod junit;
mod lanes; // of the HTML file: who sent what when
mod latency; // of the HTML file: how long it took
mod text;

pub use html::html;
pub use junit::junit;
pub use text::{line, summary};

pub use crate::page::Language;

use super::Verdict;
use crate::page::Texts;
use serde_json::{Value, json};

/// Everything, for programs.
pub fn json(verdicts: &[Verdict]) -> Value {
    json!({
        "passed": verdicts.iter().filter(|verdict| verdict.passed).count(),
        "failed": verdicts.iter().filter(|verdict| !verdict.passed).count(),
        "scenarios": verdicts,
    })
}

/// A text of the reports by its key.
fn text(key: &str, language: Language) -> &str {
    static TEXTS: Texts = Texts::of(include_str!("texts.toml"));
    TEXTS.text(key, language)
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Why a scenario failed, in lines: the step with what was expected and what came, or the checks that do not hold.
pub fn reasons(verdict: &Verdict, language: Language) -> Vec<String> {
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
