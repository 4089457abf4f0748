//! `hangu key backup`, `share` and `restore`: a copy of a guarded store, the master key in shares, and the way back.

use super::Place;
use super::files::write_new;
use super::found::write_shares;
use super::sign::Signer;
use super::words::{failure, page};
use crate::cli::output::{self, Exit, Failure, Form};
use hangu::clock::Random;
use hangu::secret::{read_public, read_secret};
use hangu::shell::SystemEntropy;
use keys::guarded::{FileDisk, Restored, SealedShare, Share, back_up, restore};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct BackupArgs {
    /// New folder for the copy; the shares are put into `shares` in it, for the officers to take away.
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(super) struct ShareArgs {
    /// The officer's sealed share.
    file: PathBuf,
    /// New file (mode 0600) for the share in the clear: on a medium that forgets.
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    signer: Signer,
}

#[derive(clap::Args)]
pub(super) struct RestoreArgs {
    /// The copy that `hangu key backup` made.
    from: PathBuf,
    /// Opened shares, as many as the threshold.
    #[arg(long = "share", value_name = "FILE", required = true)]
    shares: Vec<PathBuf>,
    /// New folder of the store.
    #[arg(long)]
    to: PathBuf,
    /// New file for the master key (mode 0600); without it the gateway starts from shares.
    #[arg(long, value_name = "FILE")]
    master: Option<PathBuf>,
}

pub(super) fn backup(args: &BackupArgs, form: Form) -> Result<Exit, Failure> {
    let keys = args.place.guarded()?;
    let master = keys.master()?;
    let made = back_up(&keys.folder, &master, &args.to, &FileDisk, &mut Random(&SystemEntropy));
    let shares = made.map_err(|error| failure(&keys.folder, error))?;
    write_shares(&args.to.join("shares"), &shares)?;
    let holders: Vec<_> = shares.iter().map(|share| share.officer.clone()).collect();
    let threshold = shares.first().map_or(0, |share| share.threshold);
    let value = json!({ "copy": args.to.display().to_string(), "shares": holders, "threshold": threshold });
    let rows = [
        ("key.copy", args.to.display().to_string()),
        ("key.shares", holders.join(", ")),
        ("key.threshold", threshold.to_string()),
    ];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

pub(super) fn share(args: &ShareArgs, form: Form) -> Result<Exit, Failure> {
    let place = args.file.display().to_string();
    let refused = |refusal| Failure::new(Exit::CheckFailed, place.clone(), refusal);
    let sealed = read_public(&args.file).map_err(|detail| Failure::new(Exit::Usage, place.clone(), detail))?;
    let sealed = SealedShare::from_text(&sealed).map_err(refused)?;
    let officer = args.signer.open("")?;
    let clear = sealed.open(&officer).and_then(|share| share.danger_to_text());
    write_new(&args.to, &clear.map_err(refused)?)?;
    let to = args.to.display().to_string();
    let value = json!({ "share": sealed.number, "threshold": sealed.threshold, "file": to });
    let rows = [
        ("key.share_number", sealed.number.to_string()),
        ("key.threshold", sealed.threshold.to_string()),
        ("key.file", to),
    ];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

pub(super) fn bring_back(args: &RestoreArgs, form: Form) -> Result<Exit, Failure> {
    let shares = args.shares.iter().map(|file| opened(file)).collect::<Result<Vec<_>, _>>()?;
    let restored = restore(&args.from, &shares, &args.to, &FileDisk);
    let Restored { state, master } = restored.map_err(|error| failure(&args.from, error))?;
    if let Some(file) = &args.master {
        write_new(file, &master.danger_to_hex())?;
    }
    let prints: Vec<_> = state.keys().map(|held| (&held.entry.id, &held.fingerprint)).collect();
    let keys: Vec<_> = prints
        .iter()
        .map(|(id, print)| json!({ "id": id, "fingerprint": print }))
        .collect();
    let value = json!({ "folder": args.to.display().to_string(), "head": state.head(), "identical": true, "keys": keys });
    let mut rows = vec![
        ("key.restored", args.to.display().to_string()),
        ("key.head", state.head().to_owned()),
    ];
    rows.extend(prints.iter().map(|(id, print)| ("key.identical", format!("{id} {print}"))));
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

fn opened(file: &Path) -> Result<Share, Failure> {
    let place = file.display().to_string();
    let clear = read_secret(file).map_err(|detail| Failure::new(Exit::Usage, "--share", detail))?;
    Share::from_text(&clear).map_err(|refusal| Failure::new(Exit::CheckFailed, place, refusal))
}
