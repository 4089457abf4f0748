//! `hangu sim run centre`.

use super::{CONCURRENCY_MAX, Exit, Failure, Settings, centre_config, queue_link, summary};
use crate::cli::output;
use crate::cli::parties::{party, world};
use crate::cli::queues::MqQueues;
use crate::cli::run::wait_for_signal;
use hangu::config::Config;
use simulators::centre::{CentreConfig, CentreHandle, OnTimeout};
use simulators::load::{Load, drive};
use simulators::mix::Flow;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn run(settings: &Settings, config: &Config) -> Result<Exit, Failure> {
    let centre = start(settings, config)?;
    announce(&centre).await?;
    let share = settings.share(Flow::CentreToPlatform);
    let load = Load {
        rate_per_s: settings.share_rate(share.len()),
        concurrency_max: CONCURRENCY_MAX,
    };
    let desk = centre.desk();
    let work = move |planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    let finished = drive(share, load, work, |_done| {}).await;
    let played = finished.into_iter().map(|one| one.result).collect::<Vec<_>>();
    output::say(&summary("centre", &played, &serde_json::json!(centre.figures())).to_string());
    wait_for_signal().await?;
    settings.write_books(&centre.books())?;
    centre.stop().await;
    Ok(Exit::Ok)
}

/// Connects and starts to answer.
pub(super) fn start(settings: &Settings, config: &Config) -> Result<CentreHandle, Failure> {
    let (name, link, mq_config) = queue_link(config)?;
    let mq = hangu::start::connect(name, mq_config)?;
    let party = party(&link.codec, name, &settings.keys("centre"))?;
    let centre_config = CentreConfig {
        reply_ms: 15_000,
        final_ms: 120_000,
        on_timeout: OnTimeout::Repeat,
        ..centre_config(settings, link, mq_config)
    };
    Ok(simulators::centre::start(
        Arc::new(MqQueues::new(mq)),
        party,
        world(),
        centre_config,
    ))
}

/// Tells the bank that the system is open, and its settlement date.
pub(super) async fn announce(centre: &CentreHandle) -> Result<(), Failure> {
    let unavailable = |refusal| Failure::new(Exit::Unavailable, "centre", format!("{refusal}"));
    centre.desk().announce("ST01").await.map_err(unavailable)?;
    // The notice travels on the request queue, ahead of what follows; a moment lets the bank take it in.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}
