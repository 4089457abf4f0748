//! What came of each institution with a link of its own: a row for people, an object for programs.

use super::Performance;
use crate::cli::demo::stage::End;
use codecs::payment::{Money, Operation};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) struct Row {
    pub(crate) codec: String,
    suite: String,
    payments: u64,
    succeeded: u64,
    failed: u64,
    unknown: u64,
    amount_fen: i64,
    /// Messages of the institution whose signature the gateway accepted, and messages of ours that the institution verified.
    pub(crate) checked_by_us: u64,
    pub(crate) checked_by_it: u64,
    mean_ms: f64,
}

pub(crate) fn rows(end: &End) -> Vec<Row> {
    end.performances.iter().map(|performance| Row::of(performance, end)).collect()
}

pub(crate) fn title() -> String {
    format!(
        "{:<17}{:<8}{:>9}{:>9}{:>8}{:>9}{:>16}{:>16}{:>11}",
        "institution", "suite", "payments", "success", "failed", "unknown", "we verified", "it verified", "mean"
    )
}

impl Row {
    fn of(performance: &Performance, end: &End) -> Self {
        let payments: Vec<_> = performance
            .played
            .iter()
            .filter(|played| played.operation != Operation::Notice)
            .collect();
        let ended = |name: &str| payments.iter().filter(|played| played.outcome == name).count() as u64;
        let latencies: Vec<f64> = payments
            .iter()
            .filter_map(|played| played.latency)
            .map(|latency: Duration| latency.as_secs_f64() * 1000.0)
            .collect();
        let amounts = performance.book.entries.values().filter(|entry| entry.outcome == "success");
        let total = amounts.fold(Money::ZERO, |sum, entry| {
            sum.checked_add(Money::from_fen(entry.amount_fen)).unwrap_or(sum)
        });
        Self {
            codec: performance.codec.clone(),
            suite: performance.suite.clone(),
            payments: payments.len() as u64,
            succeeded: ended("success"),
            failed: ended("failed"),
            unknown: ended("unknown"),
            amount_fen: total.fen(),
            checked_by_us: end.received_by.get(&performance.codec).copied().unwrap_or(0),
            checked_by_it: performance.figures.verified,
            mean_ms: latencies.iter().sum::<f64>() / (latencies.len().max(1) as f64),
        }
    }

    pub(crate) fn json(&self) -> (String, Value) {
        let row = json!({
            "suite": self.suite,
            "payments": self.payments,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "unknown": self.unknown,
            "amount_fen": self.amount_fen,
            "signature_checks": self.checked_by_us + self.checked_by_it,
            "signatures_verified_by_us": self.checked_by_us,
            "signatures_verified_by_it": self.checked_by_it,
            "mean_ms": self.mean_ms,
        });
        (self.codec.clone(), row)
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{:<17}{:<8}{:>9}{:>9}{:>8}{:>9}{:>16}{:>16}{:>8.1} ms",
            self.codec,
            self.suite,
            self.payments,
            self.succeeded,
            self.failed,
            self.unknown,
            self.checked_by_us,
            self.checked_by_it,
            self.mean_ms
        )
    }
}
