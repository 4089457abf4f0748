//! `hangu run`: the gateway, until SIGTERM or SIGINT. SIGHUP has it read its certificates again.

mod secrecy;

use super::output::{Exit, Failure, Form};
use super::signals::{Hangups, Signals};
use super::texts::text;
use hangu::config::Config;
use hangu::journal::SharedJournal;
use hangu::shell::{Running, SystemClock, SystemEntropy, serve_bounded};
use hangu::start::{Assembled, Surroundings, assemble};
use hangu::telemetry::{Watched, admin, init_logs};
use keys::error::CryptoError;
use keys::keyring::Keyring;
use keys::provider::DeviceFault;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "info")]
    log: tracing::Level,
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    // A terminal shows lines for people; a file or a collector gets JSON lines.
    init_logs(args.log, form == Form::Json || !std::io::stderr().is_terminal());
    secrecy::guard();
    let config = Config::load(&args.config)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(config.runtime.threads())
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let signals = Signals::heard_by(&runtime)?;
    let hangups = Hangups::heard_by(&runtime)?;
    if let Some(first) = super::check::obstacles(&config).into_iter().next() {
        return Err(Failure::config("hangu check", first));
    }
    let devices = config.keys.devices().clone();
    let outcome = runtime.block_on(serve(config, signals, hangups));
    devices.close();
    outcome
}

async fn serve(config: Config, mut signals: Signals, hangups: Hangups) -> Result<Exit, Failure> {
    let source = config.keys.source();
    let (admin_listen, grace) = (config.admin.listen.clone(), Duration::from_secs(config.stop.grace_s));
    let (Assembled { gateway, queues, https }, journal) = tokio::select! {
        prepared = prepare(config) => prepared?,
        () = signals.one() => {
            tracing::info!("stopped before it began");
            return Ok(Exit::Ok);
        }
    };
    let watched = Watched {
        gateway: gateway.clone(),
        mqs: queues.iter().map(|link| (link.name.clone(), link.mq.clone())).collect(),
        doors: https.iter().map(|link| (link.name.clone(), link.door.clone())).collect(),
    };
    if let Some(address) = admin_listen {
        serve_admin(&address, watched).await?;
    }
    let running = Running::start(gateway, queues, https)
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, "journal", error))?;
    tracing::info!("gateway is running");
    let gateway = running.gateway().clone();
    let asked = vec![running.follow_keys(source), running.renewal()];
    tokio::spawn(hangups.each_tells(asked));
    let is_displaced = tokio::select! {
        () = signals.one() => false,
        () = gateway.displaced() => true,
    };
    tracing::info!(grace_s = grace.as_secs(), "stopping: nothing new is taken");
    let is_finished = running.stop(grace).await;
    journal.close().await;
    tracing::info!(is_finished, "stopped; what was in flight is in the journal");
    if is_displaced {
        let detail = "another process runs under this name; this one was taken for dead, and has ended";
        return Err(Failure::new(Exit::Unavailable, "instance", detail));
    }
    Ok(Exit::Ok)
}

/// Nothing is taken and nobody is told before this is done.
async fn prepare(config: Config) -> Result<(Assembled, SharedJournal), Failure> {
    let keyring = config.keys.load()?;
    tokio::task::block_in_place(|| unlocked(&keyring))?;
    let keyring = Arc::new(config.reusing(keyring));
    let journal = hangu::journal::open::open(&config, keyring.clone())
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, config.journal.place(), error))?;
    let surroundings = Surroundings {
        keyring,
        journal: journal.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        mqs: BTreeMap::new(),
    };
    Ok((assemble(config, surroundings).await?, journal))
}

/// A device that refuses its password does so to the operator who starts the gateway, and once: it counts and locks. One that is
/// away is waited for.
fn unlocked(keyring: &Keyring) -> Result<(), Failure> {
    let mut away = BTreeSet::new();
    for placement in keyring.placements() {
        let name = placement.placed.device.name();
        if away.contains(name) {
            continue;
        }
        match placement.probe.probe() {
            Err(CryptoError::Device(DeviceFault::Denied)) => {
                let place = format!("keys.provider.{name}.password_file");
                return Err(Failure::config(place, text("run.device.denied")));
            }
            Err(error) => {
                tracing::warn!(device = name, key = placement.id, %error, "a key of a device cannot be used yet");
                away.insert(name.to_owned());
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn serve_admin(address: &str, watched: Watched) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::config("admin.listen", format!("{address}: {error}")))?;
    tokio::spawn(serve_bounded(listener, admin(watched)));
    Ok(())
}
