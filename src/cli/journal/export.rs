//! `hangu journal export`: the gateway's book, in the form that the simulators write theirs.

use super::super::output::{self, Exit, Failure};
use super::super::parties;
use hangu::config::Config;
use hangu::journal::sqlite::Store;
use hangu::journal::{Read, Search};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Write to this file instead of standard output.
    #[arg(long)]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let place = config.journal.file.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, place.clone(), error);
    let store = Store::open_read_only(&config.journal.file).map_err(|error| failed(&error))?;
    let search = Search {
        limit: u32::MAX,
        ..Search::default()
    };
    let found = store.query(&Read::Search(Box::new(search))).map_err(|error| failed(&error))?;
    let book = output::json(&parties::book(&found.exchanges().map_err(|error| failed(&error))?));
    let Some(file) = &args.to else {
        output::say(&book);
        return Ok(Exit::Ok);
    };
    std::fs::write(file, book).map_err(|error| Failure::new(Exit::Unavailable, file.display().to_string(), error))?;
    Ok(Exit::Ok)
}
