//! What `hangu bench gateway` says: an object for programs (design section 12), two columns for people.

use super::build;
use super::course::Pace;
use super::gateway::Seen;
use super::inside::Inside;
use super::operations::{Counts, sum};
use super::process::Memory;
use crate::cli::texts::table;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// Processor time of the gateways for one payment in microseconds: `whole` is the sum of the other two.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Shares {
    pub(super) whole: f64,
    /// SM2, SM3 and SM4 operations.
    pub(super) crypto: f64,
    pub(super) other: f64,
}

impl Seen {
    pub(super) fn shares(&self) -> Shares {
        let whole = self.leg.each(self.leg.gateway_us());
        let debits = self.setting.mix.debit_share();
        let crypto = debits * sum(&self.debit, &self.costs) + (1.0 - debits) * sum(&self.credit, &self.costs);
        Shares {
            whole,
            crypto,
            other: whole - crypto,
        }
    }

    /// The gateways' share of all processors while payments were measured.
    fn gateway_percent(&self) -> f64 {
        let available = self.leg.took.as_secs_f64() * cores() as f64 * 1e6;
        100.0 * self.leg.gateway_us() as f64 / available.max(1.0)
    }

    fn gateway_memory(&self) -> Memory {
        let gateways = self.leg.memory.iter().filter(|(name, _)| name.starts_with("gateway"));
        gateways.fold(NOTHING, |sum, (_, one)| Memory {
            rss_mib: sum.rss_mib + one.rss_mib,
            peak_mib: sum.peak_mib + one.peak_mib,
        })
    }
}

pub(super) fn object(seen: &Seen) -> Value {
    let (shares, leg, memory) = (seen.shares(), &seen.leg, seen.gateway_memory());
    let processes = leg.cpu_us.iter().map(|(name, us)| (name.clone(), json!(leg.each(*us))));
    let memories = leg.memory.iter().map(|(name, one)| {
        let figures = json!({"rss_mib": one.rss_mib, "peak_mib": one.peak_mib});
        (name.clone(), figures)
    });
    let steps = seen
        .steps
        .iter()
        .map(|step| json!({"rate": step.rate, "tps": step.per_second, "p99_ms": step.p99_ms, "holds": step.holds}));
    json!({
        "transport": seen.setting.transport.name(), "journal": seen.setting.journal.name(), "build": build(),
        "engine": seen.setting.engine.name(), "cores": cores(), "load_average_before": seen.load_average,
        "setting": seen.setting.object(), "course": course(seen), "steps": steps.collect::<Vec<_>>(),
        "payments": leg.course.measured, "succeeded": leg.succeeded, "seconds": leg.took.as_secs_f64(),
        "tps": leg.per_second(),
        "latency_ms": latency(&leg.latency_us),
        "latency_from": match leg.course.pace { Pace::Open(_) => "intended start", Pace::Closed(_) => "start" },
        "inside_ms": inside(&leg.inside), "driver_lag_max_ms": leg.lag_max.as_secs_f64() * 1000.0,
        "cpu_us_per_payment": shares.whole, "crypto_us_per_payment": shares.crypto,
        "other_us_per_payment": shares.other, "gateway_cpu_percent": seen.gateway_percent(),
        "processes_cpu_us_per_payment": processes.collect::<Map<_, _>>(),
        "operations": {"debit": counts(seen, &seen.debit), "credit": counts(seen, &seen.credit)},
        "cpu_note": CPU_NOTE,
        "rss_mib": memory.rss_mib, "rss_peak_mib": memory.peak_mib, "processes_memory": memories.collect::<Map<_, _>>(),
        "memory": flatness(&leg.samples_mib).map(|(flat, from, to)| json!({"flat": flat, "from_mib": from, "to_mib": to})),
        "fsync_us": seen.fsync.median_us, "fsync_best_us": seen.fsync.best_us,
    })
}

fn course(seen: &Seen) -> Value {
    let course = seen.leg.course;
    match course.pace {
        Pace::Open(rate) => {
            json!({"loop": "open", "rate": rate, "arrivals": "evenly spaced", "warm_up_payments": course.warm_up})
        }
        Pace::Closed(concurrency) => json!({"loop": "closed", "concurrency": concurrency, "warm_up_payments": course.warm_up}),
    }
}

/// Each operation with its bytes, how often, and what one costs.
fn counts(seen: &Seen, counts: &Counts) -> Value {
    let one = |(operation, count): (&super::operations::Operation, &u32)| json!({"name": operation.name(), "bytes": operation.bytes(), "count": count, "us": seen.costs.get(operation)});
    counts.iter().map(one).collect()
}

pub(super) fn page(seen: &Seen) -> String {
    let (shares, leg, memory) = (seen.shares(), &seen.leg, seen.gateway_memory());
    let us = |us: f64| format!("{us:>10.0} us");
    let mut lines = vec![
        (
            "payments",
            format!("{:>10}", leg.course.measured),
            format!("{} succeeded", leg.succeeded),
        ),
        ("rate", format!("{:>10.0} /s", leg.per_second()), paced(seen)),
    ];
    let quantiles = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    lines.push((
        "latency mean",
        millis(leg.latency_us.mean()),
        from(leg.course.pace).to_owned(),
    ));
    for (name, quantile) in quantiles {
        lines.push((name, millis(leg.latency_us.value_at_quantile(quantile) as f64), String::new()));
    }
    lines.push((
        "inside mean",
        millis(leg.inside.mean_us()),
        "receipt to confirmed reply, less the time away".to_owned(),
    ));
    for (name, quantile) in quantiles {
        lines.push((name, millis(leg.inside.quantile_us(quantile)), String::new()));
    }
    let percent = format!("the gateways: {:.1}% of {} processors", seen.gateway_percent(), cores());
    lines.push(("cpu per payment", us(shares.whole), percent));
    lines.push(("  crypto", us(shares.crypto), sm2(&seen.debit)));
    lines.push(("  other", us(shares.other), "all else of the gateways".to_owned()));
    for (name, used) in leg.cpu_us.iter().filter(|(name, _)| !name.starts_with("gateway")) {
        lines.push(("beside", us(leg.each(*used)), name.clone()));
    }
    let flat = flatness(&leg.samples_mib).map_or_else(
        || "too short to say whether it is flat".to_owned(),
        |(flat, from, to)| format!("{}: {from:.1} to {to:.1} MiB", if flat { "flat" } else { "NOT flat" }),
    );
    lines.push(("memory", format!("{:>10.1} MiB", memory.rss_mib), flat));
    lines.push((
        "fsync",
        us(seen.fsync.median_us),
        "median of 50 durable appends of 4 KiB".to_owned(),
    ));
    let rows = lines
        .into_iter()
        .map(|(name, figure, remark)| vec![name.to_owned(), figure, remark]);
    let titles = ["figure".to_owned(), format!("{:>10}", "value"), "remark".to_owned()];
    let table = table(&titles, &rows.collect::<Vec<_>>());
    format!("{}\n\n{table}\n\n{CPU_NOTE}", head(seen))
}

fn head(seen: &Seen) -> String {
    let setting = &seen.setting;
    format!(
        "transport: {}; journal: {}; gateways: {}; engine: {}; build: {}; in_flight_max: {}; institutions: {}; mix: {}:{}",
        setting.transport.name(),
        setting.journal.name(),
        setting.gateways,
        setting.engine.name(),
        build(),
        setting.in_flight,
        setting.institutions,
        setting.mix.debits,
        setting.mix.credits,
    )
}

fn paced(seen: &Seen) -> String {
    let course = seen.leg.course;
    let took = format!(
        "{:.1} s; {} payments before it not counted",
        seen.leg.took.as_secs_f64(),
        course.warm_up
    );
    match course.pace {
        Pace::Open(rate) => format!("{rate} arrivals a second, evenly spaced, {took}"),
        Pace::Closed(concurrency) => format!("{concurrency} at a time, {took}"),
    }
}

const fn from(pace: Pace) -> &'static str {
    match pace {
        Pace::Open(_) => "from the intended start",
        Pace::Closed(_) => "from the start",
    }
}

fn sm2(counts: &Counts) -> String {
    let of = |name: &str| {
        let same = counts.iter().filter(|(operation, _)| operation.name() == name);
        same.map(|(_, count)| count).sum::<u32>()
    };
    let names = ["sign", "verify", "wrap", "unwrap"].map(|name| format!("{} {name}", of(name)));
    format!("for a debit: {}, and SM3 and SM4", names.join(", "))
}

/// Whether memory stands still: the middle of the last quarter against that of the second. None for a short run.
pub(super) fn flatness(samples_mib: &[f64]) -> Option<(bool, f64, f64)> {
    if samples_mib.len() < SAMPLES_MIN {
        return None;
    }
    let quarter = samples_mib.len() / 4;
    let middle = |from: usize| {
        let mut part = samples_mib.get(from..from + quarter).unwrap_or_default().to_vec();
        part.sort_by(f64::total_cmp);
        part.get(part.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let (from, to) = (middle(quarter), middle(samples_mib.len() - quarter));
    Some((to <= from * GROWTH_MAX + 1.0, from, to))
}

fn millis(us: f64) -> String {
    format!("{:>10.2} ms", us / 1000.0)
}

fn latency(times_us: &Histogram<u64>) -> Value {
    let at = |quantile| times_us.value_at_quantile(quantile) as f64 / 1000.0;
    json!({"mean": times_us.mean() / 1000.0, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)})
}

fn inside(times: &Inside) -> Value {
    let at = |quantile| times.quantile_us(quantile) / 1000.0;
    json!({"mean": times.mean_us() / 1000.0, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)})
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

const NOTHING: Memory = Memory {
    rss_mib: 0.0,
    peak_mib: 0.0,
};
const SAMPLES_MIN: usize = 40;
const GROWTH_MAX: f64 = 1.05;
const CPU_NOTE: &str = "cpu is of the gateways, from the operating system's accounting: crypto + other. crypto is their SM2, SM3 and \
SM4 operations, those of the wire and of the journal, read off the messages that the journal kept, times the cost of each at its \
size, measured in this run. other is the rest: parsing, journal, transport, runtime. Counterparties and servers are beside it.";
