//! `hangu bench growth`: the same course at growing sizes, one at a time: rate, institutions, bytes, payments under way; and
//! the journal by itself at growing numbers of exchanges.

mod fill;
mod journal;

#[cfg(test)]
mod tests;

use super::course::{Course, Pace};
use super::gateway::{Seen, duration, seen};
use super::report;
use super::settings::Setting;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::table;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    setting: Setting,
    /// What grows.
    #[arg(long, value_enum)]
    axis: Axis,
    /// The sizes, with commas between; by default a series for each axis.
    #[arg(long, value_delimiter = ',')]
    values: Vec<u32>,
    /// Arrivals a second where the rate does not grow.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long each size is measured.
    #[arg(long, default_value = "10s", value_parser = duration)]
    duration: Duration,
    #[command(flatten)]
    journal: journal::Args,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Axis {
    /// Arrivals a second, to saturation and beyond.
    Rate,
    Institutions,
    /// Bytes of a request.
    Bytes,
    /// Payments under way, in a closed loop.
    InFlight,
    /// Exchanges in an `SQLite` journal, by itself.
    Journal,
}

impl Axis {
    const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Institutions => "institutions",
            Self::Bytes => "bytes",
            Self::InFlight => "in_flight",
            Self::Journal => "journal",
        }
    }

    /// A request has some 2.4 KB as it is.
    fn values(self) -> Vec<u32> {
        match self {
            Self::Rate => vec![10, 30, 100, 300, 1_000, 2_000, 4_000],
            Self::Institutions => vec![1, 4, 16, 64],
            Self::Bytes => vec![0, 4 << 10, 16 << 10, 64 << 10],
            Self::InFlight => vec![1, 10, 100, 1_000, 10_000],
            Self::Journal => vec![1_000, 1_000_000],
        }
    }
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.setting.log, false);
    let values = if args.values.is_empty() {
        args.axis.values()
    } else {
        args.values.clone()
    };
    if args.axis == Axis::Journal {
        return journal::run(&args.journal, &values, args.setting.folder.as_deref(), form);
    }
    let mut rows = Vec::new();
    for value in values {
        let (setting, course) = args.at(value);
        let seen = seen(&setting, course)?;
        output::complain(&format!(
            "  {} {value}: {:.0} a second",
            args.axis.name(),
            seen.leg.per_second()
        ));
        rows.push((value, seen));
    }
    output::say(&match form {
        Form::Json => output::json(&object(args.axis, &rows)),
        Form::Text => page(args.axis, &rows),
    });
    Ok(Exit::Ok)
}

impl Args {
    /// The setting and the course of one size.
    fn at(&self, value: u32) -> (Setting, Course) {
        let mut setting = self.setting.clone();
        let (seconds, mut rate) = (self.duration.as_secs(), u64::from(self.rate));
        match self.axis {
            Axis::Rate => rate = u64::from(value.max(1)),
            Axis::Institutions => setting.institutions = usize::try_from(value.max(1)).unwrap_or(1),
            Axis::Bytes => setting.message_bytes = value,
            Axis::InFlight => {
                let measured = (u64::from(value) * 4).clamp(CLOSED_MIN, CLOSED_MAX);
                let course = Course {
                    pace: Pace::Closed(value.max(1)),
                    warm_up: u64::from(value.max(CLOSED_WARM_UP_MIN)),
                    measured,
                };
                return (setting, course);
            }
            Axis::Journal => {}
        }
        let course = Course {
            pace: Pace::Open(u32::try_from(rate).unwrap_or(u32::MAX)),
            warm_up: rate * WARM_UP_S,
            measured: rate * seconds,
        };
        (setting, course)
    }
}

/// What is the same in every row, or only of use for one run, is left out.
fn object(axis: Axis, rows: &[(u32, Seen)]) -> Value {
    let row = |(value, seen): &(u32, Seen)| {
        let mut seen = report::object(seen);
        for key in ["operations", "cpu_note", "processes_memory", "steps"] {
            seen.as_object_mut().and_then(|object| object.remove(key));
        }
        json!({"value": value, "seen": seen})
    };
    json!({"axis": axis.name(), "rows": rows.iter().map(row).collect::<Vec<_>>()})
}

fn page(axis: Axis, rows: &[(u32, Seen)]) -> String {
    let titles = [
        axis.name(),
        "a second",
        "succeeded",
        "mean ms",
        "p50 ms",
        "p99 ms",
        "cpu us",
        "other us",
        "MiB",
    ];
    let line = |(value, seen): &(u32, Seen)| {
        let (leg, shares) = (&seen.leg, seen.shares());
        vec![
            value.to_string(),
            format!("{:.0}", leg.per_second()),
            format!("{} of {}", leg.succeeded, leg.course.measured),
            format!("{:.2}", leg.latency_us.mean() / 1000.0),
            format!("{:.2}", leg.latency_ms(0.5)),
            format!("{:.2}", leg.latency_ms(0.99)),
            format!("{:.0}", shares.whole),
            format!("{:.0}", shares.other),
            format!("{:.0}", leg.samples_mib.last().copied().unwrap_or(0.0)),
        ]
    };
    let titles = titles.map(str::to_owned);
    table(&titles, &rows.iter().map(line).collect::<Vec<_>>())
}

const WARM_UP_S: u64 = 2;
const CLOSED_MIN: u64 = 1_000;
const CLOSED_MAX: u64 = 40_000;
const CLOSED_WARM_UP_MIN: u32 = 200;
