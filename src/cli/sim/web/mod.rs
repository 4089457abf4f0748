//! `hangu sim web`: a console for testers in the browser, on this machine alone.
//!
//! One bench stays: a gateway, a centre and a platform, which hand-made messages meet. Scenarios are played beside it, each on
//! a stage of its own, as `hangu sim run` plays them. Whoever knows the word in the address may do everything; nobody else
//! anything.

mod books;
mod console;
mod order;
mod routes;

use super::scenario::{self, stage};
use super::{Exit, Failure, Form};
use crate::cli::output;
use crate::cli::signals::Signals;
use console::Console;
use hangu::clock::Entropy;
use hangu::shell::SystemEntropy;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Port of 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The same seed gives the same ids, amounts, customers and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many scenarios are played at a time; the others wait.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let signals = Signals::heard_by(&runtime)?;
    runtime.block_on(serve(args, signals, form))
}

async fn serve(args: &Args, mut signals: Signals, form: Form) -> Result<Exit, Failure> {
    let folder = scenario::folder()?;
    stage::make_keys(folder.path(), args.seed)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
    let listener = listener.map_err(|error| Failure::new(Exit::Unavailable, format!("port {}", args.port), error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::new(Exit::Unavailable, "port", error))?;
    let console = Arc::new(Console::open(folder, args.seed, args.jobs).await?);
    let token = token();
    say(&format!("http://{address}/#{token}"), form);
    let router = routes::router(console.clone(), address, &token);
    let served = tokio::select! {
        served = axum::serve(listener, router) => served,
        () = signals.one() => Ok(()),
    };
    console.close().await;
    served.map_err(|error| Failure::new(Exit::Unavailable, "console", error))?;
    Ok(Exit::Ok)
}

fn say(url: &str, form: Form) {
    match form {
        Form::Json => output::say(&serde_json::json!({ "url": url }).to_string()),
        Form::Text => output::say(&format!("{url}\nEnds with Ctrl-C.")),
    }
}

/// What the address carries behind `#`, which a browser keeps to itself and the page sends with each call.
fn token() -> String {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    output::hex(&bytes)
}
