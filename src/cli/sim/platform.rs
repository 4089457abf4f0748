//! `hangu sim run platform`.

use super::{CONCURRENCY_MAX, Exit, Failure, Settings, queue_link, summary};
use crate::cli::output;
use crate::cli::parties::{party, world};
use crate::cli::run::wait_for_signal;
use hangu::config::{Config, HttpConfig};
use simulators::load::{Load, drive};
use simulators::mix::{Flow, platform_rules};
use simulators::platform::{PlatformClient, PlatformClientConfig, PlatformHandle};
use tokio::net::TcpListener;

pub(super) async fn run(settings: &Settings, config: &Config) -> Result<Exit, Failure> {
    let (name, codec, http) = http_link(config)?;
    let keys = settings.keys("platform");
    let address = http.base_url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let unavailable = |error: std::io::Error| Failure::new(Exit::Unavailable, address.clone(), error);
    let listener = TcpListener::bind(&address).await.map_err(unavailable)?;
    let platform = simulators::platform::start(listener, party(codec, name, &keys)?, world(), ACCOUNTS).map_err(unavailable)?;
    platform.set_faults(platform_rules());
    let client = PlatformClient::new(
        client_config(settings, config, http)?,
        party(codec, name, &keys)?,
        world(),
        platform.ledger(),
    );
    let share = settings.share(Flow::PlatformToCentre);
    let load = Load {
        rate_per_s: settings.share_rate(share.len()),
        concurrency_max: CONCURRENCY_MAX,
    };
    let work = move |planned| {
        let client = client.clone();
        async move { client.play(&planned).await }
    };
    let finished = drive(share, load, work, |_done| {}).await;
    let played = finished.into_iter().map(|one| one.result).collect::<Vec<_>>();
    output::say(&summary("platform", &played, &figures(&platform)).to_string());
    wait_for_signal().await?;
    settings.write_books(&platform.books())?;
    platform.stop().await;
    Ok(Exit::Ok)
}

fn client_config(settings: &Settings, config: &Config, http: &HttpConfig) -> Result<PlatformClientConfig, Failure> {
    let (_, centre, _) = queue_link(config)?;
    Ok(PlatformClientConfig {
        bank: centre.member.clone(),
        centre: centre.counterparty.clone(),
        mfe: centre.channel.chars().next().unwrap_or('B'),
        first_serial: settings.first_serial(60_000_000, 3),
        // A gateway that is restarted, or whose broker is, answers again within this time.
        final_ms: 120_000,
        ..PlatformClientConfig::new(&format!("http://{}", http.listen), settings.date())
    })
}

fn figures(platform: &PlatformHandle) -> serde_json::Value {
    serde_json::json!({ "rejected": platform.rejected(), "repeated": platform.repeated() })
}

fn http_link(config: &Config) -> Result<(&str, &str, &HttpConfig), Failure> {
    let found = config
        .link
        .iter()
        .find_map(|(name, link)| Some((name.as_str(), link.codec.as_str(), link.http.as_ref()?)));
    found.ok_or_else(|| Failure::config("link", "no link has an http table"))
}

const ACCOUNTS: u64 = 1_000_000;
