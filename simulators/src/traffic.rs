//! Recorded traffic: what was paid, when, and with what outcome, without anybody's name in it; and its replay.
//!
//! A file has one JSON object a line: [`Head`], then a [`Line`] for each exchange in the order of acceptance. Customers are
//! numbers of simulated ones, institutions are numbers of invented ones; no byte and no id of the recorded messages is kept.
//! A replay makes each message anew, with test keys and ids of its own, keeps order and pauses, lets the other side answer as
//! it did, and compares the gateway's outcome with the recorded one.

pub mod mask;
pub mod replay;

#[cfg(test)]
mod tests;

use codecs::payment::Operation;
use serde::{Deserialize, Serialize};

/// The first line of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The format's version: 1.
    pub hangu_traffic: u32,
    pub exchanges: usize,
    /// What the journal held beside them: other links, messages that cannot be opened.
    pub left_out: usize,
}

/// Who began an exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Centre,
    Platform,
}

/// One exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Since the first one's acceptance.
    pub at_ms: u64,
    pub by: By,
    pub operation: String,
    pub institution: usize,
    /// Number of the simulated customer.
    pub person: u64,
    pub amount_fen: i64,
    /// Place of the original among the lines, from 0; of what names an original that was not recorded there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
    /// The original had been answered when this one came, so a replay waits for that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub after_answer: bool,
    /// How long the other side took; absent where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_ms: Option<u64>,
    /// `success`, `failed` or `unknown`.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A file that is no recording.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct Unreadable {
    pub line: usize,
    pub text: String,
}

/// A recording as the text of its file.
pub fn write(lines: &[Line], left_out: usize) -> String {
    let head = Head {
        hangu_traffic: VERSION,
        exchanges: lines.len(),
        left_out,
    };
    let mut text = json(&head);
    for line in lines {
        text.push_str(&json(line));
    }
    text
}

/// A file's lines, each of which can be played.
pub fn read(text: &str) -> Result<Vec<Line>, Unreadable> {
    let mut rows = (1..).zip(text.lines());
    let bad = |line: usize, text: String| Unreadable { line, text };
    let (_, head) = rows.next().ok_or_else(|| bad(1, "the file is empty".to_owned()))?;
    let head: Head = serde_json::from_str(head).map_err(|error| bad(1, format!("no head of a recording: {error}")))?;
    if head.hangu_traffic != VERSION {
        return Err(bad(
            1,
            format!("version {}; this program reads {VERSION}", head.hangu_traffic),
        ));
    }
    let mut lines: Vec<Line> = Vec::new();
    for (number, row) in rows {
        let line: Line = serde_json::from_str(row).map_err(|error| bad(number, error.to_string()))?;
        check(&line, lines.as_slice()).map_err(|text| bad(number, text))?;
        lines.push(line);
    }
    if lines.len() == head.exchanges {
        return Ok(lines);
    }
    let text = format!(
        "{} exchanges, where the head says {}: the file was cut",
        lines.len(),
        head.exchanges
    );
    Err(bad(lines.len() + 1, text))
}

fn check(line: &Line, before: &[Line]) -> Result<(), String> {
    let operation = Operation::parse(&line.operation).filter(|operation| PLAYED.contains(operation));
    if operation.is_none() {
        return Err(format!("`operation`: `{}` cannot be played", line.operation));
    }
    if line.of.is_some_and(|of| of >= before.len()) {
        return Err("`of`: an original stands before what is about it".to_owned());
    }
    if before.last().is_some_and(|last| last.at_ms > line.at_ms) {
        return Err("`at_ms`: earlier than the line before".to_owned());
    }
    match line.outcome.as_str() {
        "success" | "failed" | "unknown" => Ok(()),
        other => Err(format!("`outcome`: `{other}` is none of success, failed, unknown")),
    }
}

fn json(value: &impl Serialize) -> String {
    // Plain numbers and texts can always be written.
    serde_json::to_string(value).map_or_else(|_| String::new(), |text| text + "\n")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const VERSION: u32 = 1;
/// What a recording may hold: everything that a party begins and that has an outcome.
pub const PLAYED: [Operation; 8] = [
    Operation::Sign,
    Operation::Verify,
    Operation::Terminate,
    Operation::Debit,
    Operation::Credit,
    Operation::Refund,
    Operation::Cancel,
    Operation::Query,
];
