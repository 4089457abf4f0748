//! `hangu key passphrase` and `hangu key master`: another passphrase over an officer's key, another master key over a store.

use super::files::{replace, write_new};
use super::found::write_shares;
use super::propose::{Hand, show};
use super::sign::{NewSource, Source, open};
use super::words::{failure, page, told};
use crate::cli::output::{self, Exit, Failure, Form};
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::guarded::{Change, Cost, FileDisk, MasterKey, Writer, read, replacement, seal_shares};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct PassphraseArgs {
    /// Key file of the officer; it is replaced in one step, and holds the same key.
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    new: NewSource,
}

#[derive(clap::Args)]
pub(super) struct MasterArgs {
    #[command(subcommand)]
    command: MasterCommand,
}

#[derive(clap::Subcommand)]
enum MasterCommand {
    /// Propose another master key: every key is wrapped anew under it.
    #[command(
        after_help = "Example:\n  hangu key master replace --to master-2.key --shares shares-2 --folder vault --master master.key \
                            --officer-key li.officer"
    )]
    Replace(ReplaceArgs),
}

#[derive(clap::Args)]
struct ReplaceArgs {
    /// New file for the master key (mode 0600), which counts once the proposal has taken effect.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// New folder for shares of it, each sealed for an officer.
    #[arg(long, value_name = "FOLDER")]
    shares: Option<PathBuf>,
    #[command(flatten)]
    hand: Hand,
}

pub(super) fn passphrase(args: &PassphraseArgs, form: Form) -> Result<Exit, Failure> {
    let key = open(&args.file, &args.source)?;
    let file = args.file.display().to_string();
    let refused = |refusal| Failure::new(Exit::Usage, file.clone(), refusal);
    let passphrase = args.new.read(key.name())?;
    let sealed = key.to_file(&passphrase, Cost::default(), &mut Random(&SystemEntropy));
    replace(&args.file, &sealed.map_err(refused)?)?;
    let (name, public_key) = (key.name().to_owned(), key.public_key());
    let value = json!({ "officer": name, "file": file, "public_key": public_key });
    let rows = [
        ("key.officer", name),
        ("key.file", file.clone()),
        ("key.public_key", public_key),
    ];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

pub(super) fn master(args: &MasterArgs, form: Form) -> Result<Exit, Failure> {
    let MasterCommand::Replace(args) = &args.command;
    let keys = args.hand.place.guarded()?;
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    let mut random = Random(&SystemEntropy);
    let next = MasterKey::generate(&mut random).map_err(|error| failed(error.into()))?;
    let replacement = replacement(&keys.folder, &state, &master, &next, &mut random).map_err(failed)?;
    let officer = args.hand.officer(&told(&Change::Master(replacement.change.clone())))?;
    // The key first: a proposal whose key nobody has would be the end of the store.
    write_new(&args.to, &next.danger_to_hex())?;
    if let Some(folder) = &args.shares {
        write_shares(folder, &seal_shares(&state, &next, &mut random).map_err(failed)?)?;
    }
    let mut writer = Writer::open(&keys.folder, &FileDisk).map_err(failed)?;
    let number = writer.propose_master(&officer, &replacement, args.hand.terms(), &mut random);
    show(&writer, number.map_err(failed)?, form)
}
