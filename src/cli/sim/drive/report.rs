//! What a load came to: an object for programs, tables for people.

use super::Settings;
use crate::cli::texts::{table, text, titles};
use serde_json::{Map, Value, json};
use simulators::drive::{Course, Group, Sample, Tally, html};
use simulators::page::Language;
use std::time::Duration;

pub(super) struct Report<'a> {
    pub(super) tally: &'a Tally,
    pub(super) settings: &'a Settings,
    /// For which arrivals came.
    pub(super) length: Duration,
    /// Until the last answer.
    pub(super) took: Duration,
    pub(super) samples: &'a [Sample],
}

impl Report<'_> {
    pub(super) fn is_as_planned(&self) -> bool {
        let tally = self.tally;
        tally.ended > 0 && tally.as_planned == tally.ended && tally.all.unknown == 0
    }

    /// Payments that ended, over the time until the last one did.
    fn per_second(&self) -> f64 {
        self.tally.ended as f64 / self.took.as_secs_f64().max(0.001)
    }

    pub(super) fn object(&self) -> Value {
        let tally = self.tally;
        let operations = tally.by_operation.iter().map(|(name, one)| (name.clone(), group(one)));
        json!({
            "rate": self.settings.rate, "seed": self.settings.seed, "arrivals_seconds": self.length.as_secs_f64(),
            "seconds": self.took.as_secs_f64(), "payments": tally.ended, "as_planned": tally.as_planned,
            "per_second": self.per_second(), "latency_from": "intended start",
            "driver_lag_max_ms": tally.lag_max.as_secs_f64() * 1000.0, "all": group(&tally.all),
            "by_operation": operations.collect::<Map<_, _>>(), "histogram_ms": histogram(&tally.all),
            "complaints": tally.complaints, "samples": self.samples,
        })
    }

    /// One file for people.
    pub(super) fn html(&self, language: Language) -> String {
        let course = Course {
            rate_per_s: self.settings.rate,
            seed: self.settings.seed,
            length: self.length,
            took: self.took,
            tally: self.tally,
            samples: self.samples,
        };
        html(&course, language)
    }

    pub(super) fn page(&self) -> String {
        let tally = self.tally;
        let mut rows: Vec<Vec<String>> = tally.by_operation.iter().map(|(name, one)| row(name, one)).collect();
        rows.push(row("all", &tally.all));
        let columns = ["drive.operation", "drive.success", "drive.failed", "drive.unknown"];
        let quantiles = QUANTILES.map(|(name, _)| name.to_owned());
        let titles: Vec<String> = titles(&columns).into_iter().chain(quantiles).collect();
        let head = format!(
            "{} {}, {:.1} /s {:.1} s; {} {}; {} {:.1} ms",
            tally.ended,
            text("drive.payments"),
            self.per_second(),
            self.took.as_secs_f64(),
            tally.as_planned,
            text("drive.as_planned"),
            text("drive.lag"),
            tally.lag_max.as_secs_f64() * 1000.0,
        );
        let complaints = tally.complaints.iter().map(|complaint| format!("  {complaint}"));
        let pages = [table(&titles, &rows), head, text("drive.from").to_string()];
        pages.into_iter().chain(complaints).collect::<Vec<_>>().join("\n")
    }
}

fn row(name: &str, group: &Group) -> Vec<String> {
    let counts = [group.success, group.failed, group.unknown].map(|count| count.to_string());
    let times = QUANTILES.map(|(_, quantile)| {
        if group.latency_us.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.1} ms", group.latency_ms(quantile))
        }
    });
    [name.to_owned()].into_iter().chain(counts).chain(times).collect()
}

fn group(group: &Group) -> Value {
    let mut latency: Map<String, Value> = QUANTILES
        .iter()
        .map(|(name, quantile)| ((*name).to_owned(), json!(group.latency_ms(*quantile))))
        .collect();
    latency.insert("mean".to_owned(), json!(group.latency_us.mean() / 1000.0));
    // What only ever follows another request of its payment has no latency from an intended start.
    let latency = Some(latency).filter(|_| !group.latency_us.is_empty());
    json!({
        "count": group.count(), "success": group.success, "failed": group.failed, "unknown": group.unknown,
        "latency_ms": latency,
    })
}

/// The recorded latencies with their counts: enough to draw the whole curve.
fn histogram(group: &Group) -> Value {
    let steps = group.latency_us.iter_recorded();
    let step = |step: hdrhistogram::iterators::IterationValue<u64>| {
        json!([step.value_iterated_to() as f64 / 1000.0, step.count_at_value()])
    };
    steps.map(step).collect()
}

const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];
