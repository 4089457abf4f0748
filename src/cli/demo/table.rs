//! The report of a run: a table for people, an object for programs (design section 12).

use super::Run;
use super::checks::{Check, checks};
use super::institutions;
use codecs::payment::Operation;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use simulators::report::Comparison;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A run, judged.
pub(crate) struct Report {
    payments: u64,
    seconds: f64,
    outcomes: BTreeMap<&'static str, u64>,
    books: Comparison,
    operations: Vec<OperationRow>,
    /// Through the centre.
    institutions: BTreeMap<String, InstitutionRow>,
    /// Over links of their own.
    direct: Vec<institutions::Row>,
    inside_us: Histogram<u64>,
    checks: Vec<Check>,
}

struct OperationRow {
    operation: Operation,
    count: u64,
    success: u64,
    failed: u64,
    inside_us: Histogram<u64>,
    total_us: Histogram<u64>,
}

#[derive(Default)]
struct InstitutionRow {
    payments: u64,
    succeeded: u64,
    failed: u64,
    unknown: u64,
    amount_fen: i64,
}

impl Report {
    pub(crate) fn of(run: &Run) -> Self {
        let end = &run.end;
        let books = simulators::report::compare(&end.centre_book, &end.gateway_book, &end.platform_book);
        let operations = operations(run);
        let mut inside_us = operations.first().map_or_else(empty, |row| row.inside_us.clone());
        inside_us.reset();
        for row in &operations {
            // All histograms are made alike, so adding cannot overflow one of them.
            let _added = inside_us.add(&row.inside_us).is_ok();
        }
        Self {
            payments: run.played.len() as u64,
            seconds: run.took.as_secs_f64(),
            outcomes: outcomes(run),
            checks: checks(run, &books),
            institutions: through_centre(run),
            direct: institutions::rows(&run.end),
            books,
            operations,
            inside_us,
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }

    pub(crate) fn json(&self) -> Value {
        let outcome = |name: &str| self.outcomes.get(name).copied().unwrap_or(0);
        json!({
            "payments": self.payments,
            "succeeded": outcome("success"),
            "failed": outcome("failed"),
            "unknown": outcome("unknown"),
            "lost": self.books.lost,
            "executed_twice": self.books.executed_twice,
            "books_equal": self.books.equal,
            "seconds": self.seconds,
            "tps": self.tps(),
            "latency_ms": latency(&self.inside_us),
            "by_operation": self.operations.iter().map(OperationRow::json).collect::<Map<_, _>>(),
            "by_institution": self.by_institution(),
            "differences": self.books.differences,
            "totals": self.books.totals,
            "checks": self.checks,
        })
    }

    fn by_institution(&self) -> Map<String, Value> {
        let through_centre = self.institutions.iter().map(InstitutionRow::json);
        through_centre
            .chain(self.direct.iter().map(institutions::Row::json))
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _head = writeln!(
            text,
            "\n{:<11}{:>7}{:>9}{:>8}{:>12}{:>11}{:>13}",
            "operation", "count", "success", "failed", "inside mean", "inside p99", "answered p99"
        );
        for row in &self.operations {
            let _row = writeln!(text, "{}", row.text());
        }
        let _title = writeln!(text, "\n{}", institutions::title());
        for row in &self.direct {
            let _row = writeln!(text, "{}", row.text());
        }
        let _rate = writeln!(
            text,
            "\n{} payments in {:.1} s, {:.0} a second; inside the gateway {:.1} ms mean, {:.1} ms p50, {:.1} ms p99, {:.1} ms max\n",
            self.payments,
            self.seconds,
            self.tps(),
            self.inside_us.mean() / 1000.0,
            milliseconds(self.inside_us.value_at_quantile(0.5)),
            milliseconds(self.inside_us.value_at_quantile(0.99)),
            milliseconds(self.inside_us.max()),
        );
        for check in &self.checks {
            let _check = writeln!(
                text,
                "{:<5}{:<44}{}",
                if check.ok { "ok" } else { "FAIL" },
                check.name,
                check.detail
            );
        }
        let verdict = if self.holds() {
            "Every check holds."
        } else {
            "A check FAILED."
        };
        text.push_str(verdict);
        text
    }

    fn tps(&self) -> f64 {
        self.payments as f64 / self.seconds.max(0.001)
    }
}

impl OperationRow {
    fn json(&self) -> (String, Value) {
        let row = json!({
            "count": self.count,
            "success": self.success,
            "failed": self.failed,
            "latency_ms": latency(&self.inside_us),
            "answered_ms": latency(&self.total_us),
        });
        (self.operation.name().to_owned(), row)
    }

    fn text(&self) -> String {
        format!(
            "{:<11}{:>7}{:>9}{:>8}{:>9.1} ms{:>8.1} ms{:>10.1} ms",
            self.operation.name(),
            self.count,
            self.success,
            self.failed,
            self.inside_us.mean() / 1000.0,
            milliseconds(self.inside_us.value_at_quantile(0.99)),
            milliseconds(self.total_us.value_at_quantile(0.99)),
        )
    }
}

impl InstitutionRow {
    fn json((institution, row): (&String, &Self)) -> (String, Value) {
        let Self {
            payments,
            succeeded,
            failed,
            unknown,
            amount_fen,
        } = row;
        let row = json!({
            "payments": payments, "succeeded": succeeded, "failed": failed, "unknown": unknown, "amount_fen": amount_fen,
        });
        (institution.clone(), row)
    }
}

fn operations(run: &Run) -> Vec<OperationRow> {
    let times = run.end.gateway.counters().operations();
    let row = |(operation, times): (Operation, hangu::exchange::OperationTimes)| OperationRow {
        operation,
        count: times.success + times.failed,
        success: times.success,
        failed: times.failed,
        inside_us: times.inside_us,
        total_us: times.total_us,
    };
    times.into_iter().map(row).collect()
}

/// The end of each played payment: that of its last message.
fn outcomes(run: &Run) -> BTreeMap<&'static str, u64> {
    let mut outcomes = BTreeMap::new();
    for played in &run.played {
        let name = match played.messages.last().map(|message| message.outcome.as_str()) {
            Some("success") => "success",
            Some("failed") => "failed",
            Some(_) | None => "unknown",
        };
        *outcomes.entry(name).or_default() += 1;
    }
    outcomes
}

/// By the gateway's journal: what it carried through the centre for each institution; the bank's own payments stand under
/// `bank`.
fn through_centre(run: &Run) -> BTreeMap<String, InstitutionRow> {
    let mut rows: BTreeMap<String, InstitutionRow> = BTreeMap::new();
    let is_direct = |key: &String| {
        run.end
            .performances
            .iter()
            .any(|direct| direct.book.entries.contains_key(key))
    };
    for (_, entry) in run.end.gateway_book.entries.iter().filter(|(key, _)| !is_direct(key)) {
        let name = if entry.institution.is_empty() {
            "bank"
        } else {
            &entry.institution
        };
        let row = rows.entry(name.to_owned()).or_default();
        row.payments += 1;
        match entry.outcome.as_str() {
            "success" => {
                row.succeeded += 1;
                row.amount_fen = row.amount_fen.saturating_add(entry.amount_fen);
            }
            "failed" => row.failed += 1,
            _ => row.unknown += 1,
        }
    }
    rows
}

fn latency(histogram: &Histogram<u64>) -> Value {
    json!({
        "mean": histogram.mean() / 1000.0,
        "p50": milliseconds(histogram.value_at_quantile(0.5)),
        "p99": milliseconds(histogram.value_at_quantile(0.99)),
        "max": milliseconds(histogram.max()),
    })
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn empty() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the constructor takes")]
    Histogram::new_with_bounds(1, TIME_US_MAX, 3).expect("fixed bounds")
}

/// Longer times count as an hour.
const TIME_US_MAX: u64 = 3_600_000_000;
