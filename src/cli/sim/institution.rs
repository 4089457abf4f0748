//! `hangu sim run institution`.

use super::{CONCURRENCY_MAX, Exit, Failure, Settings, plain};
use crate::cli::output;
use crate::cli::parties::world;
use crate::cli::signals::Signals;
use hangu::config::{Config, LinkConfig};
use serde_json::json;
use simulators::counterparty::Party;
use simulators::institution::direct::{self, Direct, DirectConfig};
use simulators::load::{Load, drive};
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Link of the configuration; its codec says which institution stands at the other end.
    link: String,
    #[command(flatten)]
    pub(super) settings: Settings,
    /// The gateway's listener for this institution, such as `http://127.0.0.1:8300` or `tcp://127.0.0.1:8583`. By default the
    /// configured one.
    #[arg(long)]
    gateway: Option<String>,
    /// Seconds until it gives up waiting for a final outcome.
    #[arg(long, default_value_t = PATIENCE_S)]
    patience_s: u64,
    /// Over frames: also send some that are no good, and good ones in unusual segments.
    #[arg(long)]
    bad_frames: bool,
}

impl Args {
    /// A link's institution as others play it.
    pub(super) fn of(link: &str, settings: &Settings) -> Self {
        Self {
            link: link.to_owned(),
            settings: settings.clone(),
            gateway: None,
            patience_s: PATIENCE_S,
            bad_frames: false,
        }
    }
}

pub(super) async fn run(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let settings = &args.settings;
    let mut signals = Signals::heard()?;
    let direct = start(args, config).await?;
    let courses = direct.calling().map_err(|refusal| unavailable(&args.link, &refusal))?;
    // An institution that only answers waits for the bank's platform.
    let count = if courses == 0 { 0 } else { settings.payments };
    let load = Load {
        rate_per_s: settings.rate,
        concurrency_max: CONCURRENCY_MAX,
    };
    let player = direct.clone();
    let work = move |n: u64| {
        let player = player.clone();
        async move { player.play(n).await }
    };
    let played = drive((0..count).collect(), load, work, |_done| {}).await;
    say(&args.link, &direct, played.into_iter().map(|one| one.result));
    signals.one().await;
    settings.write_books(&direct.books())?;
    direct.stop().await;
    Ok(Exit::Ok)
}

pub(super) async fn start(args: &Args, config: &Config) -> Result<Direct, Failure> {
    let link = direct_link(args, config)?;
    let keyring = keys::store::load(&args.settings.keys(&args.link)).map_err(|error| Failure::config("keys", error))?;
    let party = Party::new(Arc::new(config.specs()?), &link.codec, Arc::new(keyring), &args.link);
    let party = party.in_suite(link.suite.as_deref().unwrap_or_default());
    let gateway = args.gateway.clone().unwrap_or_else(|| listening(link));
    let direct_config = DirectConfig {
        final_ms: args.patience_s.saturating_mul(1_000),
        bad_frames: args.bad_frames,
        ..DirectConfig::new(&gateway, args.settings.first_serial(0, 2))
    };
    let listener = bind(args, link).await?;
    direct::start(listener, party, world(), direct_config).map_err(|refusal| unavailable(&args.link, &refusal))
}

fn direct_link<'c>(args: &Args, config: &'c Config) -> Result<&'c LinkConfig, Failure> {
    let found = config.link.get(&args.link).filter(|link| link.mq.is_none());
    found.ok_or_else(|| {
        let fits = |(name, link): (&String, &LinkConfig)| link.mq.is_none().then(|| name.clone());
        let known: Vec<String> = config.link.iter().filter_map(fits).collect();
        Failure::config(
            "link",
            format!("no HTTP or TCP link is named {}; there are: {}", args.link, known.join(", ")),
        )
    })
}

/// Where the gateway listens by its configuration.
fn listening(link: &LinkConfig) -> String {
    let frames = link.tcp.as_ref().map(|tcp| format!("tcp://{}", tcp.listen));
    let http = link.http.as_ref().map(|http| format!("http://{}", http.listen));
    frames.or(http).unwrap_or_default()
}

/// Where the gateway calls the institution; nowhere over frames.
async fn bind(args: &Args, link: &LinkConfig) -> Result<Option<TcpListener>, Failure> {
    let Some(http) = &link.http else { return Ok(None) };
    let address = plain::address(&args.settings, &args.link, http)?;
    let bound = TcpListener::bind(&address).await;
    bound.map(Some).map_err(|error| unavailable(&address, &error))
}

/// One line that says how its payments went; the first complaints are in it.
fn say(link: &str, direct: &Direct, courses: impl Iterator<Item = Vec<direct::DirectPlayed>>) {
    let (mut requests, mut complaints) = (0_u64, Vec::new());
    for played in courses.flatten() {
        requests += 1;
        complaints.extend(played.complaint);
    }
    let as_planned = requests.saturating_sub(complaints.len() as u64);
    complaints.truncate(COMPLAINTS_MAX);
    let summary = json!({
        "party": link, "played": requests, "as_planned": as_planned, "complaints": complaints, "figures": direct.figures(),
    });
    output::say(&summary.to_string());
}

fn unavailable(place: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, place, error)
}

const COMPLAINTS_MAX: usize = 20;
const PATIENCE_S: u64 = 120;
