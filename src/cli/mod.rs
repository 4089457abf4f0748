//! One binary, `noun verb`. Each command is a file; this one knows their names, the output form and the exit codes.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod check;
mod codec;
mod config;
mod demo;
mod institutions;
mod journal;
mod key;
mod message;
mod mq;
mod output;
mod parties;
mod queues;
mod run;
mod signals;
mod sim;
mod texts;

/// Hangu: the gate between internet payment institutions, the clearing centre and the bank.
#[derive(Parser)]
#[command(name = "hangu", version, about, propagate_version = true)]
struct Cli {
    /// Output for people (`text`) or programs (`json`).
    #[arg(short, long, global = true, value_enum, default_value_t = output::Form::Text)]
    output: output::Form,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the main job in one process and prove it: centre, gateway and platform on embedded defaults.
    #[command(after_help = "Examples:\n  hangu demo\n  hangu demo --payments 20000 --rate 500 -o json")]
    Demo(demo::Args),
    /// Run the gateway.
    #[command(after_help = "Example:\n  hangu run -c hangu.toml")]
    Run(run::Args),
    /// Check specs, keys, routes and links before a start.
    #[command(after_help = "Examples:\n  hangu check -c hangu.toml\n  hangu check -c hangu.toml --connect -o json")]
    Check(check::Args),
    /// A first configuration, the effective one, and the table of its keys.
    #[command(
        after_help = "Examples:\n  hangu config init --dir /tmp/hangu\n  hangu config show -c hangu.toml\n  hangu config docs"
    )]
    Config(config::Args),
    /// Take one message apart, verify it, explain its signature, find out why it fails.
    #[command(
        after_help = "Examples:\n  hangu message decode -l nps request.xml\n  hangu message verify -l centre request.xml\n  hangu message explain -l centre request.xml\n  hangu message doctor -l centre request.xml"
    )]
    Message(message::Args),
    /// Codecs: list, page, samples.
    #[command(after_help = "Examples:\n  hangu codec list\n  hangu codec docs nps\n  hangu codec test nps")]
    Codec(codec::Args),
    /// Declare and show the queues of the links.
    #[command(after_help = "Examples:\n  hangu mq declare -c hangu.toml\n  hangu mq show -c hangu.toml -o json")]
    Mq(mq::Args),
    /// List, show and check keys; fingerprints only.
    #[command(
        after_help = "Examples:\n  hangu key list -c hangu.toml\n  hangu key show centre-sign\n  hangu key check --folder keys/gateway"
    )]
    Key(key::Args),
    /// Find and show exchanges; release and discard parked messages.
    #[command(
        after_help = "Examples:\n  hangu journal find --state unknown\n  hangu journal show 17\n  hangu journal park list\n  hangu journal release 3 --to message.xml --note \"key imported\""
    )]
    Journal(journal::Args),
    /// Counterparty simulators for testers.
    #[command(
        after_help = "Examples:\n  hangu sim run centre -c hangu.toml\n  hangu sim run platform -c hangu.toml\n  hangu sim drive --operation debit --count 3"
    )]
    Sim(sim::Args),
    /// What one call, one message and one payment cost on this machine.
    #[command(
        after_help = "Examples:\n  hangu bench crypto\n  hangu bench codec -o json\n  hangu bench gateway --payments 20000 -o json"
    )]
    Bench(bench::Args),
}

/// Parses the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args, cli.output),
        Command::Run(args) => run::run(&args, cli.output),
        Command::Check(args) => check::run(&args, cli.output),
        Command::Config(args) => config::run(&args, cli.output),
        Command::Message(args) => message::run(&args, cli.output),
        Command::Codec(args) => codec::run(&args, cli.output),
        Command::Mq(args) => mq::run(&args, cli.output),
        Command::Key(args) => key::run(&args, cli.output),
        Command::Journal(args) => journal::run(&args, cli.output),
        Command::Sim(args) => sim::run(&args, cli.output),
        Command::Bench(args) => bench::run(&args, cli.output),
    };
    output::finish(result, cli.output)
}
