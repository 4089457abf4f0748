//! `hangu bench`: what one call, one message and one payment cost on this machine. It measures; it judges nothing but that
//! every payment it played succeeded.

mod codec;
mod course;
mod crypto;
mod gateway;
mod growth;
mod inside;
mod institutions;
mod measure;
mod operations;
mod pages;
mod process;
mod report;
mod services;
mod settings;
mod stand;

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
    /// One debit request and its reply, step by step: parse, verify, open, translate; translate, seal, sign. Then a debit and its
    /// answer of every institution in each of its suites.
    #[command(after_help = "Examples:\n  hangu bench codec\n  hangu bench codec --rounds 2000 -o json")]
    Codec(codec::Args),
    /// Payments through whole gateways: rate, latency, processor time and memory per payment.
    #[command(
        after_help = "Examples:\n  hangu bench gateway --rate 500 --duration 60s\n  hangu bench gateway --preset peak --transport rabbitmq -o json\n  hangu bench gateway --saturate --transport rabbitmq --journal postgres --gateways 2\n  \
                      hangu bench gateway --payments 20000 --concurrency 64 --folder /var/lib/hangu"
    )]
    Gateway(Box<gateway::Args>),
    /// The same at growing sizes: rate, institutions, bytes of a message, payments under way, exchanges in the journal.
    #[command(
        after_help = "Examples:\n  hangu bench growth --axis rate\n  hangu bench growth --axis in-flight --transport rabbitmq -o json\n  hangu bench growth --axis journal --values 1000,30000000 --keep journals"
    )]
    Growth(Box<growth::Args>),
    /// Make the tables of docs/performance.md from the objects that the other benches printed.
    #[command(
        after_help = "Examples:\n  hangu bench report\n  hangu bench report --from docs/bench --page docs/performance.md --check"
    )]
    Report(pages::Args),
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::Crypto(args) => crypto::run(args, form),
        Command::Codec(args) => codec::run(args, form),
        Command::Gateway(args) => gateway::run(args, form),
        Command::Growth(args) => growth::run(args, form),
        Command::Report(args) => pages::run(args, form),
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
