//! `hangu key`: what is in a key folder, and a new key in it. Fingerprints and serials on screen, never key material.

use super::check::{Check, Report, hold, keyring_checks};
use super::output::{self, Exit, Failure, Form};
use super::texts::{table, text, titles};
use hangu::clock::Clock;
use hangu::config::Config;
use hangu::shell::SystemClock;
use keys::key::KeyInfo;
use keys::keyring::Keyring;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

mod create;
mod files;

pub(crate) use files::listed;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the keys of a folder.
    #[command(after_help = "Examples:\n  hangu key list\n  hangu key list --folder keys/gateway -o json")]
    List(Place),
    /// Show one key.
    #[command(after_help = "Examples:\n  hangu key show centre-sign\n  hangu key show centre-sign --folder keys/gateway")]
    Show {
        /// Id of the key, as `hangu key list` prints it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make a key and enter it in keyring.toml.
    #[command(
        after_help = "Examples:\n  hangu key create centre-sign-2 --link centre --usage sign --serial 4000000003\n  \
                            hangu key create alipay-sign --link alipay --usage sign --algorithm rsa --serial app-1\n  \
                            hangu key create tenpay-v3 --link tenpay --usage seal --side shared \
                            --algorithm aes-256-gcm --serial v3"
    )]
    Create(create::Args),
    /// Check permissions, validity, primaries, pairs and weak algorithms.
    #[command(after_help = "Examples:\n  hangu key check\n  hangu key check --folder keys/gateway -o json")]
    Check(Place),
}

#[derive(clap::Args)]
struct Place {
    /// Key folder.
    #[arg(long, conflicts_with = "config")]
    folder: Option<PathBuf>,
    /// Configuration file that names the folder.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, Failure> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            None => Ok(Config::load(&self.config)?.keys.folder),
        }
    }
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    match &args.command {
        Command::List(place) => Ok(list(&load(&place.folder()?)?, form, now)),
        Command::Show { id, place } => show(&load(&place.folder()?)?, id, form, now),
        Command::Create(args) => create::run(args, form),
        Command::Check(place) => Ok(check(&place.folder()?, form, now)),
    }
}

/// Loads a keyring; a refusal is a wrong configuration.
pub(crate) fn load(folder: &Path) -> Result<Keyring, Failure> {
    keys::store::load(folder).map_err(|error| Failure::config(error.file, error.detail))
}

fn list(keyring: &Keyring, form: Form, now: OffsetDateTime) -> Exit {
    output::say(&match form {
        Form::Json => output::json(&json!({ "keys": keyring.infos().map(|info| describe(info, now)).collect::<Vec<_>>() })),
        Form::Text => table(
            &titles(&COLUMNS),
            &keyring.infos().map(|info| cells(info, now)).collect::<Vec<_>>(),
        ),
    });
    Exit::Ok
}

fn show(keyring: &Keyring, id: &str, form: Form, now: OffsetDateTime) -> Result<Exit, Failure> {
    let Some(info) = keyring.infos().find(|info| info.id == id) else {
        let known = keyring.infos().map(|info| info.id.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::new(
            Exit::CheckFailed,
            id,
            format!("no key has this id; keys are: {known}"),
        ));
    };
    output::say(&match form {
        Form::Json => output::json(&describe(info, now)),
        Form::Text => {
            let lines = COLUMNS.iter().zip(cells(info, now));
            lines
                .map(|(title, cell)| format!("{}: {cell}", text(title)))
                .collect::<Vec<_>>()
                .join("\n")
        }
    });
    Ok(Exit::Ok)
}

fn check(folder: &Path, form: Form, now: OffsetDateTime) -> Exit {
    let mut report = Report::default();
    report.extend(files::mode_checks(folder));
    match hold(folder) {
        Err(check) => report.add(check),
        Ok(held) => {
            let keys = format!("{} keys", held.keyring.infos().count());
            report.add(Check::ok("check.keyring", &folder.display().to_string(), keys));
            report.extend(keyring_checks(&held.keyring, now));
        }
    }
    report.print(form);
    report.exit()
}

fn cells(info: &KeyInfo, now: OffsetDateTime) -> Vec<String> {
    vec![
        info.id.clone(),
        info.link.clone(),
        info.side.name().to_owned(),
        info.usage.name().to_owned(),
        algorithm(info),
        info.status.name().to_owned(),
        info.serial.clone(),
        info.fingerprint.clone(),
        info.not_before.date().to_string(),
        info.not_after.date().to_string(),
        days_left(info, now).to_string(),
    ]
}

/// Its name, for RSA with the length of the modulus.
fn algorithm(info: &KeyInfo) -> String {
    let name = info.algorithm.name();
    info.bits.map_or_else(|| name.to_owned(), |bits| format!("{name} {bits}"))
}

fn describe(info: &KeyInfo, now: OffsetDateTime) -> Value {
    let instant = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    json!({
        "id": info.id, "link": info.link, "side": info.side.name(), "usage": info.usage.name(),
        "algorithm": info.algorithm.name(), "bits": info.bits, "status": info.status.name(),
        "serial": info.serial, "fingerprint": info.fingerprint, "not_before": instant(info.not_before),
        "not_after": instant(info.not_after), "days_left": days_left(info, now),
    })
}

fn days_left(info: &KeyInfo, now: OffsetDateTime) -> i64 {
    super::check::days_left(info, now)
}

const COLUMNS: [&str; 11] = [
    "key.id",
    "key.link",
    "key.side",
    "key.usage",
    "key.algorithm",
    "key.status",
    "key.serial",
    "key.fingerprint",
    "key.from",
    "key.to",
    "key.days",
];
