//! `hangu bench gateway`: payments through a whole gateway, over queues in memory or `RabbitMQ`, on `SQLite` or `PostgreSQL`.
//!
//! By default arrivals are fixed before (an open loop), so that a gateway that stalls is charged for everybody who had to
//! wait. Both counterparties live in this process on threads of their own; they keep no books, so that hours can be played.

use super::course::{Course, Leg, Orders, Pace, play};
use super::measure::Cost;
use super::operations::{self, Counts, Operation, Reader};
use super::process::{durable_append, load_average};
use super::report;
use super::settings::Setting;
use super::stand::{LOAD_THREAD, Stand};
use super::{folder, refused};
use crate::cli::output::{self, Exit, Failure, Form};
use codecs::payment;
use codecs::spec::Specs;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) setting: Setting,
    #[command(flatten)]
    arrivals: Arrivals,
}

#[derive(clap::Args, Clone)]
struct Arrivals {
    /// Arrivals a second, evenly spaced, over both operations of the mix.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long payments are measured, after the warm-up: 30s, 10m, 6h.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// How many payments are measured, in place of a duration.
    #[arg(long, conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    payments: Option<u64>,
    /// A closed loop instead: so many payments under way, each answered before the next starts.
    #[arg(long, conflicts_with_all = ["rate", "saturate", "preset"], value_parser = clap::value_parser!(u32).range(1..=20_000))]
    concurrency: Option<u32>,
    /// Played before anything counts; by default a twentieth of the duration, between 2 and 30 seconds.
    #[arg(long, value_parser = duration)]
    warm_up: Option<Duration>,
    /// Raise the rate step by step and report the highest that holds; --rate is the first step, --duration of each step.
    #[arg(long)]
    saturate: bool,
    /// A step holds if every payment succeeds and p99 from the intended start is at most this.
    #[arg(long, default_value_t = 45.0, requires = "saturate")]
    p99_ms: f64,
    /// `peak`: the bank's peak, 500 debits and 500 credits a second for 10 minutes.
    #[arg(long, value_enum, conflicts_with_all = ["saturate", "mix", "rate"])]
    preset: Option<Preset>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Preset {
    Peak,
}

/// A run, and what belongs to it.
pub(super) struct Seen {
    pub(super) setting: Setting,
    pub(super) leg: Leg,
    /// Rates that were tried and whether they held, in order; empty outside the saturation mode.
    pub(super) steps: Vec<Step>,
    pub(super) rejected: u64,
    pub(super) fsync: Cost,
    /// Of the minute before the run, as a word about noise.
    pub(super) load_average: f64,
    /// Operations of the gateway for a debit and for a credit.
    pub(super) debit: Counts,
    pub(super) credit: Counts,
    /// What each operation costs in microseconds.
    pub(super) costs: BTreeMap<Operation, f64>,
}

pub(super) struct Step {
    pub(super) rate: u32,
    pub(super) per_second: f64,
    pub(super) p99_ms: f64,
    pub(super) holds: bool,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.setting.log, false);
    let seen = match (args.arrivals.saturate, args.arrivals.course()) {
        (true, course) => saturated(&args.setting, course, args.arrivals.p99_ms)?,
        (false, course) => seen(&args.setting, course)?,
    };
    output::say(&match form {
        Form::Json => output::json(&report::object(&seen)),
        Form::Text => report::page(&seen),
    });
    Ok(if seen.leg.succeeded == seen.leg.course.measured && seen.rejected == 0 {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

/// Plays one course.
pub(super) fn seen(setting: &Setting, course: Course) -> Result<Seen, Failure> {
    on_stand(setting, async |stand, orders| {
        Ok((play(stand, orders, course).await?, Vec::new()))
    })
}

/// Doubles the rate until one does not hold, then halves the distance. The report is of the highest that held.
fn saturated(setting: &Setting, first: Course, p99_ms: f64) -> Result<Seen, Failure> {
    on_stand(setting, async |stand, orders| {
        let Pace::Open(mut rate) = first.pace else {
            return Err(refused("--saturate")(&"a closed loop has no rate"));
        };
        let lowest = (rate / LOWEST_PART).max(1);
        let (mut steps, mut best, mut fails_at) = (Vec::new(), None, None);
        while let Some(wanted) = next_rate(rate, lowest, fails_at, best.as_ref().map(|(rate, _)| *rate)) {
            rate = wanted;
            match step(stand, orders, at_rate(first, rate), p99_ms, &mut steps).await? {
                Some(leg) => best = Some((rate, leg)),
                None => fails_at = Some(rate),
            }
        }
        let (_, leg) =
            best.ok_or_else(|| Failure::new(Exit::CheckFailed, "--saturate", format!("no rate from {lowest} up held")))?;
        Ok((leg, steps))
    })
}

/// The first rate, twice the last one, or halfway between the highest that held and the lowest that did not; none when these
/// are close, or everything down to the lowest has failed.
pub(super) fn next_rate(last: u32, lowest: u32, fails_at: Option<u32>, held: Option<u32>) -> Option<u32> {
    match (held, fails_at) {
        (None, None) => Some(last),
        (Some(held), None) => Some(held.saturating_mul(2)),
        (None, Some(fails)) => Some(fails / 2).filter(|next| *next >= lowest),
        (Some(held), Some(fails)) => Some(held.midpoint(fails)).filter(|next| next - held > held / CLOSE_PART),
    }
}

/// Plays a rate until it holds once: what disturbs a shared machine in one try is seldom there in the next.
async fn step(
    stand: &Arc<Stand>,
    orders: &mut Orders,
    course: Course,
    p99_ms: f64,
    steps: &mut Vec<Step>,
) -> Result<Option<Leg>, Failure> {
    let Pace::Open(rate) = course.pace else { return Ok(None) };
    for _ in 0..TRIES {
        let leg = play(stand, orders, course).await?;
        let (per_second, p99, holds) = (leg.per_second(), leg.latency_ms(0.99), holds(&leg, rate, p99_ms));
        let verdict = if holds { "holds" } else { "does not hold" };
        output::complain(&format!("  {rate} a second: {per_second:.0}, p99 {p99:.1} ms, {verdict}"));
        steps.push(Step {
            rate,
            per_second,
            p99_ms: p99,
            holds,
        });
        if holds {
            return Ok(Some(leg));
        }
        // Three times too slow is no disturbance.
        if per_second < f64::from(rate) / 3.0 {
            break;
        }
    }
    Ok(None)
}

fn holds(leg: &Leg, rate: u32, p99_ms: f64) -> bool {
    leg.succeeded == leg.course.measured && leg.latency_ms(0.99) <= p99_ms && leg.per_second() >= f64::from(rate) * KEPT_UP
}

/// The same time at another rate.
fn at_rate(first: Course, rate: u32) -> Course {
    let Pace::Open(before) = first.pace else { return first };
    let scaled = |count: u64| (count * u64::from(rate) / u64::from(before)).max(1);
    Course {
        pace: Pace::Open(rate),
        warm_up: scaled(first.warm_up),
        measured: scaled(first.measured),
    }
}

/// Sets a stand, lets it be played on, and adds what belongs beside every figure. The costs of single operations are measured
/// when the load is over.
fn on_stand(
    setting: &Setting,
    played: impl AsyncFnOnce(&Arc<Stand>, &mut Orders) -> Result<(Leg, Vec<Step>), Failure> + Send,
) -> Result<Seen, Failure> {
    let folder = folder(setting.folder.as_deref(), "gateway")?;
    let fsync = durable_append(folder.path()).map_err(|error| refused("fsync")(&error))?;
    let load_average = load_average().map_err(|error| refused("/proc/loadavg")(&error))?;
    let (gateway, load) = (runtime("gateway")?, runtime(LOAD_THREAD)?);
    let (leg, steps, rejected, debit, credit) = on_load_thread(|| {
        load.block_on(async {
            let stand = Arc::new(Stand::set(setting, folder.path(), gateway.handle()).await?);
            let (leg, steps) = played(&stand, &mut Orders::new(setting)).await?;
            let [debit, credit] = counted(&stand).await?;
            let rejected = stand.rejected();
            if let Some(stand) = Arc::into_inner(stand) {
                stand.stop().await;
            }
            Ok((leg, steps, rejected, debit, credit))
        })
    })?;
    let all = debit.keys().chain(credit.keys()).copied();
    Ok(Seen {
        setting: setting.clone(),
        leg,
        steps,
        rejected,
        fsync,
        load_average,
        costs: operations::costs(setting.engine, all)?,
        debit,
        credit,
    })
}

async fn counted(stand: &Stand) -> Result<[Counts; 2], Failure> {
    let journal = stand.journal().await?;
    let reader = Reader {
        config: stand.config(),
        keyring: stand.keyring(),
        journal: &journal,
        specs: Specs::embedded().map_err(|error| refused("codecs")(&error))?,
    };
    Ok([
        reader.of(payment::Operation::Debit).await?,
        reader.of(payment::Operation::Credit).await?,
    ])
}

/// Waits on a thread that bears the name of the load's runtime, so that the driver too is counted as the simulators'.
fn on_load_thread<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let failed = refused("load");
    std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(LOAD_THREAD.to_owned());
        let thread = named.spawn_scoped(scope, work).map_err(|error| failed(&error))?;
        thread.join().unwrap_or_else(|_panic| Err(failed(&"it panicked")))
    })
}

fn runtime(thread_name: &str) -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().thread_name(thread_name).enable_all().build();
    built.map_err(|error| refused("runtime")(&error))
}

impl Arrivals {
    fn course(&self) -> Course {
        let preset = self.preset.map(|Preset::Peak| (PEAK_RATE, PEAK));
        let rate = preset.map_or(self.rate, |(rate, _)| rate);
        let length = self.duration.or_else(|| preset.map(|(_, length)| length)).unwrap_or(LENGTH);
        let warm_up = self.warm_up.unwrap_or_else(|| (length / 20).clamp(WARM_UP_MIN, WARM_UP_MAX));
        let in_time = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX) * u64::from(rate) / 1000;
        match self.concurrency {
            None => Course {
                pace: Pace::Open(rate),
                warm_up: in_time(warm_up),
                measured: self.payments.unwrap_or_else(|| in_time(length)).max(1),
            },
            Some(concurrency) => {
                let measured = self.payments.unwrap_or(CLOSED_PAYMENTS);
                Course {
                    pace: Pace::Closed(concurrency),
                    warm_up: (measured / 20).max(u64::from(concurrency) * 2),
                    measured,
                }
            }
        }
    }
}

/// A number with s, m or h behind it; seconds without.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number of seconds, or 30s, 10m, 6h".to_owned();
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3600),
        Some(_) | None => (Some(text), 1),
    };
    let number = number.and_then(|number| number.parse::<u64>().ok()).ok_or_else(wrong)?;
    let seconds = number
        .checked_mul(unit)
        .filter(|seconds| (1..=7 * 24 * 3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

const LENGTH: Duration = Duration::from_secs(10);
const PEAK_RATE: u32 = 1_000;
const PEAK: Duration = Duration::from_mins(10);
const WARM_UP_MIN: Duration = Duration::from_secs(2);
const WARM_UP_MAX: Duration = Duration::from_secs(30);
const CLOSED_PAYMENTS: u64 = 2_000;
/// The lowest rate tried is this part of the first; the search ends when what is left is this part of what held.
const LOWEST_PART: u32 = 16;
const CLOSE_PART: u32 = 16;
const TRIES: u32 = 3;
/// A step that falls behind its arrivals by more does not hold, whatever its latency.
const KEPT_UP: f64 = 0.95;
