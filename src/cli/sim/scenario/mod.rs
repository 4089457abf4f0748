//! `hangu sim check` and `hangu sim run NAME...`: scenarios, each with a gateway of its own in this process.

mod guest;
#[cfg(test)]
mod planted;
mod rotate;
pub(super) mod stage;
mod storm;

use super::{Lang, write_report};
use crate::cli::demo::stage::Folder;
use crate::cli::output::{self, Exit, Failure, Form};
use hangu::clock::Entropy;
use hangu::config::Config;
use hangu::shell::SystemEntropy;
use simulators::scenario::report;
use simulators::scenario::tape::Tape;
use simulators::scenario::{Flaw, Scenario, Verdict, library};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct PlayArgs {
    /// Names of shipped scenarios (`hangu sim list`), files, or `all`.
    #[arg(required = true)]
    scenarios: Vec<String>,
    /// The same seed gives the same ids, amounts, customers and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many run at a time, each in a world of its own.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Play over the broker of this configuration's MQ link instead of the embedded one. Queues are declared under names of
    /// their own and left there: give it a vhost that you can throw away.
    #[arg(long, value_name = "HANGU_TOML")]
    broker: Option<PathBuf>,
    /// Write a report in `JUnit`'s XML.
    #[arg(long)]
    junit: Option<PathBuf>,
    /// Write a report in one HTML file that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Language of the reports for people.
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// Show the gateway's log: error, warn, info, debug or trace.
    #[arg(long)]
    log: Option<tracing::Level>,
}

pub(super) fn check(args: &CheckArgs, form: Form) -> Result<Exit, Failure> {
    let (mut good, mut flaws) = (Vec::new(), Vec::new());
    for file in &args.files {
        match read(file)? {
            Ok(scenarios) => good.extend(scenarios),
            Err(found) => flaws.extend(found),
        }
    }
    let names: Vec<&str> = good.iter().map(|scenario| scenario.name.as_str()).collect();
    match form {
        Form::Json => output::say(&output::json(&serde_json::json!({ "scenarios": names, "flaws": flaws }))),
        Form::Text => {
            for one in &good {
                output::say(&format!("ok   {}: {} steps", one.name, one.steps.len()));
            }
            for flaw in &flaws {
                output::say(&flaw.to_string());
            }
        }
    }
    Ok(if flaws.is_empty() { Exit::Ok } else { Exit::CheckFailed })
}

pub(super) fn run(args: &PlayArgs, form: Form) -> Result<Exit, Failure> {
    let scenarios = chosen(&args.scenarios)?;
    if let Some(level) = args.log {
        hangu::telemetry::init_logs(level, form == Form::Json);
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let how = Conducting {
        seed: args.seed,
        jobs: args.jobs,
        broker: args.broker.as_deref().map(broker).transpose()?,
    };
    let told = |verdict: &Verdict| {
        if form == Form::Text {
            output::say(report::line(verdict).trim_end());
        }
    };
    let played = runtime.block_on(conduct(&folder()?, scenarios, how, told))?;
    let verdicts: Vec<Verdict> = played.into_iter().map(|one| one.verdict).collect();
    let language = args.lang.language();
    write_report(args.junit.as_deref(), || report::junit(&verdicts))?;
    write_report(args.html.as_deref(), || report::html(&verdicts, language))?;
    match form {
        Form::Json => output::say(&output::json(&report::json(&verdicts))),
        Form::Text => output::say(&report::summary(&verdicts, args.seed)),
    }
    let is_good = verdicts.iter().all(|verdict| verdict.passed);
    Ok(if is_good { Exit::Ok } else { Exit::CheckFailed })
}

/// The shipped scenarios, which a test holds to be sound.
pub(super) fn embedded() -> Result<Vec<Scenario>, Failure> {
    library::embedded().map_err(flawed)
}

/// A scenario that was played, and all that was seen of it.
pub(super) struct Played {
    pub(super) verdict: Verdict,
    pub(super) tape: Arc<Tape>,
}

/// How scenarios are played.
pub(super) struct Conducting {
    pub(super) seed: u64,
    /// How many at a time.
    pub(super) jobs: u16,
    pub(super) broker: Option<Arc<stage::Broker>>,
}

/// Runs all, some at a time; tells of each as soon as all before it have ended.
pub(super) async fn conduct(
    folder: &Arc<Folder>,
    scenarios: Vec<Scenario>,
    how: Conducting,
    told: impl Fn(&Verdict),
) -> Result<Vec<Played>, Failure> {
    let Conducting { seed, jobs, broker } = how;
    stage::make_keys(folder.path(), seed)?;
    let places = Arc::new(Semaphore::new(usize::from(jobs)));
    let playing: Vec<_> = scenarios
        .into_iter()
        .map(|scenario| {
            let (folder, places, broker) = (Arc::clone(folder), Arc::clone(&places), broker.clone());
            tokio::spawn(async move {
                // The places are never closed.
                let _place = places.acquire_owned().await.ok();
                let place = stage::Place {
                    folder: folder.path(),
                    name: &scenario.name,
                    broker: broker.as_deref(),
                    between: stage::nothing,
                };
                let tape = Arc::<Tape>::default();
                let verdict = stage::play(place, &scenario, seed, tape.clone(), &CancellationToken::new()).await;
                Played { verdict, tape }
            })
        })
        .collect();
    let mut played = Vec::new();
    for one in playing {
        let one = one
            .await
            .map_err(|error| Failure::new(Exit::Unavailable, "scenario", error))?;
        told(&one.verdict);
        played.push(one);
    }
    Ok(played)
}

fn broker(file: &Path) -> Result<Arc<stage::Broker>, Failure> {
    let config = Config::load(file)?;
    let (_, _, mq) = super::queue_link(&config)?;
    let mut run = [0; 4];
    SystemEntropy.fill(&mut run);
    Ok(Arc::new(stage::Broker {
        config: mq.clone(),
        prefix: format!("hangu.sim.{:08x}", u32::from_be_bytes(run)),
    }))
}

/// Files, names and `all`, in the order given.
fn chosen(words: &[String]) -> Result<Vec<Scenario>, Failure> {
    let shipped = embedded()?;
    let mut chosen = Vec::new();
    for word in words {
        let named = shipped.iter().filter(|scenario| word == "all" || is_named(scenario, word));
        let before = chosen.len();
        chosen.extend(named.cloned());
        if chosen.len() == before {
            chosen.extend(sound(Path::new(word))?);
        }
    }
    Ok(chosen)
}

/// By its name, or all instances of a file by the file's.
fn is_named(scenario: &Scenario, word: &str) -> bool {
    scenario.name == word || scenario.file_name == word
}

fn read(file: &Path) -> Result<Result<Vec<Scenario>, Vec<Flaw>>, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let detail = format!("{error}; it is neither a file nor the name of a shipped scenario (hangu sim list)");
        Failure::new(Exit::Usage, name.clone(), detail)
    })?;
    Ok(Scenario::parse(&name, &text))
}

/// The scenarios of a file; what is wrong with it is an error.
pub(super) fn sound(file: &Path) -> Result<Vec<Scenario>, Failure> {
    read(file)?.map_err(flawed)
}

fn flawed(flaws: Vec<Flaw>) -> Failure {
    let lines: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    Failure::new(Exit::CheckFailed, "scenario", lines.join("\n"))
}

/// In memory where the system has a folder there: what a scenario shows needs no disk, and a slow one would spoil its times.
pub(super) fn folder() -> Result<Arc<Folder>, Failure> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let name = format!("hangu-sim-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let in_memory = Path::new(MEMORY_FOLDER).join(&name);
    if std::fs::create_dir(&in_memory).is_ok() {
        return Ok(Arc::new(Folder::Thrown(in_memory)));
    }
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).map_err(|error| Failure::new(Exit::Unavailable, path.display().to_string(), error))?;
    Ok(Arc::new(Folder::Thrown(path)))
}

const MEMORY_FOLDER: &str = "/dev/shm";
