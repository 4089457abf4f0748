//! `hangu key rotate`: from one key to the next, step by step. Each step says what it waits for, from what the instances
//! measured, and is refused while it has to wait.
//!
//! In an open folder one person's change is in force at once, and this says so; a folder that is guarded takes it as a proposal.

use super::create::usages;
use super::propose::instant;
use super::sign::Signer;
use super::words::failure;
use crate::cli::output::{self, Exit, Failure, Form};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use codecs::payment::{Operation, Role};
use codecs::spec::Spec;
use hangu::clock::{Clock, Random};
use hangu::config::{Config, LinkConfig};
use hangu::shell::{SystemClock, SystemEntropy};
use hangu::start::spec_of;
use keys::guarded::State;
use keys::key::{KeyEntry, KeyInfo, Side, Status, Usage};
use keys::keyring::Keyring;
use keys::rotation::{Plan, Proposed, Situation, Stage, plan};
use keys::store::{Applied, Change, Changes, NewKey, OpenFolder, StoreError};
use measure::Figures;
use officers::Approval;
use report::Report;
use std::path::PathBuf;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

mod announced; // keys that the counterparty announced
pub(super) mod measure; // what the instances say
mod officers; // the steps of a guarded store
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
    /// With `prepare`: the key that the counterparty announced by message, proven once more; compare its fingerprint first.
    #[arg(long, conflicts_with = "from")]
    announced: bool,
    /// With `prepare`: days from now for which the key may be used.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// Seconds for which a key must not have been seen before it is retired.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    quiet_s: i64,
    /// Seconds from now to the instant at which a promotion takes effect; without it 30, in a guarded store 3600.
    #[arg(long, value_parser = clap::value_parser!(i64).range(5..=2_592_000))]
    lead_s: Option<i64>,
    /// The instant at which a promotion takes effect, RFC 3339.
    #[arg(long, conflicts_with = "lead_s", value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// In a guarded store: seconds to wait for the approvals of what was proposed.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=604_800))]
    wait_s: i64,
    /// In a guarded store: days for which a proposal may be approved.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=30))]
    open_days: i64,
    #[command(flatten)]
    signer: Signer,
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
    let now = SystemClock.now();
    let state = guarded(&config)?;
    let proposed = |state: &State| officers::proposed(state, (args.link(), args.side(), args.usage), now);
    let rotation = Rotation {
        keyring: config.keys.load()?,
        proposed: state.as_ref().map(proposed).unwrap_or_default(),
        state,
        figures: measure::figures(&config, args.link(), now)?,
        now: SystemClock.now(),
        config: &config,
        args,
    };
    let plan = rotation.plan();
    let outcome = rotation.take(&plan)?;
    let approval = rotation.approval(&outcome)?;
    let report = Report {
        shelf: rotation.shelf(),
        figures: &rotation.figures,
        version: rotation.keyring.version(),
        plan: &plan,
        outcome: &outcome,
        approval,
        now: rotation.now,
    };
    output::say(&report.print(form));
    let is_done = approval.map_or_else(|| outcome.is_taken() || outcome == Outcome::Shown, Approval::is_in_force);
    Ok(if is_done { Exit::Ok } else { Exit::CheckFailed })
}

/// What a guarded folder holds; none for an open one.
fn guarded(config: &Config) -> Result<Option<State>, Failure> {
    let folder = &config.keys.folder;
    if !config.keys.is_guarded() {
        return Ok(None);
    }
    let (_, state) = keys::guarded::read(folder).map_err(|error| failure(folder, error))?;
    Ok(Some(state))
}

/// What became of the step that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Shown,
    /// A key was made, in this file.
    Made(PathBuf),
    Changed(Change, Applied),
    /// A key was made and proposed; its public half is for the counterparty.
    ProposedKey {
        told: String,
        number: u64,
        public: Option<String>,
    },
    /// What was proposed was taken back.
    Withdrawn(u64),
    /// It cannot be taken yet.
    Waits,
    /// It follows another stage than the one that stands.
    OutOfTurn(Stage),
}

impl Outcome {
    fn is_taken(&self) -> bool {
        match self {
            Self::Made(_) | Self::Changed(..) | Self::ProposedKey { .. } | Self::Withdrawn(_) => true,
            Self::Shown | Self::Waits | Self::OutOfTurn(_) => false,
        }
    }

    /// Public half of the key that was proposed.
    fn public(&self) -> Option<&str> {
        if let Self::ProposedKey { public, .. } = self {
            public.as_deref()
        } else {
            None
        }
    }

    /// Number of the proposal that the step became.
    fn proposal(&self) -> Option<u64> {
        match self {
            Self::Changed(_, Applied::Proposed { proposal }) => proposal.parse().ok(),
            Self::ProposedKey { number, .. } => Some(*number),
            Self::Made(_)
            | Self::Changed(_, Applied::InForce { .. })
            | Self::Withdrawn(_)
            | Self::Shown
            | Self::Waits
            | Self::OutOfTurn(_) => None,
        }
    }
}

impl Args {
    fn link(&self) -> &str {
        &self.link
    }

    fn side(&self) -> Side {
        self.side.unwrap_or(match self.usage {
            Usage::Sign | Usage::Seal if self.announced => Side::Theirs,
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
    /// Of a guarded folder.
    state: Option<State>,
    proposed: Vec<Proposed>,
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
        let confirmed = self.announces().then(|| self.figures.confirmed(&keys));
        plan(&Situation {
            keys,
            confirmed: confirmed.as_ref(),
            version: self.keyring.version(),
            instances: &self.figures.instances,
            proposed: &self.proposed,
            traffic: &traffic,
            names_keys: self.names_keys(),
            successor: self.args.serial.as_deref(),
            quiet: Duration::seconds(self.args.quiet_s),
            lead: self.lead(),
            now: self.now,
        })
    }

    /// Officers need longer than a person alone.
    fn lead(&self) -> Duration {
        let usual = if self.state.is_some() { 3600 } else { 30 };
        let lead = Duration::seconds(self.args.lead_s.unwrap_or(usual));
        self.args.at.map_or(lead, |at| at - self.now)
    }

    /// Whether the gateways tell the counterparty of our keys by message.
    fn announces(&self) -> bool {
        let announces = |link: &LinkConfig| link.announce_keys && link.mq.is_some();
        let has_message = |spec: Arc<Spec>| spec.message_for(Operation::Certificate, Role::Request).is_some();
        self.config.link.get(&self.args.link).is_some_and(announces) && self.spec().is_some_and(has_message)
    }

    fn spec(&self) -> Option<Arc<Spec>> {
        let specs = self.config.specs().ok();
        let link = self.config.link.get(&self.args.link);
        specs
            .zip(link)
            .and_then(|(specs, link)| spec_of(&specs, &self.args.link, link).ok())
    }

    /// A link that is not configured says nothing, so nothing stands against it.
    fn names_keys(&self) -> bool {
        let spec = self.spec();
        let is_whole = (self.args.side(), self.args.usage) == (Side::Shared, Usage::Seal);
        spec.is_none_or(|spec| !is_whole && !spec.warnings().iter().any(|warning| warning.place == UNNAMED))
    }

    fn take(&self, plan: &Plan<'_>) -> Result<Outcome, Failure> {
        let step = self.args.step;
        if let (Step::Rollback, Some(last)) = (step, self.proposed.last()) {
            return self.withdraw(last.number);
        }
        if step != Step::Status && !self.proposed.is_empty() {
            return Ok(Outcome::Waits);
        }
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
        if let Some(state) = &self.state {
            return self.propose(state, change);
        }
        let folder =
            OpenFolder::new(&self.config.keys.folder, self.config.keys.engine).with_devices(self.config.keys.devices().clone());
        let applied = folder.apply(std::slice::from_ref(change)).map_err(refused)?;
        Ok(Outcome::Changed(change.clone(), applied))
    }

    /// The successor is like its predecessor in all but its serial, its validity and its bytes.
    fn prepare(&self, plan: &Plan<'_>) -> Result<Outcome, Failure> {
        let Some(predecessor) = plan.predecessor else {
            return Ok(Outcome::Waits);
        };
        let announced = self.args.announced.then(|| self.announced()).transpose()?;
        let stated = announced.as_ref().map(|given| &given.serial).or(self.args.serial.as_ref());
        let Some(serial) = stated else {
            let detail = "prepare needs the serial number that the new key will have in messages";
            return Err(Failure::new(Exit::Usage, "--serial", detail));
        };
        let (folder, mut new) = (&self.config.keys.folder, self.successor(predecessor, serial)?);
        if let Some(given) = &announced {
            (new.entry.not_before, new.entry.not_after) = given.valid;
        }
        if let Some(state) = &self.state {
            return self.propose_key(state, &new, announced.map(|given| given.pem));
        }
        let text = match (announced, &self.args.from) {
            (Some(given), _) => given.pem,
            (None, Some(file)) => {
                std::fs::read_to_string(file).map_err(|error| Failure::new(Exit::Usage, file.display().to_string(), error))?
            }
            (None, None) => {
                let created = keys::store::create(folder, &new, &mut Random(&SystemEntropy)).map_err(refused)?;
                return Ok(Outcome::Made(created.public.unwrap_or(created.secret)));
            }
        };
        let file = keys::store::import(folder, &new.entry, &text).map_err(refused)?;
        Ok(Outcome::Made(file))
    }

    /// What became of the step's proposal, if it is waited for.
    fn approval(&self, outcome: &Outcome) -> Result<Option<Approval>, Failure> {
        let waits_on = self.proposed.last().filter(|_| *outcome == Outcome::Waits);
        let number = outcome.proposal().or_else(|| waits_on.map(|proposed| proposed.number));
        let number = number.filter(|_| self.args.wait_s > 0);
        number.map(|number| self.await_approval(number)).transpose()
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
