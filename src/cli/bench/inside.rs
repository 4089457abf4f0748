//! Times inside the gateway: from receipt to the confirmed reply, less the time away at the counterparty.
//!
//! A gateway in this process is asked for its histogram, one of its own for the buckets of /metrics. Both can be subtracted,
//! which is how the warm-up is left out.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Counts by time in microseconds, and the sum of all times.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Inside {
    counts: BTreeMap<u64, u64>,
    sum_us: f64,
}

impl Inside {
    pub(super) fn add(&mut self, times: &Histogram<u64>) {
        for step in times.iter_recorded() {
            let middle = times.median_equivalent(step.value_iterated_to());
            *self.counts.entry(middle).or_default() += step.count_at_value();
        }
        self.sum_us += times.mean() * times.len() as f64;
    }

    /// Adds the buckets of a page of metrics, over all operations.
    pub(super) fn add_page(&mut self, page: &str) {
        let mut below = Vec::new();
        for (labels, value) in page.lines().filter_map(|line| line.strip_prefix(BUCKETS)?.split_once("} ")) {
            let bound = labels
                .split_once("le=\"")
                .and_then(|(_, bound)| micros(bound.trim_end_matches('"')));
            if let (Some(bound), Ok(count)) = (bound, value.trim().parse::<u64>()) {
                below.push((bound, count));
            }
        }
        // Buckets are cumulative within an operation, whose bounds rise.
        let mut before = (0, 0);
        for (bound, count) in below {
            if bound <= before.0 {
                before = (0, 0);
            }
            let within = count.saturating_sub(before.1);
            if within > 0 {
                *self.counts.entry(middle(before.0, bound)).or_default() += within;
            }
            before = (bound, count);
        }
        let sums = page.lines().filter_map(|line| line.strip_prefix(SUM)?.split_once("} "));
        self.sum_us += sums.filter_map(|(_, value)| value.trim().parse::<f64>().ok()).sum::<f64>() * 1e6;
    }

    /// What came after an earlier look.
    pub(super) fn since(&self, before: &Self) -> Self {
        let left = |(us, count): (&u64, &u64)| {
            let rest = count.saturating_sub(before.counts.get(us).copied().unwrap_or(0));
            (rest > 0).then_some((*us, rest))
        };
        Self {
            counts: self.counts.iter().filter_map(left).collect(),
            sum_us: self.sum_us - before.sum_us,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn mean_us(&self) -> f64 {
        self.sum_us / self.count().max(1) as f64
    }

    pub(super) fn quantile_us(&self, quantile: f64) -> f64 {
        let wanted = quantile * self.count() as f64;
        let mut seen = 0;
        for (us, count) in &self.counts {
            seen += count;
            if seen as f64 >= wanted {
                return *us as f64;
            }
        }
        0.0
    }
}

/// Where a bucket's times are taken to be; beyond the last bound they are taken as that bound.
fn middle(from: u64, to: u64) -> u64 {
    if to == u64::MAX { from } else { from.midpoint(to) }
}

fn micros(bound: &str) -> Option<u64> {
    if bound == "+Inf" {
        return Some(u64::MAX);
    }
    let seconds = bound.parse::<f64>().ok()?;
    // Bounds are whole microseconds of at most ten seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10,000,000"
    )]
    Some((seconds.clamp(0.0, 10.0) * 1e6).round() as u64)
}

const BUCKETS: &str = "hangu_inside_time_seconds_bucket{";
const SUM: &str = "hangu_inside_time_seconds_sum{";
