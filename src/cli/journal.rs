//! `hangu journal`: what is durable, for people. Reading works beside a running gateway; changing goes through
//! the gateway where it holds the journal.

use super::output::{Exit, Failure, Form};
use hangu::config::Config;
use hangu::journal::{Found, JournalError, Read, SharedJournal, Unexpected, Write, Written, open};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Runtime;

mod act;
mod ask;
mod export;
mod find;
mod park;
mod rewrap;
mod show;
pub(crate) mod verify;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Find exchanges; all conditions given must hold.
    #[command(
        after_help = "Examples:\n  hangu journal find --state unknown\n  hangu journal find --key 202605010012345678\n  hangu journal find --operation debit --date 2026-05-01 -o json\n  echo 6228480000000000001 | hangu journal find --account -\n  hangu journal find --parked"
    )]
    Find(find::Args),
    /// Show one exchange with its timeline and messages, masked.
    #[command(after_help = "Examples:\n  hangu journal show 17\n  hangu journal show 17 -o json")]
    Show {
        /// Id of the exchange, as `find` prints it.
        id: i64,
    },
    /// List or show parked messages.
    #[command(
        after_help = "Examples:\n  hangu journal park list\n  hangu journal park list --all -o json\n  hangu journal park show 3"
    )]
    Park(park::Args),
    /// Release a parked message: through the gateway's pipeline as if it had just come, or to a file or its queue.
    #[command(
        after_help = "Examples:\n  hangu journal release 3 --note \"key imported\"\n  hangu journal release 3 --to message.xml --note \"key imported, sent again by the centre\"\n  hangu journal release 3 --publish --note \"key imported\""
    )]
    Release(act::ReleaseArgs),
    /// Mark a parked message as of no further use; its record stays.
    #[command(after_help = "Example:\n  hangu journal discard 3 --note \"test message, agreed with the centre\"")]
    Discard(act::DiscardArgs),
    /// Write the gateway's book: every payment with its outcome, to be compared with the counterparties' books.
    #[command(after_help = "Example:\n  hangu journal export --to gateway.json")]
    Export(export::Args),
    /// Put what stands under an earlier journal key under the primary one. Exit 0 only if nothing is left.
    #[command(after_help = "Examples:\n  hangu journal rewrap\n  hangu journal rewrap --per-s 2000 --for-s 3600 -o json")]
    Rewrap(rewrap::Args),
    /// Prove the journal: hash chains, replies, one effect for each payment, and books if given. Exit 0 only if all holds.
    #[command(
        after_help = "Examples:\n  hangu journal verify\n  hangu journal verify --tips tips.json --export-tips tips.json\n  hangu journal verify --books centre.json platform.json -o json"
    )]
    Verify(verify::Args),
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    match &args.command {
        Command::Find(find) => find::run(find, &config, form),
        Command::Show { id } => show::run(*id, &config, form),
        Command::Park(park) => park::run(park, &config, form),
        Command::Release(release) => act::release(release, &config, form),
        Command::Discard(discard) => act::discard(discard, &config, form),
        Command::Export(export) => export::run(export, &config),
        Command::Rewrap(rewrap) => rewrap::run(rewrap, &config, form),
        Command::Verify(verify) => verify::run(verify, &config, form),
    }
}

/// An open journal, with what its answers need to arrive.
pub(super) struct Opened {
    journal: SharedJournal,
    runtime: Runtime,
    place: String,
}

/// Opens the journal for reading, also while a gateway writes it.
pub(super) fn reader(config: &Config) -> Result<Opened, Failure> {
    let runtime = runtime()?;
    let place = config.journal.place();
    let opened = runtime.block_on(open::open_read_only(config));
    let journal = opened.map_err(|error| Failure::new(Exit::Unavailable, place.clone(), error))?;
    Ok(Opened { journal, runtime, place })
}

/// Opens the journal for writing, which only one process may at a time where it is a file.
fn writer(config: &Config) -> Result<Opened, Failure> {
    match hold(config)? {
        Held::ByUs(journal) => Ok(journal),
        Held::ByGateway(detail) => {
            let detail = format!("{detail}; changing it needs it alone: stop the gateway, or run this where no gateway runs");
            Err(Failure::new(Exit::Unavailable, config.journal.place(), detail))
        }
    }
}

/// In whose hands the journal is.
enum Held {
    ByUs(Opened),
    /// Somebody else writes it; what the journal says of that.
    ByGateway(String),
}

fn hold(config: &Config) -> Result<Held, Failure> {
    let runtime = runtime()?;
    let place = config.journal.place();
    let keyring = Arc::new(super::key::load(&config.keys)?);
    match runtime.block_on(open::open_existing(config, keyring)) {
        Ok(journal) => Ok(Held::ByUs(Opened { journal, runtime, place })),
        Err(JournalError::Refused(detail)) if config.journal.file.is_some() => Ok(Held::ByGateway(detail)),
        Err(error @ (JournalError::Refused(_) | JournalError::Unknown(_) | JournalError::Damaged(_))) => {
            Err(Failure::new(Exit::Unavailable, place, error))
        }
    }
}

impl Opened {
    /// A read whose answer is taken out of its variant.
    pub(super) fn ask<T>(&self, read: Read, take: fn(Found) -> Result<T, Unexpected>) -> Result<T, Failure> {
        let found = self.runtime.block_on(self.journal.read(read));
        let taken = found.map_err(|error| self.failed(error)).map(take)?;
        taken.map_err(|error| self.failed(error))
    }

    fn write(&self, write: Write) -> Result<Written, JournalError> {
        self.runtime.block_on(self.journal.write(write))
    }

    fn failed(&self, error: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Unavailable, self.place.clone(), error)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.runtime.block_on(self.journal.close());
    }
}

fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))
}
