//! What a run came to: its steps, its final checks, and everything that was seen, masked.

use super::Scenario;
use super::kept::shown;
use super::span::Span;
use super::tape::Event;
use codecs::payment::{Attribute, Outcome, Payment, Value};
use serde::Serialize;

/// One scenario, run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verdict {
    pub name: String,
    pub institution: String,
    pub operation: String,
    pub about_zh: String,
    pub about_en: String,
    /// What `hangu sim run` is told to run it.
    pub source: String,
    pub seed: u64,
    pub passed: bool,
    pub took_ms: u64,
    /// The steps that were done; the last one is the one that failed, if one did.
    pub steps: Vec<Done>,
    /// What must hold at every end.
    pub checks: Vec<Check>,
    pub timeline: Vec<Shown>,
    /// Every request with the time until its answer.
    pub spans: Vec<Span>,
}

/// One step, done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Done {
    pub number: usize,
    pub line: usize,
    pub text: String,
    pub at_ms: u64,
    pub ok: bool,
    /// Of a failed step: what was expected, and what came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub came: Vec<String>,
}

/// One thing that must hold at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// A key of the report's texts.
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
}

/// One message of the timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    pub at_ms: u64,
    pub from: &'static str,
    pub to: &'static str,
    /// `debit request`, with the institution's code where it has one.
    pub what: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remark: String,
    pub bytes: usize,
    /// Field and value, masked.
    pub fields: Vec<(String, String)>,
}

impl Verdict {
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self {
            name: scenario.name.clone(),
            institution: scenario.institution.clone(),
            operation: scenario.operation.clone(),
            about_zh: scenario.about_zh.clone(),
            about_en: scenario.about_en.clone(),
            source: scenario.source.clone(),
            seed,
            passed: false,
            took_ms: 0,
            steps: Vec::new(),
            checks: Vec::new(),
            timeline: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// A scenario that could not be set up.
    #[must_use]
    pub fn unset(mut self, detail: impl Into<String>) -> Self {
        self.checks.push(Check {
            name: "set_up",
            ok: false,
            detail: detail.into(),
        });
        self
    }

    pub fn failed_step(&self) -> Option<&Done> {
        self.steps.iter().find(|step| !step.ok)
    }
}

impl Shown {
    pub fn of(event: &Event) -> Self {
        let seen = &event.seen;
        let (from, to) = if seen.is_sent {
            (seen.party, GATEWAY)
        } else {
            (GATEWAY, seen.party)
        };
        let message = seen.message.as_ref();
        Self {
            at_ms: event.at_ms,
            from,
            to,
            what: message.map_or_else(|| "no message".to_owned(), |message| what(message, seen.code())),
            outcome: message
                .and_then(|message| message.outcome.as_ref())
                .map_or_else(String::new, outcome),
            remark: seen.remark.clone(),
            bytes: seen.body.len(),
            fields: message.map(fields).unwrap_or_default(),
        }
    }
}

fn what(message: &Payment, code: &str) -> String {
    let plain = format!("{} {}", message.operation, message.role);
    if code.contains('.') {
        format!("{plain} {code}")
    } else {
        plain
    }
}

/// `failed (insufficient_funds: ...)`; the language says "processing" of what is unknown.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success => "success".to_owned(),
        Outcome::Unknown => "processing".to_owned(),
        Outcome::Failed { reason, text } if text.is_empty() => format!("failed ({reason})"),
        Outcome::Failed { reason, text } => format!("failed ({reason}: {text})"),
    }
}

fn fields(message: &Payment) -> Vec<(String, String)> {
    let shown = |(attribute, value): (Attribute, &Value)| (attribute.name().to_owned(), masked(attribute, &shown(value)));
    message.present().map(shown).collect()
}

/// A value as people may see it: of what names a person or an account, only the ends.
pub(super) fn masked(attribute: Attribute, text: &str) -> String {
    let mask = MASKED.iter().find(|(known, ..)| *known == attribute);
    mask.map_or_else(|| text.to_owned(), |&(_, first, last)| ends(text, first, last))
}

/// The first and last characters; a text that would be shown whole is hidden whole.
fn ends(text: &str, first: usize, last: usize) -> String {
    let length = text.chars().count();
    if length <= first + last {
        return "*".repeat(length);
    }
    let keep = |(at, c): (usize, char)| if at < first || at >= length - last { c } else { '*' };
    text.chars().enumerate().map(keep).collect()
}

/// Fields that name a person or an account, with how many characters are shown at either end.
const MASKED: [(Attribute, usize, usize); 7] = [
    (Attribute::PayerAccount, 6, 4),
    (Attribute::PayeeAccount, 6, 4),
    (Attribute::Agreement, 6, 4),
    (Attribute::PayerName, 1, 0),
    (Attribute::PayeeName, 1, 0),
    (Attribute::IdNumber, 3, 2),
    (Attribute::Mobile, 3, 4),
];
const GATEWAY: &str = "gateway";
