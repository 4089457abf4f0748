//! Scenarios: runs written as TOML, a list of steps with their counts.

#[cfg(test)]
mod tests;

use crate::fault::Fault;
use crate::mix::{Flow, Planned, Shape, chosen};
use codecs::payment::{Money, Operation};
use serde::{Deserialize, Serialize};

/// A scenario as written.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub about_zh: String,
    pub about_en: String,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// Some payments of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub operation: String,
    #[serde(default = "one")]
    pub count: u64,
    #[serde(default)]
    pub fault: Option<Fault>,
    #[serde(default)]
    pub amount_fen: Option<i64>,
    /// The cancel comes before its original.
    #[serde(default)]
    pub cancel_first: bool,
    /// The bank's platform starts it.
    #[serde(default)]
    pub from_platform: bool,
}

const fn one() -> u64 {
    1
}

/// Why a scenario was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("scenario: {0}")]
pub struct ScenarioError(pub String);

/// The scenarios that come with the program: file name and text.
pub const EMBEDDED: [(&str, &str); 3] = [
    ("first-day", include_str!("../scenarios/first-day.toml")),
    ("bad-messages", include_str!("../scenarios/bad-messages.toml")),
    ("repeats-and-cancels", include_str!("../scenarios/repeats-and-cancels.toml")),
];

impl Scenario {
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError(error.to_string()))?;
        for step in &scenario.steps {
            step.check()?;
        }
        Ok(scenario)
    }

    /// The payments of the scenario, numbered from `first`.
    pub fn plan(&self, seed: u64, first: u64) -> Vec<Planned> {
        let steps = self.steps.iter().flat_map(|step| (0..step.count).map(move |_| step));
        steps.zip(first..).filter_map(|(step, n)| step.planned(seed, n)).collect()
    }
}

impl Step {
    fn operation(&self) -> Option<Operation> {
        Operation::parse(&self.operation)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let refuse = |text: &str| Err(ScenarioError(format!("step {}: {text}", self.operation)));
        match self.operation() {
            None => refuse("no such operation"),
            Some(Operation::Notice | Operation::Status | Operation::Ack) => refuse("nobody answers this operation"),
            Some(operation) if self.cancel_first && operation != Operation::Cancel => refuse("cancel_first is for cancel"),
            Some(_) if self.amount_fen.is_some_and(|fen| fen <= 0) => refuse("amount_fen must be positive"),
            Some(_) if self.from_platform && self.fault.is_some() => refuse("faults are for what the centre sends"),
            Some(_) => Ok(()),
        }
    }

    fn planned(&self, seed: u64, n: u64) -> Option<Planned> {
        let mut planned = chosen(seed, n, self.operation()?, self.fault);
        if self.cancel_first {
            planned.shape = Shape::CancelFirst;
        }
        if self.from_platform {
            planned.flow = Flow::PlatformToCentre;
        }
        if let Some(fen) = self.amount_fen {
            planned.amount = Money::from_fen(fen);
        }
        Some(planned)
    }
}
