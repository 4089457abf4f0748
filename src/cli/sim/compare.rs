//! `hangu sim compare`: the three books, payment by payment.

use super::{Exit, Failure, Form};
use crate::cli::output;
use simulators::report::{Book, compare};
use std::path::{Path, PathBuf};

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
    let comparison = compare(&read(&args.centre)?, &read(&args.gateway)?, &read(&args.platform)?);
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

fn read(file: &Path) -> Result<Book, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, file.display().to_string(), error);
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
