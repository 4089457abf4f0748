//! For a terminal: one line for a scenario that passed; for one that failed, why, and who sent what when.

use super::super::{Shown, Verdict};
use super::{Language, reasons, seconds};
use std::collections::BTreeSet;

/// One scenario.
pub fn line(verdict: &Verdict) -> String {
    let result = if verdict.passed { "ok    " } else { "FAILED" };
    let mut text = format!("{result} {:<48} {:>7} s\n", verdict.name, seconds(verdict.took_ms));
    if verdict.passed {
        return text;
    }
    for reason in reasons(verdict, Language::En) {
        text.push_str(&format!("  {reason}\n"));
    }
    text.push_str("  who sent what when (masked)\n");
    for shown in &verdict.timeline {
        text.push_str(&row(shown));
    }
    text
}

/// The last line of a run.
pub fn summary(verdicts: &[Verdict], seed: u64) -> String {
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
    let passed = verdicts.len() - failed.len();
    if failed.is_empty() {
        return format!("{passed} scenarios passed; seed {seed}");
    }
    let sources: BTreeSet<&str> = failed.iter().map(|verdict| verdict.source.as_str()).collect();
    let sources = sources.into_iter().collect::<Vec<_>>().join(" ");
    let again = format!("hangu sim run {sources} --seed {seed}");
    format!(
        "{passed} scenarios passed, {} FAILED; to run them again: {again}",
        failed.len()
    )
}

fn row(shown: &Shown) -> String {
    let mut what = shown.what.clone();
    for part in [&shown.outcome, &shown.remark].into_iter().filter(|part| !part.is_empty()) {
        what.push_str(&format!(", {part}"));
    }
    let told: Vec<String> = shown
        .fields
        .iter()
        .filter(|(name, _)| TOLD.contains(&name.as_str()))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let who = format!("{} -> {}", shown.from, shown.to);
    let first = format!("  {:>9} s  {who:<20} {what}\n", seconds(shown.at_ms));
    if told.is_empty() {
        return first;
    }
    format!("{first}{:36}{}\n", "", told.join(", "))
}

/// What tells one message from another; the HTML report and JSON have all fields.
const TOLD: [&str; 5] = ["msg_id", "end_to_end_id", "amount", "settlement_date", "original.msg_id"];
