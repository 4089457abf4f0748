//! `hangu key audit`: the log shown, checked offline, and signed for a witness.

use super::Place;
use super::files::write_new;
use super::sign::Signer;
use super::words::{failure, page, told};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use hangu::clock::{Clock, Random};
use hangu::secret::read_public;
use hangu::shell::{SystemClock, SystemEntropy};
use keys::guarded::{Audit, FileDisk, Kind, LOG_FILE, Officer, Proposal, Record, Statement, Writer, audit, read};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show the records of the store's log.
    #[command(after_help = "Example:\n  hangu key audit show --folder vault -o json")]
    Show(Place),
    /// Check a log with public keys alone: chain, signatures, rules, founders, a checkpoint held outside.
    #[command(
        after_help = "Example:\n  hangu key audit verify --log store.log --officers officers.toml --checkpoint 2026-11.json"
    )]
    Verify(VerifyArgs),
    /// Sign the head of the log, for a witness outside: a log that is cut short or rewritten shows only against one.
    #[command(after_help = "Example:\n  hangu key audit checkpoint --officer-key zhao.officer --to 2026-11.json")]
    Checkpoint {
        /// New file for the checkpoint.
        #[arg(long)]
        to: PathBuf,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
struct VerifyArgs {
    /// The log, or a copy of it.
    #[arg(long)]
    log: PathBuf,
    /// The founders' public keys, as `hangu key init` wrote them into officers.toml.
    #[arg(long)]
    officers: Option<PathBuf>,
    /// A checkpoint that was kept outside.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Founders {
    officer: Vec<Officer>,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::Show(place) => show(place, form),
        Command::Verify(args) => verify(args, form),
        Command::Checkpoint { to, signer, place } => checkpoint(to, signer, place, form),
    }
}

fn show(place: &Place, form: Form) -> Result<Exit, Failure> {
    let folder = place.guarded()?.folder;
    let (log, _) = read(&folder).map_err(|error| failure(&folder, error))?;
    output::say(&match form {
        Form::Json => output::json(&json!({ "records": log.records(), "head": log.head() })),
        Form::Text => table(&titles(&COLUMNS), &log.records().iter().map(cells).collect::<Vec<_>>()),
    });
    Ok(Exit::Ok)
}

fn cells(record: &Record) -> Vec<String> {
    let signers = record.signatures.iter().map(|signed| signed.officer.as_str());
    vec![
        record.number.to_string(),
        record.at.to_string(),
        record.kind.name().to_owned(),
        signers.collect::<Vec<_>>().join(", "),
        subject(record),
    ]
}

/// What a record is about, in a few words.
fn subject(record: &Record) -> String {
    let content: Value = serde_json::from_str(&record.content).unwrap_or_default();
    match record.kind {
        Kind::Proposal => {
            serde_json::from_str::<Proposal>(&record.content).map_or_else(|_| String::new(), |one| told(&one.change))
        }
        Kind::Genesis => format!("{} {}", text("key.store"), content["store"].as_str().unwrap_or_default()),
        Kind::Approval | Kind::Withdrawal => format!("{} {}", text("key.proposal"), content["proposal"]),
        Kind::Checkpoint => format!("{} {}", text("key.number"), content["number"]),
    }
}

fn verify(args: &VerifyArgs, form: Form) -> Result<Exit, Failure> {
    let unreadable = |file: &Path, error: &dyn std::fmt::Display| Failure::new(Exit::Usage, file.display().to_string(), error);
    let bytes = std::fs::read(&args.log).map_err(|error| unreadable(&args.log, &error))?;
    let officers = args.officers.as_deref().map(|file| {
        let list = read_public(file).map_err(|detail| unreadable(file, &detail))?;
        toml::from_str::<Founders>(&list).map_err(|error| unreadable(file, &error))
    });
    let officers = officers.transpose()?.map(|founders| founders.officer);
    let checkpoint = args.checkpoint.as_deref().map(|file| {
        let signed = read_public(file).map_err(|detail| unreadable(file, &detail))?;
        Statement::from_text(&signed).map_err(|refusal| unreadable(file, &refusal))
    });
    let found = audit(&bytes, officers.as_deref(), checkpoint.transpose()?.as_ref());
    output::say(&page(form, &described(&found), &rows(&found, args)));
    Ok(if found.findings.is_empty() {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

fn described(found: &Audit) -> Value {
    let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
    json!({ "ok": findings.is_empty(), "records": found.records, "head": found.head, "findings": findings })
}

fn rows(found: &Audit, args: &VerifyArgs) -> Vec<(&'static str, String)> {
    let mut rows = vec![("key.records", found.records.to_string()), ("key.head", found.head.clone())];
    rows.extend(found.findings.iter().map(|finding| ("key.finding", finding.to_string())));
    if found.findings.is_empty() {
        rows.push(("key.sound", "0".to_owned()));
    }
    // Whoever leaves one out learns what was not asked.
    if args.officers.is_none() {
        rows.push(("key.unasked", "--officers".to_owned()));
    }
    if args.checkpoint.is_none() {
        rows.push(("key.unasked", "--checkpoint".to_owned()));
    }
    rows
}

fn checkpoint(to: &Path, signer: &Signer, place: &Place, form: Form) -> Result<Exit, Failure> {
    let folder = place.guarded()?.folder;
    let failed = |error| failure(&folder, error);
    let officer = signer.open("")?;
    let mut writer = Writer::open(&folder, &FileDisk).map_err(failed)?;
    let (number, head) = (writer.log().length() - 1, writer.log().head());
    let signed = writer.checkpoint(&officer, SystemClock.now(), &mut Random(&SystemEntropy));
    let content = signed.map_err(failed)?.to_text();
    write_new(to, &content.map_err(|refusal| failed(refusal.into()))?)?;
    let log = folder.join(LOG_FILE).display().to_string();
    let value = json!({ "log": log, "number": number, "head": head, "file": to.display().to_string() });
    let rows = [
        ("key.number", number.to_string()),
        ("key.head", head),
        ("key.file", to.display().to_string()),
    ];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

/// The founders' public keys beside the log; auditors take it away with them.
pub(super) const OFFICERS_FILE: &str = "officers.toml";

const COLUMNS: [&str; 5] = ["key.number", "key.at", "key.kind", "key.signed", "key.change"];
