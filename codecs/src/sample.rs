//! Samples: text files beside each spec, with what is expected of them, then the exact bytes of one message.
//!
//! `name: value` lines, `---`, the bytes as text (one line end at the end of the file is not part of them) or as hex:
//!
//! ```text
//! expect: ok                                  or a rule, with ` at <field>` and ` offset <n>` where they matter
//! source: where the bytes come from
//! sealing: off                                switches the spec, as a link can
//! suite: sm                                   the suite, where it is not the first
//! key: sm2-sign                               the key that verifies it, in keys/testdata/samples
//! user_id: 4000000001                         the user id of that key, where it is not the default
//! opens: sm2-seal                             the key that opens it
//! verdict: signature.invalid                  what the whole pipeline says of it with these keys; ok when absent
//! encoding: hex                               the bytes are written in hex
//! start: POST /v1/debit                       or `start: 200`; queues have none
//! header: idempotency-key = K1
//! field: GrpHdr/MsgId = 203001026600001234    a line of `describe`
//! payment: amount = 1234                      an attribute in its canonical text, or operation, outcome
//! ```

use crate::error::ParseError;
use crate::field::hex_decode;
use crate::payment::{Attribute, Outcome, Payment};
use crate::spec::Spec;
use crate::wire::{Start, Wire};
use std::sync::Arc;

/// One sample, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    pub codec: String,
    pub file: String,
    pub expect: String,
    pub source: String,
    pub sealing: Option<bool>,
    /// Suite of the spec; the first when empty.
    pub suite: String,
    /// Names of the keys that verify and open it; empty when none is given.
    pub key: String,
    pub opens: String,
    /// User id of the key that verifies it.
    pub user_id: Option<String>,
    /// The rule by which verifying or opening refuses it, or `ok`.
    pub verdict: String,
    pub fields: Vec<(String, String)>,
    pub payment: Vec<(String, String)>,
    pub wire: Wire,
}

/// Every sample built into the binary; a file that cannot be taken apart is an error that names it.
pub fn embedded() -> Result<Vec<Sample>, String> {
    crate::embedded::SAMPLES
        .iter()
        .map(|(codec, file, text)| Sample::parse(codec, file, text))
        .collect()
}

impl Sample {
    pub fn parse(codec: &str, file: &str, text: &str) -> Result<Self, String> {
        let (head, body) = text
            .split_once("\n---\n")
            .ok_or_else(|| format!("{codec}/{file}: no line ---"))?;
        let body = body.strip_suffix('\n').unwrap_or(body);
        let mut sample = Self {
            codec: codec.to_owned(),
            file: file.to_owned(),
            expect: String::new(),
            source: String::new(),
            sealing: None,
            suite: String::new(),
            key: String::new(),
            opens: String::new(),
            user_id: None,
            verdict: "ok".to_owned(),
            fields: Vec::new(),
            payment: Vec::new(),
            wire: Wire::queue(body.as_bytes().to_vec()),
        };
        for line in head.lines() {
            sample
                .line(line, body)
                .ok_or_else(|| format!("{codec}/{file}: cannot read `{line}`"))?;
        }
        let complete = !sample.expect.is_empty() && !sample.source.is_empty();
        if complete {
            Ok(sample)
        } else {
            Err(format!("{codec}/{file}: `expect` and `source` are required"))
        }
    }

    /// Whether the message is meant to be refused.
    pub fn is_wrong(&self) -> bool {
        self.expect != "ok" || self.verdict != "ok"
    }

    /// Parses the bytes and compares with what is expected; the error says how they differ.
    pub fn check(&self, spec: &Arc<Spec>) -> Result<(), String> {
        let spec = self
            .suited(spec)
            .ok_or_else(|| format!("{}/{}: no suite {}", self.codec, self.file, self.suite))?;
        let switched = self.sealing.map(|on| spec.with_sealing(on));
        let spec = switched.as_ref().unwrap_or(spec);
        let found = self.outcome(spec);
        let place = format!("{}/{}", self.codec, self.file);
        match found {
            Ok(()) if self.expect == "ok" => Ok(()),
            Ok(()) => Err(format!("{place}: expected {}, but it was accepted", self.expect)),
            Err(error) if self.expects(&error) => Ok(()),
            Err(error) => Err(format!("{place}: expected {}, found {error}", self.expect)),
        }
    }

    /// The spec in the sample's suite.
    pub fn suited<'s>(&self, spec: &'s Arc<Spec>) -> Option<&'s Arc<Spec>> {
        if self.suite.is_empty() {
            Some(spec)
        } else {
            spec.in_suite(&self.suite)
        }
    }

    fn line(&mut self, line: &str, body: &str) -> Option<()> {
        let (name, value) = line.split_once(": ")?;
        let pair = || {
            value
                .split_once(" = ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        match name {
            "expect" => value.clone_into(&mut self.expect),
            "source" => value.clone_into(&mut self.source),
            "note" => {}
            "key" => value.clone_into(&mut self.key),
            "opens" => value.clone_into(&mut self.opens),
            "user_id" => self.user_id = Some(value.to_owned()),
            "verdict" => value.clone_into(&mut self.verdict),
            "suite" => value.clone_into(&mut self.suite),
            "sealing" => self.sealing = Some(value == "on"),
            "encoding" => self.wire.body = hex_decode(body).filter(|_| value == "hex")?,
            "header" => self.wire.headers.push(pair()?),
            "field" => self.fields.push(pair()?),
            "payment" => self.payment.push(pair()?),
            "start" => self.wire.start = start(value)?,
            _ => return None,
        }
        Some(())
    }

    /// Whether its bytes are a capsule, which only its key opens; without one they are what is inside.
    pub fn is_capsule(&self, spec: &Spec) -> bool {
        spec.capsule().is_some() && !self.opens.is_empty()
    }

    fn outcome(&self, spec: &Spec) -> Result<(), ParseError> {
        if self.is_capsule(spec) {
            return spec.sealed_content(&self.wire).map(drop);
        }
        let message = spec.parse(&self.wire)?;
        let described = message.describe(false);
        for (path, value) in &self.fields {
            let found = described
                .iter()
                .find(|field| field.path == *path)
                .map(|field| field.value.as_str());
            if found != Some(value) {
                return Err(differs(path, value, found));
            }
        }
        // What is sealed can be told only by who has the key.
        if !self.payment.is_empty() && self.opens.is_empty() {
            self.check_payment(&message.payment()?)?;
        }
        message.signed_text().map(drop)
    }

    /// Compares the payment with what the sample says of it.
    pub fn check_payment(&self, payment: &Payment) -> Result<(), ParseError> {
        for (name, value) in &self.payment {
            let found = canonical(payment, name);
            if found.as_ref() != Some(value) {
                return Err(differs(name, value, found.as_deref()));
            }
        }
        Ok(())
    }

    fn expects(&self, error: &ParseError) -> bool {
        let (expected, offset) = match self.expect.split_once(" offset ") {
            Some((expected, offset)) => (expected, offset.parse::<usize>().ok()),
            None => (self.expect.as_str(), None),
        };
        let (rule, field) = match expected.split_once(" at ") {
            Some((rule, field)) => (rule, Some(field)),
            None => (expected, None),
        };
        rule == error.rule && (field.is_none() || field == error.field.as_deref()) && (offset.is_none() || offset == error.offset)
    }
}

fn start(text: &str) -> Option<Start> {
    if let Ok(status) = text.parse() {
        return Some(Start::Status(status));
    }
    let (method, target) = text.split_once(' ')?;
    Some(Start::Request {
        method: method.to_owned(),
        target: target.to_owned(),
    })
}

fn canonical(payment: &Payment, name: &str) -> Option<String> {
    match name {
        "operation" => Some(payment.operation.name().to_owned()),
        "outcome" => payment.outcome.as_ref().map(|outcome| match outcome {
            Outcome::Failed { reason, text } => format!("failed {reason}: {text}"),
            Outcome::Success | Outcome::Unknown => outcome.name().to_owned(),
        }),
        _ => payment.value(Attribute::parse(name)?).map(crate::payment::Value::canonical),
    }
}

fn differs(field: &str, expected: &str, found: Option<&str>) -> ParseError {
    let detail = format!("expected {expected}, found {}", found.unwrap_or("nothing"));
    ParseError {
        rule: "sample.differs",
        field: Some(field.to_owned()),
        offset: None,
        detail,
    }
}
