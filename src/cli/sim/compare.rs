//! `hangu sim compare`: the three books, payment by payment.

use super::{Exit, Failure, Form};
use crate::cli::output;
use crate::cli::parties::read_book;
use simulators::report::compare;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The centre's book (`hangu sim run centre --books`).
    centre: PathBuf,
    /// The gateway's (`hangu journal export --to`).
    gateway: PathBuf,
    /// The platform's (`hangu sim run platform --books`).
    platform: PathBuf,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let comparison = compare(
        &read_book(&args.centre)?,
        &read_book(&args.gateway)?,
        &read_book(&args.platform)?,
    );
    match form {
        Form::Json => output::say(&output::json(&comparison)),
        Form::Text => {
            for difference in &comparison.differences {
                output::say(&format!("{}: {} {}", difference.key, difference.en, difference.zh));
            }
            let verdict = if comparison.equal {
                "the books are equal"
            } else {
                "the books DIFFER"
            };
            output::say(&format!(
                "{} payments compared, {} differences: {verdict}",
                comparison.payments,
                comparison.differences.len()
            ));
        }
    }
    Ok(if comparison.equal { Exit::Ok } else { Exit::CheckFailed })
}
