//! One line of `store.log`, and the chain that the lines form. Knows nothing of what a record means.

use super::refusal::Refusal;
use crate::hex;
use crate::sm3::sm3;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// One record: a line of JSON. `previous` is the SM3 of the whole line before, without its line feed, in hex.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub number: u64,
    pub previous: String,
    /// When it was written, by the writer's clock; never before the record before.
    pub at: Stamp,
    pub kind: Kind,
    /// The exact text that the signatures cover; JSON.
    pub content: String,
    pub signatures: Vec<Signed>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Genesis,
    Proposal,
    Approval,
    Withdrawal,
    Checkpoint,
}

/// An officer's signature (r||s in hex) over a record's kind and content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub officer: String,
    pub signature: String,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Proposal => "proposal",
            Self::Approval => "approval",
            Self::Withdrawal => "withdrawal",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// What a signature covers. The kind is in it, so that no approval can be shown as something else.
    pub fn signed_text(self, content: &str) -> String {
        format!("{HEADER}\n{}\n{content}", self.name())
    }
}

/// A whole second in UTC, written as RFC 3339 in one form only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stamp(OffsetDateTime);

impl Stamp {
    pub fn new(at: OffsetDateTime) -> Self {
        let utc = at.to_offset(UtcOffset::UTC);
        Self(utc.replace_nanosecond(0).unwrap_or(utc))
    }

    pub fn at(self) -> OffsetDateTime {
        self.0
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.0.format(&Rfc3339).unwrap_or_default()
    }
}

impl TryFrom<String> for Stamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(|error| error.to_string())?;
        let stamp = Self::new(at);
        if String::from(stamp) == text {
            Ok(stamp)
        } else {
            Err(format!("{text} is not a whole second in UTC as RFC 3339 writes it"))
        }
    }
}

/// The record at which a log stops being valid, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("record {number}: {refusal}")]
pub struct Broken {
    pub number: u64,
    pub refusal: Refusal,
}

/// Records whose chain holds. Signatures and rules are the fold's business.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    records: Vec<Record>,
    heads: Vec<String>,
    whole_bytes: usize,
    torn_bytes: usize,
}

impl Log {
    /// Reads the bytes of a log. What follows the last line feed was never written whole, and does not count.
    pub fn read(bytes: &[u8]) -> Result<Self, Broken> {
        let whole_bytes = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, torn) = bytes.split_at(whole_bytes);
        let text = str::from_utf8(whole).map_err(|_| broken(0, Refusal::Form("is not text".to_owned())))?;
        let mut lines = text.split_terminator('\n');
        let header = lines.next().unwrap_or_default();
        if header != HEADER {
            return Err(broken(0, Refusal::Version(header.chars().take(40).collect())));
        }
        let mut log = Self {
            records: Vec::new(),
            heads: Vec::new(),
            whole_bytes,
            torn_bytes: torn.len(),
        };
        for line in lines {
            log.take(line).map_err(|refusal| broken(log.length(), refusal))?;
        }
        Ok(log)
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    pub fn length(&self) -> u64 {
        self.records.len() as u64
    }

    /// The hash of a record's line.
    pub fn head_at(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number).ok()?;
        self.heads.get(index).map(String::as_str)
    }

    /// The hash that the next record names.
    pub fn head(&self) -> String {
        self.heads.last().cloned().unwrap_or_else(|| hash(HEADER))
    }

    /// Bytes up to the last line feed.
    pub fn whole_bytes(&self) -> usize {
        self.whole_bytes
    }

    /// Bytes behind the last line feed, which a crash left.
    pub fn torn_bytes(&self) -> usize {
        self.torn_bytes
    }

    /// The log with one line more.
    pub(super) fn with_line(&self, line: &str) -> Result<Self, Refusal> {
        let mut log = self.clone();
        log.take(line)?;
        log.whole_bytes += line.len() + 1;
        log.torn_bytes = 0;
        Ok(log)
    }

    fn take(&mut self, line: &str) -> Result<(), Refusal> {
        let record = Record::read(line)?;
        if record.number != self.length() {
            return Err(Refusal::Number(record.number));
        }
        if record.previous != self.head() {
            return Err(Refusal::Chain);
        }
        if self.records.last().is_some_and(|last| record.at < last.at) {
            return Err(Refusal::Clock);
        }
        self.records.push(record);
        self.heads.push(hash(line));
        Ok(())
    }
}

impl Record {
    /// A line that is exactly what this program writes for the record it holds: nothing can hide in blanks or order.
    fn read(line: &str) -> Result<Self, Refusal> {
        let record: Self = serde_json::from_str(line).map_err(|error| Refusal::Form(error.to_string()))?;
        if record.line()? == line {
            Ok(record)
        } else {
            Err(Refusal::Form("is not written in the one form that a record has".to_owned()))
        }
    }

    pub(super) fn line(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|error| Refusal::Form(error.to_string()))
    }
}

pub(super) fn hash(text: &str) -> String {
    hex::encode(&sm3(&[text.as_bytes()]))
}

fn broken(number: u64, refusal: Refusal) -> Broken {
    Broken { number, refusal }
}

/// First line of a log, and of every text that officers sign.
pub(super) const HEADER: &str = "hangu-key-store 1";
