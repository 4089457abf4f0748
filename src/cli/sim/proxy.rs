//! `hangu sim proxy`: goes wrong on purpose between a gateway and a counterparty that somebody else started.

mod tls;

use super::{Exit, Failure, Form, queue_link};
use crate::cli::output;
use crate::cli::queues::MqQueues;
use crate::cli::signals::Signals;
use hangu::config::Config;
use serde_json::json;
use simulators::proxy::{Carrier, Framing, Proxy, Reading, Route, Rules, Shift, Told, shift};
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
    /// How messages are told apart: HTTP/1.1, two bytes that count, or AMQP 0-9-1 between a gateway and its broker.
    #[arg(long, value_enum, default_value_t = Frames::Http)]
    frames: Frames,
    #[command(flatten)]
    tls: tls::TlsArgs,
    /// Move messages from one queue to another of the configured broker, as FROM=TO.
    #[arg(long, value_parser = queues, conflicts_with_all = ["listen", "to"])]
    queues: Option<(String, String)>,
    /// The configuration whose broker or link is used.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
    /// The configuration's link whose spec says how fields are read, for rules about an operation, institution, amount, account
    /// or field. No key is needed.
    #[arg(long)]
    link: Option<String>,
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
    Amqp,
}

impl Frames {
    const fn framing(self) -> (Framing, Carrier) {
        match self {
            Self::Http => (Framing::Http, Carrier::Http),
            Self::Counted => (Framing::Counted, Carrier::Counted),
            Self::Amqp => (Framing::Amqp, Carrier::Amqp),
        }
    }
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    hangu::telemetry::init_logs(args.log, form == Form::Json);
    let (reading, rules) = (reading(args)?, rules(args)?);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    runtime.block_on(async {
        match (&args.queues, args.listen, &args.to) {
            (Some((from, to)), _, _) => move_messages(args, from, to, (rules, reading)).await,
            (None, Some(listen), Some(to)) => relay(args, listen, to, (rules, reading)).await,
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
    let carrier = if args.queues.is_some() {
        Carrier::Queues
    } else {
        args.frames.framing().1
    };
    let fit = |rules: Rules| rules.fit(carrier, args.link.is_some()).map(|()| rules);
    Rules::parse(&text)
        .and_then(fit)
        .map_err(|error| Failure::config(place, error))
}

/// How the chosen link's messages are read.
fn reading(args: &Args) -> Result<Option<Reading>, Failure> {
    let Some(name) = &args.link else { return Ok(None) };
    let config = Config::load(&args.config)?;
    let no_link = || Failure::config("--link", format!("no link is named {name}"));
    let link = config.link.get(name).ok_or_else(no_link)?;
    let specs = config.specs()?;
    let suite = link.suite.as_deref().unwrap_or_default();
    let found = specs.spec(&link.codec);
    let spec = found.and_then(|spec| if suite.is_empty() { Some(spec) } else { spec.in_suite(suite) });
    let spec = spec.ok_or_else(|| Failure::config("--link", format!("no codec {}", link.codec)))?;
    Ok(Some(Reading {
        spec: Arc::clone(spec),
        is_addressed: link.tcp.as_ref().is_some_and(|tcp| tcp.tpdu),
    }))
}

/// What is to go wrong, and how the conditions on it are read.
type Plan = (Rules, Option<Reading>);

async fn relay(args: &Args, listen: SocketAddr, to: &str, (rules, reading): Plan) -> Result<Exit, Failure> {
    let mut signals = Signals::heard()?;
    let unavailable = |error: std::io::Error| Failure::new(Exit::Unavailable, listen.to_string(), error);
    let listener = TcpListener::bind(listen).await.map_err(unavailable)?;
    let (inbound, outbound) = args.tls.handshakes(to)?;
    let route = Route {
        target: to.to_owned(),
        framing: args.frames.framing().0,
        reading,
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

async fn move_messages(args: &Args, from: &str, to: &str, (rules, reading): Plan) -> Result<Exit, Failure> {
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
    let way = Shift {
        queues: &queues,
        from,
        to,
        rules,
        seed: args.seed,
        reading,
    };
    tokio::select! {
        () = shift(way, told) => {}
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
