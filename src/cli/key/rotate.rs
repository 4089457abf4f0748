//! `hangu key rotate`: from one key to the next, step by step. Each step says what it waits for, from what the instances
//! measured, and is refused while it has to wait.
//!
//! In an open folder one person's change is in force at once, and this says so; a folder that is guarded takes it as a proposal.

use super::create::usages;
use crate::cli::output::{self, Exit, Failure, Form};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use codecs::spec::Specs;
use hangu::clock::{Clock, Random};
use hangu::config::Config;
use hangu::shell::{SystemClock, SystemEntropy};
use hangu::start::spec_of;
use keys::key::{KeyEntry, KeyInfo, Side, Status, Usage};
use keys::keyring::Keyring;
use keys::rotation::{Plan, Situation, Stage, plan};
use keys::store::{Applied, Change, Changes, NewKey, OpenFolder, StoreError};
use measure::Figures;
use report::Report;
use std::path::PathBuf;
use time::{Duration, OffsetDateTime};

mod measure; // what the instances say
mod report; // what is printed

#[derive(clap::Args)]
pub(super) struct Args {
    /// Link whose key it is; `journal` for the journal's own.
    link: String,
    /// What to do; without it what the rotation waits for is shown.
    #[arg(value_enum, default_value_t = Step::Status)]
    step: Step,
    /// What the key is for.
    #[arg(long, value_parser = usages())]
    usage: Usage,
    /// Whose key it is; without it `ours`, and `shared` for mac and journal keys.
    #[arg(long, value_parser = sides())]
    side: Option<Side>,
    /// Serial number of the successor: of the key to be made, or which one of several is meant.
    #[arg(long)]
    serial: Option<String>,
    /// With `prepare`: the counterparty's new public key or certificate.
    #[arg(long)]
    from: Option<PathBuf>,
    /// With `prepare`: days from now for which the key may be used.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// Seconds for which a key must not have been seen before it is retired.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    quiet_s: i64,
    /// Seconds from now to the instant at which a promotion takes effect.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(5..=604_800))]
    lead_s: i64,
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Step {
    /// Show the stage and what it waits for.
    Status,
    /// Make the successor, or enter the counterparty's; it does not work yet.
    Prepare,
    /// Let the successor work beside its predecessor: the counterparty has it.
    Accept,
    /// Let the successor take its place, on all instances at one instant.
    Promote,
    /// Keep the predecessor only for what is on its way.
    Drain,
    /// End the predecessor.
    Retire,
    /// Take the last step back; after a promotion the predecessor takes its place again.
    Rollback,
}

impl Step {
    /// The stage from which a step goes on.
    const fn follows(self) -> Option<Stage> {
        match self {
            Self::Status | Self::Rollback => None,
            Self::Prepare => Some(Stage::Prepare),
            Self::Accept => Some(Stage::Distribute),
            Self::Promote => Some(Stage::Accept),
            Self::Drain => Some(Stage::Promote),
            Self::Retire => Some(Stage::Drain),
        }
    }
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let rotation = Rotation {
        keyring: config.keys.load()?,
        figures: measure::figures(&config, args.link(), SystemClock.now())?,
        now: SystemClock.now(),
        config: &config,
        args,
    };
    let plan = rotation.plan();
    let outcome = rotation.take(&plan)?;
    let report = Report {
        shelf: rotation.shelf(),
        figures: &rotation.figures,
        version: rotation.keyring.version(),
        plan: &plan,
        outcome: &outcome,
        now: rotation.now,
    };
    output::say(&report.print(form));
    Ok(match outcome {
        Outcome::Shown | Outcome::Made(_) | Outcome::Changed(..) => Exit::Ok,
        Outcome::Waits | Outcome::OutOfTurn(_) => Exit::CheckFailed,
    })
}

/// What became of the step that was asked for.
enum Outcome {
    Shown,
    /// A key was made, in this file.
    Made(PathBuf),
    Changed(Change, Applied),
    /// It cannot be taken yet.
    Waits,
    /// It follows another stage than the one that stands.
    OutOfTurn(Stage),
}

impl Args {
    fn link(&self) -> &str {
        &self.link
    }

    fn side(&self) -> Side {
        self.side.unwrap_or(match self.usage {
            Usage::Sign | Usage::Seal => Side::Ours,
            Usage::Mac | Usage::Journal => Side::Shared,
        })
    }
}

/// One rotation as it stands.
struct Rotation<'a> {
    args: &'a Args,
    config: &'a Config,
    keyring: Keyring,
    figures: Figures,
    now: OffsetDateTime,
}

impl Rotation<'_> {
    fn shelf(&self) -> (&str, Side, Usage) {
        (&self.args.link, self.args.side(), self.args.usage)
    }

    fn plan(&self) -> Plan<'_> {
        let fits = |info: &&KeyInfo| (info.link.as_str(), info.side, info.usage) == self.shelf();
        let keys: Vec<_> = self.keyring.infos().filter(fits).collect();
        let traffic = self.figures.traffic(&keys, self.now);
        plan(&Situation {
            keys,
            version: self.keyring.version(),
            instances: &self.figures.instances,
            traffic: &traffic,
            names_keys: self.names_keys(),
            successor: self.args.serial.as_deref(),
            quiet: Duration::seconds(self.args.quiet_s),
            lead: Duration::seconds(self.args.lead_s),
            now: self.now,
        })
    }

    /// A link that is not configured says nothing, so nothing stands against it.
    fn names_keys(&self) -> bool {
        let specs = Specs::embedded().ok();
        let link = self.config.link.get(&self.args.link);
        let spec = specs
            .zip(link)
            .and_then(|(specs, link)| spec_of(&specs, &self.args.link, link).ok());
        let is_whole = (self.args.side(), self.args.usage) == (Side::Shared, Usage::Seal);
        spec.is_none_or(|spec| !is_whole && !spec.warnings().iter().any(|warning| warning.place == UNNAMED))
    }

    fn take(&self, plan: &Plan<'_>) -> Result<Outcome, Failure> {
        let step = self.args.step;
        if let Some(wanted) = step.follows().filter(|wanted| *wanted != plan.stage) {
            return Ok(Outcome::OutOfTurn(wanted));
        }
        match step {
            Step::Status => Ok(Outcome::Shown),
            Step::Prepare => self.prepare(plan),
            Step::Rollback => self.change(plan.back.as_ref()),
            Step::Accept | Step::Promote | Step::Drain | Step::Retire if plan.waits.is_empty() => {
                self.change(plan.forward.as_ref())
            }
            Step::Accept | Step::Promote | Step::Drain | Step::Retire => Ok(Outcome::Waits),
        }
    }

    fn change(&self, change: Option<&Change>) -> Result<Outcome, Failure> {
        let Some(change) = change else {
            return Ok(Outcome::Waits);
        };
        self.is_open(&format!("hangu key status {}={}", change.id, change.status.name()))?;
        let folder = OpenFolder::new(&self.config.keys.folder, self.config.keys.engine);
        let applied = folder.apply(std::slice::from_ref(change)).map_err(refused)?;
        Ok(Outcome::Changed(change.clone(), applied))
    }

    /// The successor is like its predecessor in all but its serial, its validity and its bytes.
    fn prepare(&self, plan: &Plan<'_>) -> Result<Outcome, Failure> {
        let Some(predecessor) = plan.predecessor else {
            return Ok(Outcome::Waits);
        };
        let Some(serial) = &self.args.serial else {
            let detail = "prepare needs the serial number that the new key will have in messages";
            return Err(Failure::new(Exit::Usage, "--serial", detail));
        };
        self.is_open("hangu key create, or import")?;
        let (folder, new) = (&self.config.keys.folder, self.successor(predecessor, serial)?);
        let Some(given) = &self.args.from else {
            let created = keys::store::create(folder, &new, &mut Random(&SystemEntropy)).map_err(refused)?;
            return Ok(Outcome::Made(created.public.unwrap_or(created.secret)));
        };
        let unreadable = |error| Failure::new(Exit::Usage, given.display().to_string(), error);
        let text = std::fs::read_to_string(given).map_err(unreadable)?;
        let file = keys::store::import(folder, &new.entry, &text).map_err(refused)?;
        Ok(Outcome::Made(file))
    }

    /// A guarded store changes by what officers propose and approve.
    fn is_open(&self, instead: &str) -> Result<(), Failure> {
        let folder = &self.config.keys.folder;
        if !keys::guarded::is_guarded(folder) {
            return Ok(());
        }
        let detail = format!("is a guarded store; an officer proposes this by: {instead}");
        Err(Failure::new(Exit::Usage, folder.display().to_string(), detail))
    }

    fn successor(&self, predecessor: &KeyInfo, serial: &str) -> Result<NewKey, Failure> {
        let not_before = self.now.replace_nanosecond(0).unwrap_or(self.now);
        let held = self.config.keys.held()?.into_iter();
        let user_id = held
            .map(|held| held.entry)
            .find(|entry| entry.id == predecessor.id)
            .and_then(|entry| entry.user_id);
        let entry = KeyEntry {
            id: self.id(serial),
            link: predecessor.link.clone(),
            side: predecessor.side,
            usage: predecessor.usage,
            algorithm: predecessor.algorithm,
            status: Status::Pending,
            serial: serial.to_owned(),
            primary_from: None,
            not_before,
            not_after: not_before + Duration::days(self.args.days),
            user_id,
        };
        Ok(NewKey {
            entry,
            bits: predecessor.bits.unwrap_or(2048),
        })
    }

    /// Its files are named after it, so what a file's name should not hold is left out.
    fn id(&self, serial: &str) -> String {
        let (link, side, usage) = self.shelf();
        let id = format!("{link}-{}-{}-{serial}", side.name(), usage.name());
        id.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .collect()
    }
}

fn refused(error: StoreError) -> Failure {
    Failure::config(error.file, error.detail)
}

fn sides() -> impl TypedValueParser<Value = Side> {
    PossibleValuesParser::new(Side::ALL.map(Side::name)).try_map(|name| Side::parse(&name).ok_or("not known"))
}

/// Where a spec warns that its messages name no key.
const UNNAMED: &str = "envelope.unnamed";
