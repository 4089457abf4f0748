//! `hangu journal export`: the gateway's book, in the form that the simulators write theirs.

use super::super::output::{self, Exit, Failure};
use super::super::parties;
use super::reader;
use hangu::config::Config;
use hangu::journal::{Found, Read, Search};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Write to this file instead of standard output.
    #[arg(long)]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let search = Search {
        limit: u32::MAX,
        ..Search::default()
    };
    let found = reader(config)?.ask(Read::Search(Box::new(search)), Found::exchanges)?;
    let book = output::json(&parties::book(&found));
    let Some(file) = &args.to else {
        output::say(&book);
        return Ok(Exit::Ok);
    };
    std::fs::write(file, book).map_err(|error| Failure::new(Exit::Unavailable, file.display().to_string(), error))?;
    Ok(Exit::Ok)
}
