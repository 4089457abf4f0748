//! What was seen of a load in one second, and fewer of them for a chart.

use serde::Serialize;
use std::collections::BTreeMap;

/// One second of a load.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Sample {
    pub second: f64,
    /// Arrivals, and requests that ended, in the time since the sample before.
    pub started: u64,
    pub ended: u64,
    pub success: u64,
    pub failed: u64,
    pub unknown: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub under_way: u64,
    /// Payments of which the driver's parties remember more than a digest.
    pub remembered: u64,
    /// What the driver's process holds; nothing where the system does not tell.
    pub memory_mb: f64,
    /// Messages that wait in each queue; absent while the broker gives no answer.
    pub queues: BTreeMap<String, u64>,
}

/// At most so many, each of several neighbours: counts are their sums, all else is the worst of them.
pub(super) fn thinned(samples: &[Sample], count_max: usize) -> Vec<Sample> {
    let each = samples.len().div_ceil(count_max.max(1)).max(1);
    samples.chunks(each).filter_map(joined).collect()
}

fn joined(samples: &[Sample]) -> Option<Sample> {
    let (first, rest) = samples.split_first()?;
    let join = |mut all: Sample, one: &Sample| {
        all.second = one.second;
        all.started += one.started;
        all.ended += one.ended;
        all.success += one.success;
        all.failed += one.failed;
        all.unknown += one.unknown;
        all.p50_ms = all.p50_ms.max(one.p50_ms);
        all.p99_ms = all.p99_ms.max(one.p99_ms);
        all.max_ms = all.max_ms.max(one.max_ms);
        all.under_way = all.under_way.max(one.under_way);
        all.remembered = all.remembered.max(one.remembered);
        all.memory_mb = all.memory_mb.max(one.memory_mb);
        for (queue, depth) in &one.queues {
            let deepest = all.queues.entry(queue.clone()).or_default();
            *deepest = (*deepest).max(*depth);
        }
        all
    };
    Some(rest.iter().fold(first.clone(), join))
}
