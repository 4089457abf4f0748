//! What `hangu bench gateway` says: an object for programs (design section 12), two columns for people.

use super::build;
use super::crypto::{Sm2, engine_name};
use super::measure::Cost;
use super::process::Cpu;
use crate::cli::texts::table;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was seen in a run.
pub(super) struct Seen {
    pub(super) payments: u64,
    pub(super) concurrency: u32,
    pub(super) succeeded: u64,
    pub(super) took: Duration,
    pub(super) inside_us: Histogram<u64>,
    pub(super) answered_us: Histogram<u64>,
    /// Of the whole process, and of the simulators' threads.
    pub(super) cpu: Cpu,
    /// Resident, and its peak.
    pub(super) memory_mib: (f64, f64),
    pub(super) fsync: Cost,
    /// What one SM2 operation costs.
    pub(super) sm2_us: BTreeMap<Sm2, f64>,
    /// SM2 operations of the gateway for one payment.
    pub(super) sm2_count: BTreeMap<Sm2, u32>,
}

/// Processor time of one payment in microseconds: `whole` is the sum of the other three.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Shares {
    pub(super) whole: f64,
    pub(super) simulators: f64,
    /// The gateway's SM2 operations.
    pub(super) crypto: f64,
    /// All else of the gateway.
    pub(super) other: f64,
}

impl Seen {
    pub(super) fn shares(&self) -> Shares {
        let each = |us: u64| us as f64 / self.payments.max(1) as f64;
        let (whole, simulators) = (each(self.cpu.process_us), each(self.cpu.named_us));
        let crypto = self.sm2_sum(|operation| operation);
        Shares {
            whole,
            simulators,
            crypto,
            other: whole - simulators - crypto,
        }
    }

    /// The centre does the opposite of each of our operations; this is what it cost of the simulators' share.
    fn simulators_crypto(&self) -> f64 {
        self.sm2_sum(|operation| match operation {
            Sm2::Sign => Sm2::Verify,
            Sm2::Verify => Sm2::Sign,
            Sm2::Wrap => Sm2::Unwrap,
            Sm2::Unwrap => Sm2::Wrap,
        })
    }

    fn sm2_sum(&self, done: impl Fn(Sm2) -> Sm2) -> f64 {
        let cost = |operation| self.sm2_us.get(&operation).copied().unwrap_or(0.0);
        let counted = self.sm2_count.iter();
        counted
            .map(|(operation, count)| f64::from(*count) * cost(done(*operation)))
            .sum()
    }

    fn per_second(&self) -> f64 {
        self.payments as f64 / self.took.as_secs_f64().max(0.001)
    }
}

pub(super) fn object(seen: &Seen) -> Value {
    let shares = seen.shares();
    json!({
        "transport": TRANSPORT,
        "journal": JOURNAL,
        "build": build(),
        "engine": engine_name(),
        "payments": seen.payments,
        "succeeded": seen.succeeded,
        "concurrency": seen.concurrency,
        "seconds": seen.took.as_secs_f64(),
        "tps": seen.per_second(),
        "latency_ms": latency(&seen.inside_us),
        "answered_ms": latency(&seen.answered_us),
        "cpu_us_per_payment": shares.whole,
        "crypto_us_per_payment": shares.crypto,
        "other_us_per_payment": shares.other,
        "gateway_cpu_us_per_payment": shares.crypto + shares.other,
        "simulators_cpu_us_per_payment": shares.simulators,
        "simulators_crypto_us_per_payment": seen.simulators_crypto(),
        "sm2_per_payment": named(&seen.sm2_count),
        "sm2_us": named(&seen.sm2_us),
        "cpu_note": CPU_NOTE,
        "rss_mib": seen.memory_mib.0,
        "rss_peak_mib": seen.memory_mib.1,
        "fsync_us": seen.fsync.median_us,
    })
}

pub(super) fn page(seen: &Seen) -> String {
    let shares = seen.shares();
    let sm2 = |(operation, count): (&Sm2, &u32)| format!("{count} {}", operation.name());
    let sm2 = seen.sm2_count.iter().map(sm2).collect::<Vec<_>>().join(", ");
    let us = |us: f64| format!("{us:>10.0} us");
    let lines = [
        (
            "payments",
            format!("{:>10}", seen.payments),
            format!("{} succeeded", seen.succeeded),
        ),
        (
            "rate",
            format!("{:>10.0} /s", seen.per_second()),
            format!("{} at a time, {:.1} s", seen.concurrency, seen.took.as_secs_f64()),
        ),
        ("latency mean", millis(seen.inside_us.mean()), "inside the gateway".to_owned()),
        ("latency p50", quantile(seen, 0.5), String::new()),
        ("latency p99", quantile(seen, 0.99), String::new()),
        ("latency p99.9", quantile(seen, 0.999), String::new()),
        (
            "cpu per payment",
            us(shares.whole),
            "whole process: the sum of the next three".to_owned(),
        ),
        ("  crypto", us(shares.crypto), format!("gateway: {sm2}")),
        ("  other", us(shares.other), "gateway: all else".to_owned()),
        (
            "  simulators",
            us(shares.simulators),
            format!("centre and platform; {:.0} us of it SM2", seen.simulators_crypto()),
        ),
        (
            "memory",
            format!("{:>10.1} MiB", seen.memory_mib.0),
            format!("peak {:.1} MiB, simulators included", seen.memory_mib.1),
        ),
        (
            "fsync",
            us(seen.fsync.median_us),
            "median of 50 durable appends of 4 KiB".to_owned(),
        ),
    ];
    let rows = lines.map(|(name, figure, remark)| vec![name.to_owned(), figure, remark]);
    let titles = ["figure".to_owned(), format!("{:>10}", "value"), "remark".to_owned()];
    format!(
        "transport: {TRANSPORT}; journal: {JOURNAL}; engine: {}; build: {}\n\n{}\n\n{CPU_NOTE}",
        engine_name(),
        build(),
        table(&titles, &rows)
    )
}

fn quantile(seen: &Seen, quantile: f64) -> String {
    millis(seen.inside_us.value_at_quantile(quantile) as f64)
}

fn millis(us: f64) -> String {
    format!("{:>10.2} ms", us / 1000.0)
}

fn named<T: Serialize>(figures: &BTreeMap<Sm2, T>) -> Value {
    let pair = |(operation, figure): (&Sm2, &T)| (operation.name().to_owned(), json!(figure));
    figures.iter().map(pair).collect::<Map<_, _>>().into()
}

fn latency(times_us: &Histogram<u64>) -> Value {
    let at = |quantile| times_us.value_at_quantile(quantile) as f64 / 1000.0;
    json!({"mean": times_us.mean() / 1000.0, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)})
}

const TRANSPORT: &str = "memory";
const JOURNAL: &str = "sqlite";
const CPU_NOTE: &str = "cpu is of the whole process: crypto + other + simulators. simulators is measured: the threads of their \
own runtime. crypto is the gateway's SM2 operations, read off the messages in its journal, times the cost of each, measured \
before the run. other is the rest: parsing, SM3 and SM4, journal, transport, runtime.";
