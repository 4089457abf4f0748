//! Latencies: of one scenario each request with its bar, of a whole run a histogram and the percentiles of each operation.

use super::super::{Span, Verdict};
use super::{Language, text};
use crate::page::chart::{self, Axes};
use crate::page::{escaped, table};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What the gateway answered, over all scenarios; and in the table also what it waited for.
pub(super) fn of_all(verdicts: &[Verdict], language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let mut asked = Group::default();
    let mut groups: BTreeMap<(bool, &str, &str, &str), Group> = BTreeMap::new();
    for span in verdicts.iter().flat_map(|verdict| &verdict.spans) {
        if span.is_asked() {
            asked.add(span);
        }
        let key = (!span.is_asked(), &*span.from, &*span.to, &*span.operation);
        groups.entry(key).or_default().add(span);
    }
    let Some(histogram) = asked.took_us.filter(|histogram| !histogram.is_empty()) else {
        return String::new();
    };
    let axes = Axes {
        across: t("latency_ms"),
        up: t("requests"),
    };
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|((_, from, to, operation), group)| group.row(&name(from, to, operation, language)))
        .collect();
    let titles = [
        t("request"),
        t("requests"),
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        t("unanswered"),
    ];
    format!(
        "<h2>{}</h2>\n<p class=\"note\">{}</p>\n<figure>{}</figure>\n{}",
        t("latency"),
        t("latency_note"),
        chart::histogram(&histogram, axes),
        table(&titles, &rows)
    )
}

/// Each request of a scenario, in the order of their sending.
pub(super) fn of_one(verdict: &Verdict, language: Language) -> String {
    let names: Vec<String> = verdict
        .spans
        .iter()
        .map(|span| plain_name(&span.from, &span.to, &span.operation, language))
        .collect();
    // The run began with setting the stage; nobody waited for that.
    let began = verdict.spans.iter().map(|span| span.sent_us).min().unwrap_or(0);
    let since = |us: u64| us.saturating_sub(began);
    let rows: Vec<chart::Span<'_>> = verdict
        .spans
        .iter()
        .zip(&names)
        .map(|(span, name)| chart::Span {
            name,
            told: told(span, language),
            is_inner: !span.is_asked(),
            is_good: span.outcome.is_empty() || span.outcome == "success",
            sent_us: since(span.sent_us),
            first_us: span.first_us.map(since),
            last_us: span.last_us.map(since),
        })
        .collect();
    let ends = rows.iter().flat_map(|row| [Some(row.sent_us + 1), row.first_us, row.last_us]);
    let length = ends.flatten().max().unwrap_or(0);
    let rest = |count: usize| format!("+{count}");
    let drawn = chart::spans(&rows, length, text("run_ms", language), rest);
    if drawn.is_empty() {
        return drawn;
    }
    format!(
        "<h3>{}</h3>\n<figure>{drawn}<figcaption>{}</figcaption></figure>\n",
        text("latency", language),
        legend(language)
    )
}

fn legend(language: Language) -> String {
    let part = |class: &str, key: &'static str| format!("<i class=\"{class}\"></i> {} ", text(key, language));
    [
        part("outer", "of_gateway"),
        part("inner", "by_gateway"),
        part("waits", "after_processing"),
        part("open", "unanswered"),
    ]
    .concat()
}

fn told(span: &Span, language: Language) -> String {
    let Some(took) = span.took_us() else {
        return text("unanswered", language).to_owned();
    };
    // Why it failed is said beside the message; here there is no room for it.
    let outcome = span.outcome.split([':', ')']).next().unwrap_or_default().replace('(', "");
    format!("{:.1} ms  {outcome}", took as f64 / 1000.0)
}

fn plain_name(from: &str, to: &str, operation: &str, language: Language) -> String {
    format!("{} \u{2192} {}  {operation}", text(from, language), text(to, language))
}

fn name(from: &str, to: &str, operation: &str, language: Language) -> String {
    format!(
        "{} &rarr; {} <b>{}</b>",
        escaped(text(from, language)),
        escaped(text(to, language)),
        escaped(operation)
    )
}

/// Latencies of one kind.
#[derive(Default)]
struct Group {
    took_us: Option<Histogram<u64>>,
    unanswered: u64,
}

impl Group {
    fn add(&mut self, span: &Span) {
        let Some(took) = span.took_us() else {
            self.unanswered += 1;
            return;
        };
        if self.took_us.is_none() {
            self.took_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS).ok();
        }
        if let Some(histogram) = &mut self.took_us {
            histogram.saturating_record(took.max(1));
        }
    }

    fn row(&self, name: &str) -> Vec<String> {
        let answered = self.took_us.as_ref().map_or(0, Histogram::len);
        let at = |quantile: f64| {
            let value = self.took_us.as_ref().map(|histogram| histogram.value_at_quantile(quantile));
            value.map_or_else(|| "-".to_owned(), |us| format!("{:.1}", us as f64 / 1000.0))
        };
        let mut cells = vec![name.to_owned(), (answered + self.unanswered).to_string()];
        cells.extend([0.5, 0.9, 0.99, 1.0].map(at));
        cells.push(self.unanswered.to_string());
        cells
    }
}

const DIGITS: u8 = 3;
const LATENCY_US_MAX: u64 = 3_600_000_000;
