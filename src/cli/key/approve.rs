//! `hangu key proposals`, `approve` and `withdraw`: what waits for a second officer, and that officer's word on it.

use super::Place;
use super::files::write_new;
use super::sign::Signer;
use super::words::{described, failure, page, rows, told};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, titles};
use hangu::clock::{Clock, Random};
use hangu::secret::read_public;
use hangu::shell::{SystemClock, SystemEntropy};
use keys::guarded::{Ending, FileDisk, Kind, Log, Open, State, Statement, Writer, read};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Number of a proposal, to see all of it.
    number: Option<u64>,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(super) struct ApproveArgs {
    /// Numbers of the proposals.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    numbers: Vec<u64>,
    /// Bring in what was signed elsewhere: an approval or withdrawal.
    #[arg(long, conflicts_with_all = ["officer_key", "log"])]
    file: Option<PathBuf>,
    /// Sign elsewhere: a copy of store.log, which is verified whole. The folder is not touched.
    #[arg(long, requires = "to")]
    log: Option<PathBuf>,
    /// New file for what was signed.
    #[arg(long, requires = "log")]
    to: Option<PathBuf>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(super) struct WithdrawArgs {
    /// Number of the proposal.
    number: u64,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    place: Place,
}

pub(super) fn list(args: &ListArgs, form: Form) -> Result<Exit, Failure> {
    let folder = args.place.guarded()?.folder;
    let (_, state) = read(&folder).map_err(|error| failure(&folder, error))?;
    if let Some(number) = args.number {
        let open = find(&state, number)?;
        let all = output::json(&open.proposal.change);
        let mut shown = rows(open, &state);
        shown.push(("key.content", all));
        output::say(&page(form, &described(open, &state), &shown));
        return Ok(Exit::Ok);
    }
    let cells = |open: &Open| {
        rows(open, &state)
            .into_iter()
            .take(SHORT.len())
            .map(|(_, cell)| cell)
            .collect()
    };
    output::say(&match form {
        Form::Json => output::json(&json!({ "proposals": state.open().map(|open| described(open, &state)).collect::<Vec<_>>() })),
        Form::Text => table(&titles(&SHORT), &state.open().map(cells).collect::<Vec<_>>()),
    });
    Ok(Exit::Ok)
}

pub(super) fn approve(args: &ApproveArgs, form: Form) -> Result<Exit, Failure> {
    if let (Some(log), Some(to)) = (&args.log, &args.to) {
        let [number] = args.numbers[..] else {
            return Err(Failure::new(
                Exit::Usage,
                "--log",
                "one proposal at a time is signed elsewhere",
            ));
        };
        return apart(number, log, to, &args.signer, form);
    }
    let folder = args.place.guarded()?.folder;
    match &args.file {
        Some(file) => carry(&folder, file, form),
        None => sign(&folder, &args.numbers, &args.signer, form),
    }
}

/// Enters what was signed elsewhere.
fn carry(folder: &Path, file: &Path, form: Form) -> Result<Exit, Failure> {
    let failed = |error| failure(folder, error);
    let statement = statement(file)?;
    let mut writer = Writer::open(folder, &FileDisk).map_err(failed)?;
    writer.carry(&statement, SystemClock.now()).map_err(failed)?;
    let content: Value = serde_json::from_str(&statement.content).unwrap_or_default();
    let number = content["proposal"].as_u64().unwrap_or_default();
    ended(writer.state(), &[number], form)
}

/// One passphrase for all that are named.
fn sign(folder: &Path, numbers: &[u64], signer: &Signer, form: Form) -> Result<Exit, Failure> {
    let failed = |error| failure(folder, error);
    let (_, state) = read(folder).map_err(failed)?;
    let about = numbers.iter().map(|number| Ok(told(&find(&state, *number)?.proposal.change)));
    let officer = signer.open(&about.collect::<Result<Vec<_>, Failure>>()?.join("\n"))?;
    let mut writer = Writer::open(folder, &FileDisk).map_err(failed)?;
    for number in numbers {
        let approved = writer.approve(&officer, *number, SystemClock.now(), &mut Random(&SystemEntropy));
        approved.map_err(failed)?;
    }
    ended(writer.state(), numbers, form)
}

pub(super) fn withdraw(args: &WithdrawArgs, form: Form) -> Result<Exit, Failure> {
    let folder = args.place.guarded()?.folder;
    let failed = |error| failure(&folder, error);
    let officer = args.signer.open("")?;
    let mut writer = Writer::open(&folder, &FileDisk).map_err(failed)?;
    let withdrawn = writer.withdraw(&officer, args.number, SystemClock.now(), &mut Random(&SystemEntropy));
    withdrawn.map_err(failed)?;
    ended(writer.state(), &[args.number], form)
}

/// Signs over a copy of the log, on a machine that need not have the store.
fn apart(number: u64, log: &Path, to: &Path, signer: &Signer, form: Form) -> Result<Exit, Failure> {
    let place = || log.display().to_string();
    let bytes = std::fs::read(log).map_err(|error| Failure::new(Exit::Usage, place(), error))?;
    let state = Log::read(&bytes).and_then(|log| State::of(&log));
    let state = state.map_err(|broken| Failure::new(Exit::CheckFailed, place(), broken))?;
    let open = find(&state, number)?;
    let officer = signer.open(&told(&open.proposal.change))?;
    let signed = Statement::approval(&state, &officer, number, SystemClock.now(), &mut Random(&SystemEntropy));
    let signed = signed.map_err(|error| failure(log, error))?;
    let content = signed
        .to_text()
        .map_err(|refusal| Failure::new(Exit::CheckFailed, place(), refusal))?;
    write_new(to, &content)?;
    let mut shown = rows(open, &state);
    shown.push(("key.file", to.display().to_string()));
    output::say(&page(form, &described(open, &state), &shown));
    Ok(Exit::Ok)
}

fn ended(state: &State, numbers: &[u64], form: Form) -> Result<Exit, Failure> {
    let outcomes = numbers.iter().map(|number| outcome(state, *number));
    let outcomes: Vec<(Value, Rows)> = outcomes.collect::<Result<_, _>>()?;
    output::say(&match form {
        Form::Json => output::json(&json!({ "proposals": outcomes.iter().map(|(value, _)| value).collect::<Vec<_>>() })),
        Form::Text => {
            let pages = outcomes.iter().map(|(value, rows)| page(form, value, rows));
            pages.collect::<Vec<_>>().join("\n\n")
        }
    });
    Ok(Exit::Ok)
}

fn outcome(state: &State, number: u64) -> Result<(Value, Rows), Failure> {
    let Some(ending) = state.ending(number) else {
        let open = find(state, number)?;
        return Ok((described(open, state), rows(open, state)));
    };
    let value = json!({ "proposal": number, "took_effect": ending == Ending::Applied, "head": state.head() });
    let rows = vec![
        ("key.proposal", number.to_string()),
        ("key.ended", ending.name().to_owned()),
        ("key.head", state.head().to_owned()),
    ];
    Ok((value, rows))
}

fn find(state: &State, number: u64) -> Result<&Open, Failure> {
    let open = state.proposal(number);
    open.map_err(|refusal| Failure::new(Exit::CheckFailed, number.to_string(), refusal))
}

fn statement(file: &Path) -> Result<Statement, Failure> {
    let place = || file.display().to_string();
    let content = read_public(file).map_err(|detail| Failure::new(Exit::Usage, place(), detail))?;
    let statement = Statement::from_text(&content).map_err(|refusal| Failure::new(Exit::CheckFailed, place(), refusal))?;
    match statement.kind {
        Kind::Approval | Kind::Withdrawal => Ok(statement),
        Kind::Genesis | Kind::Proposal | Kind::Checkpoint => {
            let detail = format!("is a {}, not an approval or withdrawal", statement.kind.name());
            Err(Failure::new(Exit::CheckFailed, place(), detail))
        }
    }
}

type Rows = Vec<(&'static str, String)>;

const SHORT: [&str; 5] = ["key.proposal", "key.change", "key.signed", "key.needed", "key.until"];
