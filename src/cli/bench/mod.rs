//! `hangu bench`: what one call, one message and one payment cost on this machine. It measures; it judges nothing but that
//! every payment it played succeeded.

mod codec;
mod crypto;
mod gateway;
mod measure;
mod process;
mod report;

use super::demo::stage::Folder;
use super::output::{Exit, Failure, Form};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// SM2, SM3 and SM4: the engine that the keyring uses, beside the reference.
    #[command(after_help = "Examples:\n  hangu bench crypto\n  hangu bench crypto --rounds 200 -o json")]
    Crypto(crypto::Args),
    /// One debit request and its reply, step by step: parse, verify, open, translate; translate, seal, sign.
    #[command(after_help = "Examples:\n  hangu bench codec\n  hangu bench codec --rounds 2000 -o json")]
    Codec(codec::Args),
    /// Debits through a whole gateway: rate, latency, processor time and memory per payment.
    #[command(
        after_help = "Examples:\n  hangu bench gateway\n  hangu bench gateway --payments 20000 --concurrency 64 -o json\n  hangu bench gateway --folder /var/lib/hangu"
    )]
    Gateway(gateway::Args),
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::Crypto(args) => crypto::run(args, form),
        Command::Codec(args) => codec::run(args, form),
        Command::Gateway(args) => gateway::run(args, form),
    }
}

/// A folder for this run alone, removed at its end.
fn folder(parent: Option<&Path>, bench: &str) -> Result<Folder, Failure> {
    let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
    let path = parent.join(format!("hangu-bench-{bench}-{}", std::process::id()));
    std::fs::create_dir(&path).map_err(|error| Failure::new(Exit::Usage, path.display().to_string(), error))?;
    Ok(Folder::Thrown(path))
}

/// Figures of a build without optimisation say nothing of one with it.
const fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

fn refused(place: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Failure {
    move |error| Failure::new(Exit::Unavailable, place, error)
}
