//! `hangu key officer` and `hangu key init`: officers' key files, and the ceremony that founds a guarded store.

use super::files::{remove, write_new};
use super::sign::{Source, open};
use super::words::{failure, page, parse_roles, roles};
use crate::cli::output::{self, Exit, Failure, Form};
use hangu::clock::{Clock, Random};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::guarded::{Cost, FileDisk, Founder, Founding, MasterKey, Officer, OfficerKey, Role, State, Writer, seal_shares};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct OfficerArgs {
    /// Name of the officer.
    name: String,
    /// New key file (mode 0600), which the officer keeps.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    source: Source,
}

#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// New folder of the store.
    #[arg(long)]
    folder: PathBuf,
    /// An officer's key file and roles: custodian, approver, auditor, operator; at least two officers.
    #[arg(long = "officer", value_name = "FILE=ROLE[+ROLE]", required = true, value_parser = seat)]
    officers: Vec<(PathBuf, BTreeSet<Role>)>,
    /// Files with the officers' passphrases (mode 0600), in the same order; without them they are asked for.
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrase_files: Vec<PathBuf>,
    /// How many officers must sign a change, its proposer among them.
    #[arg(long, default_value_t = 2)]
    threshold: u8,
    /// New file for the master key (mode 0600).
    #[arg(long, value_name = "FILE")]
    master: Option<PathBuf>,
    /// New folder for shares of the master key, each sealed for an officer; `threshold` of them give it again.
    #[arg(long, value_name = "FOLDER", required_unless_present = "master")]
    shares: Option<PathBuf>,
}

/// The public keys of the founders, for auditors.
#[derive(Serialize)]
struct Founders<'a> {
    store: &'a str,
    officer: Vec<&'a Officer>,
}

pub(super) fn officer(args: &OfficerArgs, form: Form) -> Result<Exit, Failure> {
    let refused = |refusal| Failure::new(Exit::Usage, args.name.clone(), refusal);
    let mut random = Random(&SystemEntropy);
    let key = OfficerKey::generate(&args.name, &mut random).map_err(refused)?;
    let passphrase = args.source.read_new(&args.name)?;
    let sealed = key.to_file(&passphrase, Cost::default(), &mut random).map_err(refused)?;
    write_new(&args.to, &sealed)?;
    let (file, public_key) = (args.to.display().to_string(), key.public_key());
    let value = json!({ "officer": args.name, "file": file, "public_key": public_key });
    let rows = [
        ("key.officer", args.name.clone()),
        ("key.file", file),
        ("key.public_key", public_key),
    ];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

pub(super) fn init(args: &InitArgs, form: Form) -> Result<Exit, Failure> {
    let officers = opened(args)?;
    let founder = |(key, (_, roles)): (_, &(PathBuf, BTreeSet<Role>))| Founder {
        key,
        roles: roles.clone(),
    };
    let mut random = Random(&SystemEntropy);
    let failed = |error| failure(&args.folder, error);
    let master = MasterKey::generate(&mut random).map_err(|error| failed(error.into()))?;
    let founding = Founding {
        founders: officers.iter().zip(&args.officers).map(founder).collect(),
        threshold: args.threshold,
        master: &master,
        now: SystemClock.now(),
    };
    // The master key first: a store without one is of no use, one without a store does no harm.
    if let Some(file) = &args.master {
        write_new(file, &master.danger_to_hex())?;
    }
    let founded = Writer::found(&args.folder, &founding, &FileDisk, &mut random);
    if let (Err(_), Some(file)) = (&founded, &args.master) {
        remove(file)?;
    }
    let state = founded.map(|writer| writer.state().clone()).map_err(failed)?;
    if let Some(folder) = &args.shares {
        let shares = seal_shares(&state, &master, &mut random).map_err(failed)?;
        write_shares(folder, &shares)?;
    }
    write_founders(&args.folder, &state)?;
    output::say(&page(form, &described(&state), &told(&state)));
    Ok(Exit::Ok)
}

/// Sealed shares, one file an officer.
pub(super) fn write_shares(folder: &Path, shares: &[keys::guarded::SealedShare]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::new(Exit::Usage, folder.display().to_string(), error))?;
    for share in shares {
        let file = folder.join(format!("{}.sealed-share", share.officer));
        let sealed = share
            .to_text()
            .map_err(|refusal| Failure::new(Exit::Usage, "share", refusal))?;
        write_new(&file, &sealed)?;
    }
    Ok(())
}

fn opened(args: &InitArgs) -> Result<Vec<OfficerKey>, Failure> {
    if !args.passphrase_files.is_empty() && args.passphrase_files.len() != args.officers.len() {
        let detail = "as many as officers, in the same order";
        return Err(Failure::new(Exit::Usage, "--passphrase-file", detail));
    }
    let sources = args.passphrase_files.iter().map(|file| Source::of_file(file));
    let sources = sources.chain(std::iter::repeat_with(Source::typed));
    let pairs = args.officers.iter().zip(sources);
    pairs.map(|((file, _), source)| open(file, &source)).collect()
}

fn write_founders(folder: &Path, state: &State) -> Result<(), Failure> {
    let founders = Founders {
        store: state.store(),
        officer: state.officers().collect(),
    };
    let file = folder.join(super::audit::OFFICERS_FILE);
    let list = toml::to_string(&founders).map_err(|error| Failure::new(Exit::Usage, file.display().to_string(), error))?;
    write_new(&file, &list)
}

fn described(state: &State) -> serde_json::Value {
    json!({
        "store": state.store(), "threshold": state.threshold(), "head": state.head(),
        "officers": state.officers().collect::<Vec<_>>(),
    })
}

fn told(state: &State) -> Vec<(&'static str, String)> {
    let officer = |officer: &Officer| ("key.officer", format!("{} {}", officer.name, roles(officer)));
    let mut rows = vec![
        ("key.store", state.store().to_owned()),
        ("key.threshold", state.threshold().to_string()),
    ];
    rows.extend(state.officers().map(officer));
    rows.push(("key.head", state.head().to_owned()));
    rows
}

fn seat(argument: &str) -> Result<(PathBuf, BTreeSet<Role>), String> {
    let (file, list) = argument.rsplit_once('=').ok_or("is not FILE=ROLE[+ROLE]")?;
    Ok((PathBuf::from(file), parse_roles(list)?))
}
