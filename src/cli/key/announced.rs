//! `hangu key announced`: keys that counterparties announced by message, and ours as they were announced. To decide on one is a
//! rotation; to believe it takes its fingerprint by another channel.

use super::rotate::measure::{Letters, announced};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use hangu::clock::{Clock, from_millis};
use hangu::config::Config;
use hangu::exchange::{Announced, Distributed};
use hangu::shell::SystemClock;
use keys::keyring::Keyring;
use serde_json::{Value, json};
use std::path::PathBuf;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Only of this link.
    link: Option<String>,
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let (keyring, now) = (config.keys.load()?, SystemClock.now());
    let mut letters = announced(&config)?;
    let is_asked = |link: &String| args.link.as_ref().is_none_or(|asked| asked == link);
    letters.theirs.retain(|one| is_asked(&one.link));
    letters.ours.retain(|one| is_asked(&one.link));
    output::say(&match form {
        Form::Json => output::json(&object(&letters, &keyring, now)),
        Form::Text => lines(&letters, &keyring, now).join("\n"),
    });
    Ok(Exit::Ok)
}

/// What stands against, or for, an announced key.
enum Standing {
    /// It waits for a decision.
    Proven(String),
    Taken,
    Doubted(String),
}

impl Standing {
    fn of(one: &Announced, keyring: &Keyring, now: OffsetDateTime) -> Self {
        if one.is_taken(keyring) {
            return Self::Taken;
        }
        match one.proven(keyring, now) {
            Ok(key) => Self::Proven(key.fingerprint),
            Err(disbelief) => Self::Doubted(disbelief.to_string()),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Proven(_) => "waits",
            Self::Taken => "taken",
            Self::Doubted(_) => "doubted",
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Proven(_) => text("announced.waits").to_string(),
            Self::Taken => text("announced.taken").to_string(),
            Self::Doubted(why) => format!("{}: {why}", text("announced.doubted")),
        }
    }

    fn fingerprint(&self) -> &str {
        match self {
            Self::Proven(fingerprint) => fingerprint,
            Self::Taken | Self::Doubted(_) => "-",
        }
    }
}

fn lines(letters: &Letters, keyring: &Keyring, now: OffsetDateTime) -> Vec<String> {
    let mut lines = Vec::new();
    if letters.theirs.is_empty() && letters.ours.is_empty() {
        lines.push(text("announced.none").to_string());
    }
    if !letters.theirs.is_empty() {
        let rows: Vec<_> = letters.theirs.iter().map(|one| their_row(one, keyring, now)).collect();
        lines.push(table(&titles(&THEIRS), &rows));
        lines.push(text("announced.compare").to_string());
    }
    if !letters.ours.is_empty() {
        let rows: Vec<_> = letters.ours.iter().map(our_row).collect();
        lines.push(table(&titles(&OURS), &rows));
    }
    lines
}

fn their_row(one: &Announced, keyring: &Keyring, now: OffsetDateTime) -> Vec<String> {
    let (standing, said) = (Standing::of(one, keyring, now), &one.announcement);
    vec![
        one.link.clone(),
        said.usage.clone(),
        said.serial.clone(),
        standing.fingerprint().to_owned(),
        said.from.clone(),
        said.to.clone(),
        one.signed_by.clone(),
        one.exchange.to_string(),
        standing.told(),
    ]
}

fn our_row(one: &Distributed) -> Vec<String> {
    vec![
        one.link.clone(),
        one.serial.clone(),
        one.fingerprint.clone(),
        one.signed_by.clone(),
        instant(one.sent_at),
        match &one.answer {
            None => text("announced.unanswered").to_string(),
            Some(answer) if answer.is_taken => text("announced.confirmed").to_string(),
            Some(answer) => format!("{}: {}", text("announced.refused"), answer.text),
        },
    ]
}

fn object(letters: &Letters, keyring: &Keyring, now: OffsetDateTime) -> Value {
    let theirs = letters.theirs.iter().map(|one| {
        let (standing, said) = (Standing::of(one, keyring, now), &one.announcement);
        json!({
            "link": one.link, "usage": said.usage, "serial": said.serial, "fingerprint": standing.fingerprint(),
            "from": said.from, "to": said.to, "signed_by": one.signed_by, "exchange": one.exchange, "at": instant(one.at),
            "standing": standing.name(),
        })
    });
    let ours = letters.ours.iter().map(|one| {
        let answer = one.answer.as_ref();
        json!({
            "link": one.link, "serial": one.serial, "fingerprint": one.fingerprint, "signed_by": one.signed_by,
            "sent_at": instant(one.sent_at), "confirmed": answer.map(|answer| answer.is_taken),
            "answer": answer.map(|answer| &answer.text),
        })
    });
    json!({ "theirs": theirs.collect::<Vec<_>>(), "ours": ours.collect::<Vec<_>>() })
}

fn instant(at: i64) -> String {
    let at = from_millis(at);
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

const THEIRS: [&str; 9] = [
    "key.link",
    "key.usage",
    "key.serial",
    "key.fingerprint",
    "key.from",
    "key.to",
    "announced.signed_by",
    "announced.exchange",
    "announced.standing",
];
const OURS: [&str; 6] = [
    "key.link",
    "key.serial",
    "key.fingerprint",
    "announced.signed_by",
    "announced.sent",
    "announced.answer",
];
