//! `hangu message`: one message taken apart, checked, explained. Values are masked unless the caller asks for the danger.

use super::config::{LinkSpec, link_spec};
use super::key;
use super::output::{self, Exit, Failure, Form};
use codecs::wire::Wire;
use hangu::clock::Clock;
use hangu::pipeline::{LinkView, Rejection, Step, content};
use hangu::shell::SystemClock;
use keys::keyring::Keyring;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

mod decode;
mod digest;
mod doctor;
mod explain;
mod source;
mod verify;

pub(crate) use decode::{lines, objects};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print the fields of a message; no key is needed.
    #[command(
        after_help = "Examples:\n  hangu message decode -l nps request.xml\n  hangu message decode -l centre -c hangu.toml -o json - < request.xml\n\n\
        A queue message is a file with the body's bytes. An HTTP message is a file with a start line\n\
        (`REQUEST POST /v1/debit` or `STATUS 200`), a line `name: value` for each header\n\
        (names in lower case), an empty line, and the body.\n\
        Sample files of a codec (`expect: ...`) are read too."
    )]
    Decode(MessageArgs),
    /// Say whether the gateway would accept a message: exit 0 or 1.
    #[command(
        after_help = "Examples:\n  hangu message verify -l centre request.xml\n  hangu message verify -l platform --at 2026-05-01T10:00:00+08:00 captured.txt -o json"
    )]
    Verify(MessageArgs),
    /// Print the exact string to sign, its digest, the key and the verdict.
    #[command(
        after_help = "Examples:\n  hangu message explain -l centre request.xml\n  hangu message explain -l centre --danger-unmasked request.xml"
    )]
    Explain(MessageArgs),
    /// Try the known mistakes on a message that is refused, and name the one that explains it: exit 0 when nothing is wrong.
    #[command(
        after_help = "Examples:\n  hangu message doctor -l centre request.xml\n  hangu message doctor -l alipay --at 2026-05-01T10:00:00+08:00 captured.txt -o json\n\n\
        Every cause is listed in docs/doctor.md."
    )]
    Doctor(MessageArgs),
}

#[derive(clap::Args)]
struct MessageArgs {
    /// Link of the configuration, or a codec's name.
    #[arg(short, long)]
    link: String,
    /// Configuration file; hangu.toml is used if it is there.
    #[arg(short, long)]
    config: Option<PathBuf>,
    /// Judge key validity and freshness at this moment (RFC 3339) instead of this one.
    #[arg(long, value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// Show values in full. What is printed is then customer data.
    #[arg(long)]
    danger_unmasked: bool,
    /// File with one message, `-` for standard input.
    file: PathBuf,
}

/// What every message command works on.
struct Subject {
    link: LinkSpec,
    wire: Wire,
    now: OffsetDateTime,
    danger_unmasked: bool,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::Decode(args) => decode::run(&args.subject()?, form),
        Command::Verify(args) => verify::run(&args.subject()?, form),
        Command::Explain(args) => explain::run(&args.subject()?, form),
        Command::Doctor(args) => doctor::run(&args.subject()?, form),
    }
}

impl MessageArgs {
    fn subject(&self) -> Result<Subject, Failure> {
        if self.danger_unmasked {
            let warning = super::texts::text("message.unmasked");
            output::complain(&format!("{} {}", warning.en, warning.zh));
        }
        let mut link = link_spec(&self.link, self.config.as_deref())?;
        let source = source::read(&self.file)?;
        if let Some(on) = source.sealing {
            link.spec = Arc::new(link.spec.with_sealing(on));
        }
        Ok(Subject {
            link,
            wire: source.wire,
            now: self.at.unwrap_or_else(|| SystemClock.now()),
            danger_unmasked: self.danger_unmasked,
        })
    }
}

impl Subject {
    /// The keys of the configuration; none when there is no configuration or it does not know the link.
    fn keyring(&self) -> Result<Option<Keyring>, Failure> {
        match self.known_config() {
            Some(config) => key::load(&config.keys).map(Some),
            None => Ok(None),
        }
    }

    /// The message, taken out of its capsule where it is in one, with the keys that there are.
    fn content(&self, keyring: Option<&Keyring>) -> Result<Cow<'_, Wire>, Box<Rejection>> {
        let LinkSpec { name, spec, .. } = &self.link;
        match keyring {
            Some(keyring) => content(&self.wire, LinkView { name, spec, keyring }, self.now),
            None if matches!(spec.sealed_content(&self.wire), Ok(Some(_))) => {
                let detail = "the whole content is sealed; give -c and a link's name, whose key opens it";
                Err(Box::new(Rejection::new(Step::Open, "seal.unopened", detail)))
            }
            None => Ok(Cow::Borrowed(&self.wire)),
        }
    }

    fn known_config(&self) -> Option<&hangu::config::Config> {
        self.link
            .config
            .as_ref()
            .filter(|config| config.link.contains_key(&self.link.name))
    }
}

fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| format!("{error}; wanted as 2026-05-01T10:00:00+08:00"))
}

#[cfg(test)]
mod tests;
