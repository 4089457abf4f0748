//! `hangu sim proxy`: goes wrong on purpose between a gateway and a counterparty that somebody else started.

mod tls;

use super::{Exit, Failure, Form, queue_link};
use crate::cli::output;
use crate::cli::queues::MqQueues;
use crate::cli::signals::Signals;
use hangu::config::Config;
use serde_json::json;
use simulators::proxy::{Framing, Proxy, Route, Rules, Told, shift};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where it listens in place of the other side.
    #[arg(long, required_unless_present = "queues")]
    listen: Option<SocketAddr>,
    /// The other side, as host:port.
    #[arg(long, required_unless_present = "queues")]
    to: Option<String>,
    /// How messages are told apart: HTTP/1.1, or two bytes that count.
    #[arg(long, value_enum, default_value_t = Frames::Http)]
    frames: Frames,
    #[command(flatten)]
    tls: tls::TlsArgs,
    /// Move messages from one queue to another of the configured broker, as FROM=TO.
    #[arg(long, value_parser = queues, conflicts_with_all = ["listen", "to"])]
    queues: Option<(String, String)>,
    /// The configuration whose broker is used.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
    /// What goes wrong and when; docs/proxy.md shows it. Without rules everything passes.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// The same seed and the same order of messages give the same faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "warn")]
    log: tracing::Level,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Frames {
    Http,
    Counted,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.log, form == Form::Json);
    let rules = rules(args)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    runtime.block_on(async {
        match (&args.queues, args.listen, &args.to) {
            (Some((from, to)), _, _) => move_messages(args, from, to, rules).await,
            (None, Some(listen), Some(to)) => relay(args, listen, to, rules).await,
            (None, _, _) => Err(Failure::new(Exit::Usage, "--listen", "where, and --to whom?")),
        }
    })
}

fn rules(args: &Args) -> Result<Rules, Failure> {
    let Some(file) = &args.rules else {
        return Ok(Rules::default());
    };
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::new(Exit::Usage, place.clone(), error))?;
    Rules::parse(&text).map_err(|error| Failure::config(place, error))
}

async fn relay(args: &Args, listen: SocketAddr, to: &str, rules: Rules) -> Result<Exit, Failure> {
    let mut signals = Signals::heard()?;
    let unavailable = |error: std::io::Error| Failure::new(Exit::Unavailable, listen.to_string(), error);
    let listener = TcpListener::bind(listen).await.map_err(unavailable)?;
    let (inbound, outbound) = args.tls.handshakes(to)?;
    let route = Route {
        target: to.to_owned(),
        framing: match args.frames {
            Frames::Http => Framing::Http,
            Frames::Counted => Framing::Counted,
        },
        inbound,
        outbound,
    };
    let (told, count) = teller();
    let proxy = Proxy::start(listener, route, rules, args.seed, told).map_err(unavailable)?;
    output::say(&json!({ "listens": proxy.address(), "to": to }).to_string());
    signals.one().await;
    let [requests, replies] = proxy.carried();
    proxy.stop().await;
    let faults = count.load(Ordering::Relaxed);
    output::say(&json!({ "requests": requests, "replies": replies, "faults": faults }).to_string());
    Ok(Exit::Ok)
}

async fn move_messages(args: &Args, from: &str, to: &str, rules: Rules) -> Result<Exit, Failure> {
    let mut signals = Signals::heard()?;
    let config = Config::load(&args.config)?;
    let (name, _, mq) = queue_link(&config)?;
    let mq = hangu::start::connect(name, mq)?;
    let named = [from.to_owned(), to.to_owned()];
    mq.check(&named)
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, name, error))?;
    let queues = MqQueues::new(Arc::clone(&mq));
    let (told, count) = teller();
    output::say(&json!({ "from": from, "to": to }).to_string());
    tokio::select! {
        () = shift(&queues, from, to, rules, args.seed, told) => {}
        () = signals.one() => {}
    }
    mq.close().await;
    output::say(&json!({ "faults": count.load(Ordering::Relaxed) }).to_string());
    Ok(Exit::Ok)
}

/// One line for each fault, and their number.
fn teller() -> (impl FnMut(Told) + Send + 'static, Arc<AtomicU64>) {
    let count = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&count);
    let told = move |told: Told| {
        counted.fetch_add(1, Ordering::Relaxed);
        output::say(&json!(told).to_string());
    };
    (told, count)
}

fn queues(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .filter(|(from, to)| !from.is_empty() && !to.is_empty() && from != to);
    pair.map(|(from, to)| (from.to_owned(), to.to_owned()))
        .ok_or_else(|| "two queues, such as nps.B.req.raw=nps.B.req".to_owned())
}
