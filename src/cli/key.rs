//! `hangu key`: what is in a key folder, and what officers do to a guarded one. Fingerprints and serials on screen, never key
//! material.

use super::check::{Check, Report, certificate_checks, hold, keyring_checks, store_check};
use super::output::{self, Exit, Failure, Form};
use super::texts::{table, text, titles};
use hangu::clock::Clock;
use hangu::config::{Config, KeysConfig};
use hangu::shell::SystemClock;
use keys::key::KeyInfo;
use keys::keyring::Keyring;
use serde_json::{Value, json};
use std::path::PathBuf;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

mod announced;
mod approve;
mod audit;
mod backup;
mod certify;
mod create;
mod files;
mod found;
mod import;
mod pair;
mod propose;
mod renew;
mod rotate;
mod sign;
mod words;
mod wrap;

pub(crate) use files::public_half;

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
    /// Make a key: entered in keyring.toml, or in a guarded folder proposed.
    #[command(
        after_help = "Examples:\n  hangu key create centre-sign-2 --link centre --usage sign --serial 4000000003\n  \
                            hangu key create alipay-sign --link alipay --usage sign --algorithm rsa --serial app-1\n  \
                            hangu key create tenpay-v3 --link tenpay --usage seal --side shared \
                            --algorithm aes-256-gcm --serial v3"
    )]
    Create(create::Args),
    /// Rotate the key of a link: show what the stage waits for, or take the next step.
    #[command(after_help = "Examples:\n  hangu key rotate centre --usage sign\n  \
                            hangu key rotate centre prepare --usage sign --serial 4000000003\n  \
                            hangu key rotate centre prepare --usage seal --side theirs --serial 5000000004 --from centre.pem\n  \
                            hangu key rotate centre prepare --usage sign --announced\n  \
                            hangu key rotate centre promote --usage sign -o json")]
    Rotate(rotate::Args),
    /// List the keys that counterparties announced by message (NPS.903), and ours as they were announced.
    #[command(after_help = "Examples:\n  hangu key announced\n  hangu key announced centre -o json")]
    Announced(announced::Args),
    /// Check permissions, validity, primaries, pairs and weak algorithms.
    #[command(after_help = "Examples:\n  hangu key check\n  hangu key check --folder keys/gateway -o json")]
    Check(Place),
    /// Make an officer's key file.
    #[command(after_help = "Example:\n  hangu key officer li --to li.officer")]
    Officer(found::OfficerArgs),
    /// Put an officer's key under another passphrase.
    #[command(after_help = "Example:\n  hangu key passphrase li.officer")]
    Passphrase(renew::PassphraseArgs),
    /// Replace the master key of a guarded store.
    #[command(after_help = "Example:\n  hangu key master replace --to master-2.key --officer-key li.officer")]
    Master(renew::MasterArgs),
    /// Found a guarded store: its officers, threshold and master key.
    #[command(
        after_help = "Example:\n  hangu key init --folder vault --officer li.officer=custodian+approver \
                            --officer wang.officer=custodian+approver --officer zhao.officer=auditor --master master.key"
    )]
    Init(found::InitArgs),
    /// Propose a key from a file: PKCS#8, SEC1, PKCS#12, GM/T 0009 and 0010, a certificate, a secret.
    #[command(
        after_help = "Example:\n  hangu key import centre-sign --link centre --side theirs --usage sign --serial 5000000001 \
                            --file centre.pub.pem --officer-key li.officer"
    )]
    Import(import::Args),
    /// Write a certificate request for a key pair of ours.
    #[command(after_help = "Example:\n  hangu key request bank-sign-1 --subject CN=pay,O=Bank,C=CN --to bank-sign-1.csr")]
    Request(certify::RequestArgs),
    /// Propose the certificate of a key.
    #[command(
        after_help = "Example:\n  hangu key certificate bank-sign-1 --file bank-sign-1.pem --serial-form decimal \
                            --officer-key li.officer"
    )]
    Certificate(certify::CertificateArgs),
    /// Propose both halves of a double certificate: for the signing key, and the key pair that the authority made with it.
    #[command(
        after_help = "Example:\n  hangu key pair bank-sign-2 bank-seal-2 --file bank-seal-2.p7 --certificates bank.p7b \
                            --serial-form decimal --officer-key li.officer"
    )]
    Pair(pair::Args),
    /// Put a secret under a key of a device, for keyring.toml.
    #[command(
        after_help = "Examples:\n  hangu key wrap --for kek.pub.pem --secret mac.hex --to mac.wrapped\n  \
                            hangu key wrap --device hsm1 --label kek --random 32 --to journal.wrapped"
    )]
    Wrap(wrap::Args),
    /// Propose status transitions: pending, accepted, primary, draining, retired; revoked from any.
    #[command(after_help = "Example:\n  hangu key status sign-2=primary sign-1=draining --officer-key li.officer")]
    Status(propose::StatusArgs),
    /// Propose that keys may never be used again.
    #[command(after_help = "Example:\n  hangu key revoke sign-1 --officer-key li.officer")]
    Revoke(propose::RevokeArgs),
    /// Propose another validity, officer, threshold or trust anchor.
    #[command(after_help = "Example:\n  hangu key propose threshold 3 --officer-key li.officer")]
    Propose(propose::Args),
    /// List the proposals that wait, or show one.
    #[command(after_help = "Examples:\n  hangu key proposals\n  hangu key proposals 3 -o json")]
    Proposals(approve::ListArgs),
    /// Approve a proposal; offline over a copy of the log, and bring that approval in.
    #[command(
        after_help = "Examples:\n  hangu key approve 3 --officer-key wang.officer\n  hangu key approve 3 --log store.log \
                            --to approval.json --officer-key wang.officer\n  hangu key approve --file approval.json"
    )]
    Approve(approve::ApproveArgs),
    /// Take a proposal back, or turn it down.
    #[command(after_help = "Example:\n  hangu key withdraw 3 --officer-key li.officer")]
    Withdraw(approve::WithdrawArgs),
    /// Show, check and sign the log of a guarded store.
    #[command(
        after_help = "Example:\n  hangu key audit verify --log store.log --officers officers.toml --checkpoint 2026-11.json"
    )]
    Audit(audit::Args),
    /// Copy a guarded store, its master key in shares.
    #[command(after_help = "Example:\n  hangu key backup --to copy")]
    Backup(backup::BackupArgs),
    /// Open an officer's sealed share, for a restoration or a start by quorum.
    #[command(after_help = "Example:\n  hangu key share li.sealed-share --officer-key li.officer --to /run/hangu/li.share")]
    Share(backup::ShareArgs),
    /// Make a store of a copy and enough shares.
    #[command(
        after_help = "Example:\n  hangu key restore copy --share li.share --share wang.share --to vault --master master.key"
    )]
    Restore(backup::RestoreArgs),
}

#[derive(clap::Args)]
struct Place {
    /// Key folder.
    #[arg(long, conflicts_with = "config")]
    folder: Option<PathBuf>,
    /// Master key of that folder, if it is a guarded one and its keys are wanted.
    #[arg(long, value_name = "FILE", requires = "folder")]
    master: Option<PathBuf>,
    /// Configuration file that names the folder.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

impl Place {
    fn keys(&self) -> Result<KeysConfig, Failure> {
        match &self.folder {
            Some(folder) => Ok(KeysConfig::of_folder(folder, self.master.as_deref())),
            None => Ok(Config::load(&self.config)?.keys),
        }
    }

    /// The folder, for what only officers do.
    fn guarded(&self) -> Result<KeysConfig, Failure> {
        let keys = self.keys()?;
        if keys.is_guarded() {
            return Ok(keys);
        }
        let detail = "is no guarded store; `hangu key init` founds one";
        Err(Failure::config(keys.folder.display().to_string(), detail))
    }
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    match &args.command {
        Command::List(place) => Ok(list(&infos(&place.keys()?)?, form, now)),
        Command::Show { id, place } => show(&infos(&place.keys()?)?, id, form, now),
        Command::Create(args) => create::run(args, form),
        Command::Check(place) => Ok(check(&place.keys()?, form, now)),
        Command::Officer(args) => found::officer(args, form),
        Command::Init(args) => found::init(args, form),
        Command::Import(args) => import::run(args, form),
        Command::Request(args) => certify::request(args, form),
        Command::Certificate(args) => certify::certificate(args, form),
        Command::Pair(args) => pair::run(args, form),
        Command::Wrap(args) => wrap::run(args, form),
        Command::Passphrase(args) => renew::passphrase(args, form),
        Command::Master(args) => renew::master(args, form),
        Command::Status(args) => propose::status(args, form),
        Command::Revoke(args) => propose::revoke(args, form),
        Command::Propose(args) => propose::run(args, form),
        Command::Proposals(args) => approve::list(args, form),
        Command::Approve(args) => approve::approve(args, form),
        Command::Withdraw(args) => approve::withdraw(args, form),
        Command::Audit(args) => audit::run(args, form),
        Command::Backup(args) => backup::backup(args, form),
        Command::Share(args) => backup::share(args, form),
        Command::Restore(args) => backup::bring_back(args, form),
        Command::Rotate(args) => rotate::run(args, form),
        Command::Announced(args) => announced::run(args, form),
    }
}

/// Loads a keyring; a refusal is a wrong configuration.
pub(crate) fn load(keys: &KeysConfig) -> Result<Keyring, Failure> {
    Ok(keys.load()?)
}

/// The keys of a folder; of a guarded one as its log has them, for which no master key is needed.
fn infos(keys: &KeysConfig) -> Result<Vec<KeyInfo>, Failure> {
    if !keys.is_guarded() {
        return Ok(load(keys)?.infos().cloned().collect());
    }
    let (_, state) = keys::guarded::read(&keys.folder).map_err(|error| words::failure(&keys.folder, error))?;
    Ok(state.keys().map(keys::guarded::Held::info).collect())
}

fn list(infos: &[KeyInfo], form: Form, now: OffsetDateTime) -> Exit {
    output::say(&match form {
        Form::Json => output::json(&json!({ "keys": infos.iter().map(|info| describe(info, now)).collect::<Vec<_>>() })),
        Form::Text => table(
            &titles(&COLUMNS),
            &infos.iter().map(|info| cells(info, now)).collect::<Vec<_>>(),
        ),
    });
    Exit::Ok
}

fn show(infos: &[KeyInfo], id: &str, form: Form, now: OffsetDateTime) -> Result<Exit, Failure> {
    let Some(info) = infos.iter().find(|info| info.id == id) else {
        let known = infos.iter().map(|info| info.id.as_str()).collect::<Vec<_>>().join(", ");
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

fn check(keys: &KeysConfig, form: Form, now: OffsetDateTime) -> Exit {
    let mut report = Report::default();
    // A guarded store has its own rules, which loading it checks.
    if !keys.is_guarded() {
        report.extend(files::mode_checks(&keys.folder));
    }
    match hold(keys) {
        Err(check) => report.add(check),
        Ok(held) => {
            let count = format!("{} keys", held.keyring.infos().count());
            report.add(Check::ok("check.keyring", &keys.folder.display().to_string(), count));
            report.extend(store_check(keys));
            report.extend(certificate_checks(keys, now));
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
