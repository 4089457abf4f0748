//! `hangu sim run platform`.

use super::steer::{Party, Steered, Steering};
use super::{Exit, Failure, Settings, plain, queue_link};
use crate::cli::parties::{party, world};
use hangu::config::{Config, HttpConfig};
use simulators::mix::{Flow, platform_rules};
use simulators::people::ACCOUNTS_MAX;
use simulators::platform::{PlatformClient, PlatformClientConfig, PlatformHandle, PlatformRule, lock};
use simulators::report::Book;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) settings: Settings,
    #[command(flatten)]
    steering: Steering,
    /// An instance of the gateway, such as `http://127.0.0.1:8100`; several are asked in turn. By default the configured
    /// one.
    #[arg(long)]
    gateway: Vec<String>,
}

impl Args {
    /// The platform as others play it.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            steering: Steering::none(),
            gateway: Vec::new(),
        }
    }
}

pub(super) async fn run(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let Args { settings, steering, .. } = args;
    let (platform, client) = start(args, config).await?;
    lock(&platform.ledger()).carry(steering.carried()?);
    let work = move |planned| {
        let client = client.clone();
        async move { client.play(&planned).await }
    };
    let platform = Arc::new(platform);
    let steered = Steered::new(steering, Arc::clone(&platform)).await?;
    steered.play(settings, steering, Flow::PlatformToCentre, work).await?;
    settings.write_books(&platform.books())?;
    drop(steered);
    if let Some(platform) = Arc::into_inner(platform) {
        platform.stop().await;
    }
    Ok(Exit::Ok)
}

/// Listens where the gateway calls it, and is ready to call the gateway.
pub(super) async fn start(args: &Args, config: &Config) -> Result<(PlatformHandle, PlatformClient), Failure> {
    let (name, codec, http) = http_link(config)?;
    let keys = args.settings.keys("platform");
    let address = plain::address(&args.settings, name, http)?;
    let unavailable = |error: std::io::Error| Failure::new(Exit::Unavailable, address.clone(), error);
    let listener = TcpListener::bind(&address).await.map_err(unavailable)?;
    let platform =
        simulators::platform::start(listener, party(codec, name, &keys)?, world(), ACCOUNTS_MAX).map_err(unavailable)?;
    platform.set_faults(platform_rules());
    let client = PlatformClient::new(
        client_config(args, config, http)?,
        party(codec, name, &keys)?,
        world(),
        platform.ledger(),
    );
    Ok((platform, client))
}

fn client_config(args: &Args, config: &Config, http: &HttpConfig) -> Result<PlatformClientConfig, Failure> {
    let (_, centre, _) = queue_link(config)?;
    let defaults = PlatformClientConfig::new(&format!("http://{}", http.listen), args.settings.date());
    let base_urls = if args.gateway.is_empty() {
        defaults.base_urls.clone()
    } else {
        args.gateway.clone()
    };
    Ok(PlatformClientConfig {
        base_urls,
        bank: centre.member.clone(),
        centre: centre.counterparty.clone(),
        mfe: centre.channel.chars().next().unwrap_or('B'),
        first_serial: args.settings.first_serial(60_000_000, 3),
        // A gateway that is restarted, or whose broker is, answers again within this time.
        final_ms: args.steering.patience_s.saturating_mul(1_000),
        ..defaults
    })
}

impl Party for PlatformHandle {
    fn name(&self) -> &'static str {
        "platform"
    }

    fn books(&self) -> Book {
        Self::books(self)
    }

    fn figures(&self) -> serde_json::Value {
        serde_json::json!({ "rejected": self.rejected(), "repeated": self.repeated() })
    }

    /// What the mix itself needs stays in place.
    fn set_faults(&self, rules: &[u8]) -> Result<(), String> {
        let more = serde_json::from_slice::<Vec<PlatformRule>>(rules).map_err(|error| error.to_string())?;
        let mut rules = platform_rules();
        rules.extend(more);
        Self::set_faults(self, rules);
        Ok(())
    }
}

fn http_link(config: &Config) -> Result<(&str, &str, &HttpConfig), Failure> {
    let found = config
        .link
        .iter()
        .find_map(|(name, link)| Some((name.as_str(), link.codec.as_str(), link.http.as_ref()?)));
    found.ok_or_else(|| Failure::config("link", "no link has an http table"))
}
