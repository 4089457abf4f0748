//! `hangu config`: a first configuration with throw-away keys, the effective configuration, the table of keys.

mod docs;
mod init;
mod link;
mod sample;
mod show;

pub(crate) use link::{LinkSpec, link_spec};

use super::output::{self, Exit, Failure, Form};
use hangu::config::Config;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Write a commented hangu.toml and throw-away keys for a gateway, a centre and a platform on this machine.
    #[command(
        after_help = "Examples:\n  hangu config init\n  hangu config init --dir /tmp/hangu\n  hangu config init --force -o json"
    )]
    Init(init::Args),
    /// Print the effective configuration, defaults included, secrets left out.
    #[command(after_help = "Examples:\n  hangu config show\n  hangu config show -c hangu.toml -o json")]
    Show(ShowArgs),
    /// Print every key with meaning, default and example.
    #[command(after_help = "Examples:\n  hangu config docs\n  hangu config docs -o json")]
    Docs,
}

#[derive(clap::Args)]
struct ShowArgs {
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::Init(args) => init::run(args, form),
        Command::Show(args) => print(&args.config, form),
        Command::Docs => {
            output::say(&docs::page(form));
            Ok(Exit::Ok)
        }
    }
}

fn print(path: &Path, form: Form) -> Result<Exit, Failure> {
    let shown = show::table(&Config::load(path)?);
    output::say(&match form {
        Form::Text => toml::to_string_pretty(&shown).map_err(|error| Failure::config(path.display().to_string(), error))?,
        Form::Json => output::json(&shown),
    });
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests;
