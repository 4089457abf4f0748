//! `hangu sim replay`: a recording against a gateway in this process, at any speed, with outcomes compared.

use super::scenario::{folder, stage};
use super::{Exit, Failure, Form};
use crate::cli::output;
use simulators::traffic::{self, Line, replay::Replayed};
use stage::{Place, Stage};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Args {
    /// What `hangu sim record` wrote.
    file: PathBuf,
    /// How many times faster than it was recorded; 0.5 is half as fast.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// The same seed gives the same keys and signatures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show the gateway's log: error, warn, info, debug or trace.
    #[arg(long)]
    log: Option<tracing::Level>,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let place = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Failure::new(Exit::Usage, place.clone(), error))?;
    let lines = traffic::read(&text).map_err(|error| Failure::new(Exit::CheckFailed, place, error))?;
    if let Some(level) = args.log {
        hangu::telemetry::init_logs(level, form == Form::Json);
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let replayed = runtime.block_on(play(args, &lines))?;
    output::say(&match form {
        Form::Json => output::json(&replayed),
        Form::Text => page(&replayed),
    });
    let is_same = replayed.differences.is_empty();
    Ok(if is_same { Exit::Ok } else { Exit::CheckFailed })
}

async fn play(args: &Args, lines: &[Line]) -> Result<Replayed, Failure> {
    let folder = folder()?;
    stage::make_keys(folder.path(), args.seed)?;
    let place = Place {
        folder: folder.path(),
        name: "replay",
        broker: None,
        between: stage::nothing,
    };
    let stage = Stage::set(place, "nps", args.seed, Arc::default()).await?;
    let replayed = stage.replay(lines, args.speed).await;
    stage.end().await;
    replayed
}

fn page(replayed: &Replayed) -> String {
    let mut page = String::new();
    for difference in &replayed.differences {
        page.push_str(&format!(
            "{:>6}  {:<10} recorded {}, replayed {}\n",
            difference.place, difference.operation, difference.recorded, difference.replayed
        ));
    }
    page.push_str(&format!(
        "{} of {} exchanges ended as recorded; {:.1} s, the latest left {} ms after its time",
        replayed.same,
        replayed.exchanges,
        replayed.took_ms as f64 / 1000.0,
        replayed.late_ms_max
    ));
    page
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().map_err(|error| error.to_string())?;
    let is_fit = (0.01..=10_000.0).contains(&speed);
    if is_fit { Ok(speed) } else { Err("0.01 to 10000".to_owned()) }
}
