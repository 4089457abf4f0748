//! `hangu demo`: the main job in one process, on embedded defaults, with throw-away keys, and its proof.

mod checks;
mod institutions;
pub(crate) mod stage;
mod table;

use super::journal::verify;
use super::output::{self, Exit, Failure, Form};
use hangu::clock::millis;
use hangu::exchange::Gateway;
use hangu::journal::verify::Report as Proof;
use simulators::mix::{self, Flow, Planned};
use simulators::play::Played;
use stage::Stage;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many payments to play.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    payments: u64,
    /// Arrivals per second; 0 = as fast as they are answered.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// The same seed plays the same payments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep journal, keys, hangu.toml and the three books in this folder; it must not exist.
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
    /// error, warn, info, debug or trace; the demo breaks things on purpose, so warnings are expected from `warn` on.
    #[arg(long, default_value = "error")]
    log: tracing::Level,
}

/// What a run gave.
pub(crate) struct Run {
    pub(crate) played: Vec<Played>,
    pub(crate) planned: Vec<Planned>,
    pub(crate) took: Duration,
    pub(crate) end: stage::End,
    /// What the journal's own proof found.
    pub(crate) proof: Proof,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.log, false);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let run = runtime.block_on(play(args, form))?;
    let report = table::Report::of(&run);
    match form {
        Form::Text => output::say(&report.text()),
        Form::Json => output::say(&output::json(&report.json())),
    }
    Ok(if report.holds() { Exit::Ok } else { Exit::CheckFailed })
}

async fn play(args: &Args, form: Form) -> Result<Run, Failure> {
    let folder = stage::folder(args.keep.as_deref())?;
    let stage = Stage::set(folder.path(), &tokio::runtime::Handle::current()).await?;
    if form == Form::Text {
        output::say(INTRODUCTION);
    }
    let planned = mix::plan(args.seed, args.payments);
    let load = simulators::load::Load {
        rate_per_s: args.rate,
        concurrency_max: CONCURRENCY_MAX,
    };
    let (desk, client) = (stage.desk(), stage.client());
    let work = move |planned: Planned| {
        let (desk, client) = (desk.clone(), client.clone());
        async move {
            match planned.flow {
                Flow::CentreToPlatform => desk.play(&planned).await,
                Flow::PlatformToCentre => client.play(&planned).await,
            }
        }
    };
    let mut progress = Progress::new(args.payments);
    let started = Instant::now();
    let played = async {
        let finished = simulators::load::drive(planned.clone(), load, work, |done| progress.show(done)).await;
        (finished, started.elapsed())
    };
    let ((finished, took), performances) = tokio::join!(played, stage.play_institutions());
    progress.end();
    let end = stage.end(performances?).await?;
    let proof = prove(&end.gateway).await?;
    if args.keep.is_some() {
        end.keep(folder.path())?;
    }
    Ok(Run {
        played: finished.into_iter().map(|one| one.result).collect(),
        planned,
        took,
        end,
        proof,
    })
}

async fn prove(gateway: &Gateway) -> Result<Proof, Failure> {
    let (journal, now) = (gateway.journal(), millis(gateway.now()));
    verify::prove(&**journal, gateway.config(), gateway.keyring(), None, now).await
}

/// A line that counts while the payments run: in place on a terminal, now and then elsewhere.
struct Progress {
    total: u64,
    started: Instant,
    shown: Instant,
    in_place: bool,
}

impl Progress {
    fn new(total: u64) -> Self {
        let now = Instant::now();
        Self {
            total,
            started: now,
            shown: now,
            in_place: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, done: usize) {
        let pause = if self.in_place {
            Duration::from_millis(100)
        } else {
            Duration::from_secs(2)
        };
        if self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let per_second = done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let line = format!("  {done} of {} payments, {per_second:.0} a second", self.total);
        let mut stderr = std::io::stderr();
        let written = if self.in_place {
            write!(stderr, "\r{line}   ")
        } else {
            writeln!(stderr, "{line}")
        };
        // A closed standard error must not end the run.
        drop(written.and_then(|()| stderr.flush()));
    }

    fn end(&self) {
        if self.in_place {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

const CONCURRENCY_MAX: usize = 2_000;
const INTRODUCTION: &str = "\
hangu demo: clearing centre <-NPS, queues-> gateway <-JSON, HTTP-> platform, and each institution over a link of its own;
everything in this process, keys made for this run.
Each message is sealed and signed with SM2/SM3/SM4, verified and opened by the other side, and journalled before it is sent.";
