//! `hangu sim run centre`.

use super::steer::{PATIENCE_S, Party, Steered, Steering};
use super::{Exit, Failure, Settings, centre_config, queue_link};
use crate::cli::parties::{party, world};
use crate::cli::queues::MqQueues;
use hangu::config::Config;
use simulators::centre::{CentreConfig, CentreHandle, OPEN, OnTimeout};
use simulators::mix::Flow;
use simulators::queues::storm::Storm;
use simulators::report::Book;
use std::sync::Arc;
use std::time::Duration;

#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) settings: Settings,
    #[command(flatten)]
    steering: Steering,
    #[command(flatten)]
    manner: Manner,
}

/// How the centre treats its requests.
#[derive(clap::Args, Clone)]
struct Manner {
    /// Seconds until a request without a final outcome is sent again, and again.
    #[arg(long, default_value_t = REPEAT_S)]
    repeat_s: u64,
    /// Deliver each message once to this many times, out of order, as a broker may.
    #[arg(long, default_value_t = 1)]
    copies_max: u64,
}

pub(super) async fn run(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let Args { settings, steering, .. } = args;
    let centre = Arc::new(start_as(settings, config, &args.manner, steering.patience_s)?);
    centre.carry(steering.carried()?);
    announce(&centre).await?;
    let steered = Steered::new(steering, Arc::clone(&centre)).await?;
    let desk = centre.desk();
    let work = move |planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    steered.play(settings, steering, Flow::CentreToPlatform, work).await?;
    settings.write_books(&centre.books())?;
    drop(steered);
    if let Some(centre) = Arc::into_inner(centre) {
        centre.stop().await;
    }
    Ok(Exit::Ok)
}

/// Connects and starts to answer.
pub(super) fn start(settings: &Settings, config: &Config) -> Result<CentreHandle, Failure> {
    let plain = Manner {
        repeat_s: REPEAT_S,
        copies_max: 1,
    };
    start_as(settings, config, &plain, PATIENCE_S)
}

fn start_as(settings: &Settings, config: &Config, manner: &Manner, patience_s: u64) -> Result<CentreHandle, Failure> {
    let (name, link, mq_config) = queue_link(config)?;
    let mq = hangu::start::connect(name, mq_config)?;
    let party = party(&link.codec, name, &settings.keys("centre"))?;
    let centre_config = CentreConfig {
        reply_ms: manner.repeat_s.saturating_mul(1_000),
        final_ms: patience_s.saturating_mul(1_000),
        on_timeout: OnTimeout::Repeat,
        workers: WORKERS,
        ..centre_config(settings, link, mq_config)
    };
    let queues = Storm::new(Arc::new(MqQueues::new(mq)), manner.copies_max, settings.seed);
    Ok(simulators::centre::start(Arc::new(queues), party, world(), centre_config))
}

/// Tells the bank that the system is open, and its settlement date.
pub(super) async fn announce(centre: &CentreHandle) -> Result<(), Failure> {
    let unavailable = |refusal| Failure::new(Exit::Unavailable, "centre", format!("{refusal}"));
    centre.desk().announce(OPEN).await.map_err(unavailable)?;
    // The notice travels on the request queue, ahead of what follows; a moment lets the bank take it in.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

impl Party for CentreHandle {
    fn name(&self) -> &'static str {
        "centre"
    }

    fn books(&self) -> Book {
        Self::books(self)
    }

    fn figures(&self) -> serde_json::Value {
        serde_json::json!(Self::figures(self))
    }

    fn set_faults(&self, rules: &[u8]) -> Result<(), String> {
        let rules = serde_json::from_slice(rules).map_err(|error| error.to_string())?;
        Self::set_faults(self, rules);
        Ok(())
    }
}

const REPEAT_S: u64 = 15;
/// A reply that waits for its broker, or for a storm to pass, holds up its worker.
const WORKERS: usize = 64;
