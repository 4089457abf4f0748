//! `hangu key create`: a fresh key with its entry in keyring.toml, or proposed to a guarded store.
//! What the counterparty needs is named; nothing secret is shown.

use super::propose::{self, Hand};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hangu::clock::{Clock, Random};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::store::{Created, NewKey, StoreError};
use serde_json::json;
use time::Duration;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    description: Description,
    /// Length of an RSA modulus: 2048, 3072 or 4096.
    #[arg(long, default_value_t = 2048)]
    bits: u32,
    #[command(flatten)]
    hand: Hand,
}

/// What is said of a new key, made here or brought in.
#[derive(clap::Args)]
pub(super) struct Description {
    /// Id of the key; its files are named after it.
    id: String,
    /// Link that uses it.
    #[arg(long)]
    link: String,
    /// What for.
    #[arg(long, value_parser = usages())]
    usage: Usage,
    /// A key pair of ours, a counterparty's public key, or a secret shared with the counterparty (for the journal: with nobody).
    #[arg(long, value_parser = sides(), default_value = "ours")]
    side: Side,
    /// Algorithm; without it SM2, HMAC-SM3 or SM4-GCM, as the usage asks.
    #[arg(long, value_parser = algorithms())]
    algorithm: Option<Algorithm>,
    /// Serial number as messages will carry it.
    #[arg(long)]
    serial: String,
    /// Status of the new key.
    #[arg(long, value_parser = statuses(), default_value = "pending")]
    status: Status,
    /// Days from now for which it may be used.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// User id of an SM2 signing key, where the counterparty does not take the usual one.
    #[arg(long)]
    user_id: Option<String>,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let keys = args.hand.place.keys()?;
    if keys.is_guarded() {
        return propose::create(&args.description, args.bits, &args.hand, form);
    }
    let new = NewKey {
        entry: args.description.entry()?,
        bits: args.bits,
    };
    let refused = |error: StoreError| Failure::config(error.file, error.detail);
    let created = keys::store::create(&keys.folder, &new, &mut Random(&SystemEntropy)).map_err(refused)?;
    output::say(&report(&new.entry, &created, form));
    Ok(Exit::Ok)
}

impl Description {
    pub(super) fn entry(&self) -> Result<KeyEntry, Failure> {
        let Some(algorithm) = self.algorithm.or_else(|| Algorithm::default_of(self.side, self.usage)) else {
            let names = Algorithm::serving(self.side, self.usage)
                .map(Algorithm::name)
                .collect::<Vec<_>>();
            let (side, usage) = (self.side.name(), self.usage.name());
            let detail = format!("side {side} and usage {usage} take one of: {}", names.join(", "));
            return Err(Failure::new(Exit::Usage, "--algorithm", detail));
        };
        let not_before = SystemClock.now().replace_nanosecond(0).unwrap_or_else(|_| SystemClock.now());
        Ok(KeyEntry {
            id: self.id.clone(),
            link: self.link.clone(),
            side: self.side,
            usage: self.usage,
            algorithm,
            status: self.status,
            serial: self.serial.clone(),
            primary_from: None,
            not_before,
            not_after: not_before + Duration::days(self.days),
            user_id: self.user_id.clone(),
        })
    }
}

fn report(entry: &KeyEntry, created: &Created, form: Form) -> String {
    let (secret, public) = (created.secret.display().to_string(), created.public.as_ref());
    let public = public.map(|path| path.display().to_string());
    match form {
        Form::Json => output::json(&json!({
            "id": entry.id, "algorithm": entry.algorithm.name(), "serial": entry.serial, "status": entry.status.name(),
            "secret_file": secret, "public_file": public,
        })),
        Form::Text => {
            let shared = || format!("{secret}: {}", text("key.share"));
            let next = public.map_or_else(shared, |public| format!("{public}: {}", text("key.give")));
            let (id, algorithm) = (&entry.id, entry.algorithm.name());
            format!("{id} ({algorithm}, {}): {secret}\n{next}", entry.status.name())
        }
    }
}

pub(super) fn usages() -> impl TypedValueParser<Value = Usage> {
    PossibleValuesParser::new(Usage::ALL.map(Usage::name)).try_map(|name| Usage::parse(&name).ok_or(UNKNOWN))
}

fn sides() -> impl TypedValueParser<Value = Side> {
    PossibleValuesParser::new(Side::ALL.map(Side::name)).try_map(|name| Side::parse(&name).ok_or(UNKNOWN))
}

fn algorithms() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::name)).try_map(|name| Algorithm::parse(&name).ok_or(UNKNOWN))
}

fn statuses() -> impl TypedValueParser<Value = Status> {
    let names = [Status::Pending, Status::Accepted, Status::Primary].map(Status::name);
    PossibleValuesParser::new(names).try_map(|name| Status::parse(&name).ok_or(UNKNOWN))
}

const UNKNOWN: &str = "not known";
