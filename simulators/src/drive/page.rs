//! A load as one HTML file: what it came to, latencies as a histogram and over time, rates, what waited, percentiles.

use super::sample::{Sample, thinned};
use super::{Group, Tally};
use crate::page::chart::{self, Axes, Series};
use crate::page::{Language, Texts, escaped, page, table};
use std::collections::BTreeSet;
use std::time::Duration;

/// A load that has ended.
pub struct Course<'a> {
    pub rate_per_s: u32,
    pub seed: u64,
    /// For which arrivals came.
    pub length: Duration,
    /// Until the last answer.
    pub took: Duration,
    pub tally: &'a Tally,
    pub samples: &'a [Sample],
}

pub fn html(course: &Course<'_>, language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let samples = thinned(course.samples, SAMPLES_MAX);
    let mut body = head(course, language);
    for complaint in &course.tally.complaints {
        body.push_str(&format!("<pre class=\"why\">{}</pre>\n", escaped(complaint)));
    }
    let parts = [
        ("latency", latency(course.tally, language)),
        ("latency_over_time", over_time(&samples, language)),
        ("rates", rates(&samples, language)),
        ("waiting", waiting(&samples, language)),
        ("memory", memory(&samples, language)),
    ];
    for (title, drawn) in parts.iter().filter(|(_, drawn)| !drawn.is_empty()) {
        body.push_str(&format!("<h2>{}</h2>\n<figure>{drawn}</figure>\n", t(title)));
    }
    body.push_str(&format!(
        "<h2>{}</h2>\n{}",
        t("operations"),
        operations(course.tally, language)
    ));
    page(t("title"), &body, language)
}

fn head(course: &Course<'_>, language: Language) -> String {
    let (t, tally) = (|key: &'static str| text(key, language), course.tally);
    let is_good = tally.as_planned == tally.ended && tally.all.unknown == 0;
    let class = if is_good { "good" } else { "bad" };
    let facts = [
        (t("rate"), format!("{} /s, {} s", course.rate_per_s, course.length.as_secs())),
        (
            t("reached"),
            format!("{:.1} /s, {:.1} s", per_second(course), course.took.as_secs_f64()),
        ),
        (t("lag"), format!("{:.1} ms", tally.lag_max.as_secs_f64() * 1000.0)),
        (t("seed"), course.seed.to_string()),
    ];
    let facts = facts.map(|(name, value)| format!("{name}: {value}")).join(" &nbsp; ");
    format!(
        "<p class=\"sum\"><b>{}</b> {} &nbsp; <b class=\"{class}\">{}</b> {} &nbsp; <b class=\"{class}\">{}</b> {}</p>\n\
         <p>{facts}</p>\n<p class=\"note\">{}</p>\n",
        tally.ended,
        t("payments"),
        tally.as_planned,
        t("as_planned"),
        tally.all.unknown,
        t("unknown"),
        t("note"),
    )
}

fn per_second(course: &Course<'_>) -> f64 {
    course.tally.ended as f64 / course.took.as_secs_f64().max(0.001)
}

fn latency(tally: &Tally, language: Language) -> String {
    let axes = Axes {
        across: text("latency_ms", language),
        up: text("payments", language),
    };
    chart::histogram(&tally.all.latency_us, axes)
}

fn over_time(samples: &[Sample], language: Language) -> String {
    let series = |name, tone, value: fn(&Sample) -> f64| Series {
        name,
        tone,
        // A second in which nothing ended has no latency.
        points: points(samples.iter().filter(|sample| sample.max_ms > 0.0), value),
    };
    let all = [
        series("max", 2, |sample| sample.max_ms),
        series("p99", 1, |sample| sample.p99_ms),
        series("p50", 0, |sample| sample.p50_ms),
    ];
    chart::lines(&all, true, axes("latency_ms", language))
}

/// A second, since neighbours may have been joined.
fn rates(samples: &[Sample], language: Language) -> String {
    let before = [0.0].into_iter().chain(samples.iter().map(|sample| sample.second));
    let seconds: Vec<f64> = samples
        .iter()
        .zip(before)
        .map(|(sample, before)| (sample.second - before).max(MOMENT))
        .collect();
    // The last look may come at once after the one before; a rate of so short a time says nothing.
    let whole = |(sample, seconds): (&Sample, &f64), count: u64| {
        (*seconds >= MOMENT * 2.0).then(|| (sample.second, count as f64 / seconds))
    };
    let series = |key: &'static str, tone, count: fn(&Sample) -> u64| Series {
        name: text(key, language),
        tone,
        points: samples
            .iter()
            .zip(&seconds)
            .filter_map(|pair| whole(pair, count(pair.0)))
            .collect(),
    };
    let all = [
        series("arrived", 0, |sample| sample.started),
        series("ended", 3, |sample| sample.ended),
        series("failed", 1, |sample| sample.failed),
        series("unknown", 2, |sample| sample.unknown),
    ];
    chart::lines(&all, false, axes("per_second", language))
}

fn waiting(samples: &[Sample], language: Language) -> String {
    let queues: BTreeSet<&str> = samples
        .iter()
        .flat_map(|sample| sample.queues.keys())
        .map(String::as_str)
        .collect();
    let mut all = vec![Series {
        name: text("under_way", language),
        tone: 0,
        points: points(samples.iter(), |sample| sample.under_way as f64),
    }];
    all.extend(queues.into_iter().zip(1..).map(|(queue, tone)| Series {
        name: queue,
        tone,
        points: points(samples.iter(), |sample| {
            sample.queues.get(queue).copied().unwrap_or_default() as f64
        }),
    }));
    chart::lines(&all, false, axes("payments", language))
}

fn memory(samples: &[Sample], language: Language) -> String {
    let held = Series {
        name: text("driver", language),
        tone: 4,
        points: points(samples.iter().filter(|sample| sample.memory_mb > 0.0), |sample| {
            sample.memory_mb
        }),
    };
    chart::lines(&[held], false, axes("megabytes", language))
}

fn points<'s>(samples: impl Iterator<Item = &'s Sample>, value: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    samples.map(|sample| (sample.second, value(sample))).collect()
}

fn axes(up: &'static str, language: Language) -> Axes<'static> {
    Axes {
        across: text("seconds", language),
        up: text(up, language),
    }
}

fn operations(tally: &Tally, language: Language) -> String {
    let row = |name: &str, group: &Group| {
        let mut cells = vec![escaped(name)];
        cells.extend([group.success, group.failed, group.unknown].map(|count| count.to_string()));
        cells.extend([0.5, 0.9, 0.99, 0.999, 1.0].map(|quantile| {
            if group.latency_us.is_empty() {
                "-".to_owned()
            } else {
                format!("{:.1}", group.latency_ms(quantile))
            }
        }));
        cells
    };
    let mut rows: Vec<Vec<String>> = tally.by_operation.iter().map(|(name, one)| row(name, one)).collect();
    rows.push(row(text("all", language), &tally.all));
    let counts = ["operation", "success", "failed", "unknown"].map(|key| text(key, language));
    let titles = [&counts[..], &["p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"]].concat();
    table(&titles, &rows)
}

fn text(key: &'static str, language: Language) -> &'static str {
    static TEXTS: Texts = Texts::of(include_str!("texts.toml"));
    TEXTS.text(key, language)
}

/// More of them would not be told apart.
const SAMPLES_MAX: usize = 450;
/// In seconds.
const MOMENT: f64 = 0.1;
