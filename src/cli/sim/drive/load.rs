//! `hangu sim drive --duration`: an open loop. Arrivals are fixed before, and come whether or not earlier ones were answered.

use super::field::Field;
use super::report::Report;
use super::view::View;
use super::{Exit, Failure, Form, Settings};
use crate::cli::output;
use crate::cli::sim::{Lang, write_report};
use hangu::config::Config;
use simulators::drive::{Arrivals, Curve, Ended, Mixture, Order, Sample, Tally};
use simulators::load::{Finished, Tap, drive_at};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct LoadArgs {
    /// A load: arrivals at `--rate` for so long (30s, 10m, 6h), whether or not earlier ones were answered.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// What is played, in shares; by default the mix of the demo without its faults. docs/load.md shows one.
    #[arg(long, requires = "duration")]
    mix: Option<PathBuf>,
    /// How `--rate` is reached: at once, from `--ramp-from` on, or as the highest of a bank's day pressed into the duration.
    #[arg(long, value_enum, default_value_t = Shape::Constant, requires = "duration")]
    arrivals: Shape,
    /// The rate that a ramp begins with.
    #[arg(long, default_value_t = 0, requires = "duration")]
    ramp_from: u32,
    /// Arrivals know nothing of each other (a Poisson process), instead of even distances.
    #[arg(long, requires = "duration")]
    poisson: bool,
    /// Payments under way at most, which bounds the driver's memory; who waits for a place is charged to the gateway.
    #[arg(long, default_value_t = 20_000, requires = "duration")]
    under_way_max: usize,
    /// Load a gateway of its own in this process instead of the configured one.
    #[arg(long, requires = "duration")]
    embedded: bool,
    /// The platform is played by somebody else; what it begins is left out of the mix.
    #[arg(long, requires = "duration", conflicts_with = "embedded")]
    platform_elsewhere: bool,
    /// Write the parties' books into this folder at the end.
    #[arg(long, requires = "duration")]
    keep: Option<PathBuf>,
    /// Write a report in one HTML file that needs nothing else: latencies as charts, rates, what waited.
    #[arg(long, requires = "duration")]
    html: Option<PathBuf>,
    /// Its language.
    #[arg(long, value_enum, default_value_t = Lang::En, requires = "html")]
    lang: Lang,
    /// No gateway at all: how many payments a second the driver itself can make, send, verify and open; `--payments` of them.
    #[arg(long, conflicts_with = "duration")]
    pub(super) ceiling: bool,
    /// Instead, the platform's ledger alone: so many customers, each of whom signs an agreement and is debited under it.
    #[arg(long, requires = "ceiling", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) accounts: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Shape {
    Constant,
    Ramp,
    Day,
}

/// What the driver and its watchers share.
pub(super) struct Shared {
    pub(super) begun: Instant,
    pub(super) started: AtomicU64,
    tally: Mutex<Tally>,
}

impl Shared {
    /// Counts are whole between any two, so a panicked holder does not spoil them.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoadArgs {
    /// Whether no gateway of the tester's is loaded.
    pub(super) const fn is_embedded(&self) -> bool {
        self.ceiling || self.embedded
    }

    fn curve(&self) -> Curve {
        match self.arrivals {
            Shape::Constant => Curve::Constant,
            Shape::Ramp => Curve::Ramp {
                from_per_s: self.ramp_from,
            },
            Shape::Day => Curve::Day,
        }
    }

    fn mixture(&self) -> Result<Mixture, Failure> {
        let Some(file) = &self.mix else {
            return Ok(self.played(Mixture::usual()));
        };
        let place = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| Failure::new(Exit::Usage, place.clone(), error))?;
        let mix = self.played(Mixture::parse(&text).map_err(|error| Failure::config(place.clone(), error))?);
        if mix.is_empty() {
            return Err(Failure::config(place, "nothing is left to play"));
        }
        Ok(mix)
    }

    fn played(&self, mix: Mixture) -> Mixture {
        if self.platform_elsewhere {
            mix.without_platform()
        } else {
            mix
        }
    }
}

pub(super) async fn run(settings: &Settings, args: &LoadArgs, config: Option<&Config>, form: Form) -> Result<Exit, Failure> {
    let Some(length) = args.duration else {
        return Err(Failure::new(Exit::Usage, "--duration", "how long is the load?"));
    };
    let mix = args.mixture()?;
    let arrivals = Arrivals::new(args.curve(), settings.rate, length);
    let arrivals = if args.poisson {
        arrivals.at_random(settings.seed)
    } else {
        arrivals
    };
    let keep = args.keep.as_deref();
    let field = match config {
        Some(config) => Field::against(settings, config, &mix, !args.platform_elsewhere, keep).await?,
        None => Field::embedded(settings, &mix, keep).await?,
    };
    let (shared, samples) = play(&field, settings.seed, mix, arrivals, args.under_way_max).await?;
    let took = shared.begun.elapsed();
    field.end().await?;
    let report = Report {
        tally: &shared.tally(),
        settings,
        length,
        took,
        samples: &samples,
    };
    write_report(args.html.as_deref(), || report.html(args.lang.language()))?;
    output::say(&match form {
        Form::Json => output::json(&report.object()),
        Form::Text => report.page(),
    });
    Ok(if report.is_as_planned() { Exit::Ok } else { Exit::CheckFailed })
}

async fn play(
    field: &Field,
    seed: u64,
    mix: Mixture,
    arrivals: Arrivals,
    under_way_max: usize,
) -> Result<(Arc<Shared>, Vec<Sample>), Failure> {
    let tally = Tally::new().ok_or_else(|| Failure::new(Exit::Unavailable, "histogram", "cannot be made"))?;
    let shared = Arc::new(Shared {
        begun: Instant::now(),
        started: AtomicU64::new(0),
        tally: Mutex::new(tally),
    });
    let view = View::start(Arc::clone(&shared), field.queues.clone(), field.remembering());
    let (players, counted) = (field.players.clone(), Arc::clone(&shared));
    let work = move |order: Order| {
        let players = players.clone();
        counted.started.fetch_add(1, Ordering::Relaxed);
        async move { players.play(order).await }
    };
    let orders = (0..).map_while(move |n| mix.order(seed, n));
    let collect = |one: Finished<Ended>| shared.tally().take(one);
    drive_at(&Tap::default(), arrivals.map(Some).zip(orders), under_way_max, work, collect).await;
    let samples = view.stop().await;
    Ok((shared, samples))
}

/// A number with s, m or h behind it; seconds without.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let found = units
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = found.unwrap_or((text, 1));
    let parsed = number.parse::<u64>().ok().filter(|number| (1..=1_000_000).contains(number));
    parsed
        .map(|number| Duration::from_secs(number * seconds))
        .ok_or_else(|| "a number of seconds, or 30s, 10m, 6h".to_owned())
}
