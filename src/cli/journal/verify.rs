//! `hangu journal verify`: the journal proven, beside a running gateway or without one. Exit 0 only if all of it holds.

mod report;

use super::{Opened, reader};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::parties::{book, read_book};
use hangu::clock::{Clock, millis};
use hangu::config::Config;
use hangu::journal::prove::{self, ProveError};
use hangu::journal::verify::{Known, Report, VerifyError};
use hangu::journal::{Found, Journal, JournalError, Millis, Read};
use hangu::shell::SystemClock;
use keys::keyring::Keyring;
use simulators::report::{Book, Comparison, compare};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Compare payment by payment with the counterparties' books (`hangu sim run ... --books`).
    #[arg(long, num_args = 2, value_names = ["CENTRE", "PLATFORM"])]
    books: Vec<PathBuf>,
    /// Tips exported before: finds a tail that was cut off since, and a chain written anew.
    #[arg(long, value_name = "FILE")]
    tips: Option<PathBuf>,
    /// Write where every chain ends, to be kept outside; only if all holds.
    #[arg(long, value_name = "FILE")]
    export_tips: Option<PathBuf>,
}

pub(super) fn run(args: &Args, config: &Config, form: Form) -> Result<Exit, Failure> {
    let journal = reader(config)?;
    let keyring = Arc::new(key::load(&config.keys)?);
    let known = args.tips.as_deref().map(read_known).transpose()?;
    let now = millis(SystemClock.now());
    let proof = journal
        .runtime
        .block_on(prove(&*journal.journal, config, keyring, known.as_ref(), now))?;
    let books = compare_books(&args.books, &journal)?;
    let holds = proof.holds() && books.as_ref().is_none_or(|books| books.equal);
    let exported = args.export_tips.as_deref().filter(|_| holds);
    if let Some(file) = exported {
        write_known(file, &proof.known)?;
    }
    let shown = report::Shown {
        proof: &proof,
        books: books.as_ref(),
        exported,
        holds,
    };
    output::say(&match form {
        Form::Json => output::json(&shown.object()),
        Form::Text => shown.page(),
    });
    Ok(if holds { Exit::Ok } else { Exit::CheckFailed })
}

/// Proves a journal that was written under this configuration and these keys.
pub(crate) async fn prove(
    journal: &dyn Journal,
    config: &Config,
    keyring: Arc<Keyring>,
    known: Option<&Known>,
    now: Millis,
) -> Result<Report, Failure> {
    let place = config.journal.place();
    let proof = prove::prove(journal, config, keyring, known, now).await;
    proof.map_err(|error| match error {
        ProveError::Config(error) => error.into(),
        // Rows that no gateway wrote are what this command is there to find.
        ProveError::Verify(VerifyError::Journal(JournalError::Damaged(detail))) => {
            Failure::new(Exit::CheckFailed, place, format!("damaged: {detail}"))
        }
        ProveError::Verify(error) => Failure::new(Exit::Unavailable, place, error),
    })
}

fn read_known(file: &Path) -> Result<Known, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, file.display().to_string(), error);
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

/// The old tips stand until the new ones are durable: they may be the only ones.
fn write_known(file: &Path, known: &Known) -> Result<(), Failure> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let text = output::json(known) + "\n";
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|error| Failure::new(Exit::Unavailable, file.display().to_string(), error))
}

/// The books of centre and platform, and the journal as the gateway's.
fn compare_books(files: &[PathBuf], journal: &Opened) -> Result<Option<Comparison>, Failure> {
    let [centre, platform] = files else { return Ok(None) };
    let (centre, platform) = (read_book(centre)?, read_book(platform)?);
    let mut gateway = Book::default();
    let mut after = i64::MIN;
    loop {
        let page = journal.ask(Read::Scan { after, limit: PAGE }, Found::exchanges)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        gateway.entries.extend(book(&page).entries);
    }
    Ok(Some(compare(&centre, &gateway, &platform)))
}

const PAGE: u32 = 1_000;
