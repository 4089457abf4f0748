//! What became of a planned payment.

use crate::mix::{Flow, Planned};
use codecs::payment::{Operation, Outcome};
use serde::Serialize;
use std::time::Duration;

/// One request of a played payment and its answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlayedMessage {
    pub operation: String,
    pub msg_id: String,
    pub end_to_end_id: String,
    /// `success`, `failed`, `unknown`.
    pub outcome: String,
    /// Our reason and the counterparty's text, when it failed.
    pub detail: String,
    /// It was first answered "processing".
    pub interim: bool,
    /// Until the first answer, and until the final one.
    pub first_ms: Option<u64>,
    pub final_ms: Option<u64>,
    /// How often the bytes were sent.
    pub sends: u32,
}

/// A played payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Played {
    pub n: u64,
    pub flow: Flow,
    pub operation: String,
    pub shape: String,
    pub institution: String,
    pub messages: Vec<PlayedMessage>,
    /// Every answer was the one that the plan expects.
    pub as_expected: bool,
    /// What was not as expected.
    pub complaint: Option<String>,
    /// What became of repeats and of messages that get no answer.
    pub remarks: Vec<String>,
    /// Of the first request, until its final answer; `None` when none came.
    pub latency: Option<Duration>,
}

/// What was sent and what came back, before it is judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchanged {
    pub operation: Operation,
    pub msg_id: String,
    pub end_to_end_id: String,
    pub outcome: Outcome,
    pub interim: bool,
    pub first: Option<Duration>,
    pub last: Option<Duration>,
    pub sends: u32,
}

impl Exchanged {
    fn message(&self) -> PlayedMessage {
        let detail = match &self.outcome {
            Outcome::Failed { reason, text } => format!("{reason}: {text}"),
            Outcome::Success | Outcome::Unknown => String::new(),
        };
        let milliseconds = |spent: Duration| u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        PlayedMessage {
            operation: self.operation.name().to_owned(),
            msg_id: self.msg_id.clone(),
            end_to_end_id: self.end_to_end_id.clone(),
            outcome: self.outcome.name().to_owned(),
            detail,
            interim: self.interim,
            first_ms: self.first.map(milliseconds),
            final_ms: self.last.map(milliseconds),
            sends: self.sends,
        }
    }
}

/// Collects the steps of one planned payment and what was wrong with them.
pub(crate) struct Script<'a> {
    planned: &'a Planned,
    exchanged: Vec<Exchanged>,
    complaint: Option<String>,
    remarks: Vec<String>,
}

impl<'a> Script<'a> {
    pub(crate) const fn new(planned: &'a Planned) -> Self {
        Self {
            planned,
            exchanged: Vec::new(),
            complaint: None,
            remarks: Vec::new(),
        }
    }

    /// Notes a step that must succeed.
    pub(crate) fn succeeds(&mut self, step: Exchanged) {
        self.expect(step, "success");
    }

    /// Notes a step that must be refused.
    pub(crate) fn fails(&mut self, step: Exchanged) {
        self.expect(step, "failed");
    }

    /// Notes a step that ends as the plan says.
    pub(crate) fn ends(&mut self, step: Exchanged) {
        let expected = if self.planned.refusal.is_some() { "failed" } else { "success" };
        self.expect(step, expected);
    }

    /// Notes a step without an expectation.
    pub(crate) fn note(&mut self, step: Exchanged) {
        self.exchanged.push(step);
    }

    pub(crate) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    pub(crate) fn complain(&mut self, complaint: impl Into<String>) {
        self.complaint.get_or_insert_with(|| complaint.into());
    }

    pub(crate) fn played(self) -> Played {
        let planned = self.planned;
        let latency = self.exchanged.first().and_then(|step| step.last);
        Played {
            n: planned.n,
            flow: planned.flow,
            operation: planned.shape.operation().name().to_owned(),
            shape: planned.shape.name(),
            institution: planned.institution.id.to_owned(),
            messages: self.exchanged.iter().map(Exchanged::message).collect(),
            as_expected: self.complaint.is_none(),
            complaint: self.complaint,
            remarks: self.remarks,
            latency,
        }
    }

    fn expect(&mut self, step: Exchanged, expected: &str) {
        if step.outcome.name() != expected {
            let text = match &step.outcome {
                Outcome::Failed { reason, text } => format!("failed ({reason}: {text})"),
                Outcome::Success | Outcome::Unknown => step.outcome.name().to_owned(),
            };
            self.complain(format!("{} {}: expected {expected}, was {text}", step.operation, step.msg_id));
        }
        self.exchanged.push(step);
    }
}
