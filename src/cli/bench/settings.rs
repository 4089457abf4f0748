//! What is measured and how it is loaded: the options of `hangu bench gateway`, checked, and the configurations that follow.

use super::services::Postgres;
use crate::cli::output::{Exit, Failure};
use hangu::config::Config;
use hangu::limits::{GATHER_US, GATHER_US_MAX};
use keys::sm2::Engine;
use serde_json::{Value, json};
use simulators::institution::INSTITUTIONS_MAX;
use std::path::PathBuf;

/// What stands around the gateway, and how it is set.
#[derive(clap::Args, Clone)]
pub(super) struct Setting {
    /// `memory`: the gateway in this process, its processor time told by threads; `rabbitmq`: a process of its own.
    #[arg(long, value_enum, default_value_t = Transport::Memory)]
    pub(super) transport: Transport,
    /// `sqlite` for one gateway, `postgres` for several.
    #[arg(long, value_enum, default_value_t = Journal::Sqlite)]
    pub(super) journal: Journal,
    /// Gateways that share queues and journal.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(super) gateways: u16,
    /// Use this broker instead of a private one: `amqp://user:password@host:port/vhost`.
    #[arg(long)]
    pub(super) rabbitmq_url: Option<String>,
    /// Use this database instead of a private one: `postgres://user:password@host:port/database`.
    #[arg(long)]
    pub(super) postgres_url: Option<String>,
    /// The gateway's `keys.engine`: native or reference. The simulators always use native.
    #[arg(long, default_value = "native", value_parser = engine)]
    pub(super) engine: Engine,
    /// The gateway's `in_flight_max` of both links.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) in_flight: u16,
    /// The gateway's `runtime.workers`, where it is a process of its own.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(super) workers: u16,
    /// The gateway's `journal.gather_us`, with SQLite.
    #[arg(long, default_value_t = GATHER_US, value_parser = clap::value_parser!(u64).range(0..=GATHER_US_MAX))]
    pub(super) gather_us: u64,
    /// How many institutions pay.
    #[arg(long, default_value_t = 3, value_parser = institutions)]
    pub(super) institutions: usize,
    /// Requests are filled up to this size; 0 leaves them as they are, about 2.4 KB.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(super) message_bytes: u32,
    /// Debits and credits in a mix, as `debits:credits`.
    #[arg(long, default_value = "1:1", value_parser = Mix::parse)]
    pub(super) mix: Mix,
    /// Make the run's folder in this one, so that its disk is measured; by default in the temporary folder.
    #[arg(long)]
    pub(super) folder: Option<PathBuf>,
    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "error")]
    pub(super) log: tracing::Level,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Transport {
    Memory,
    Rabbitmq,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Journal {
    Sqlite,
    Postgres,
}

/// Shares of the operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mix {
    pub(super) debits: u32,
    pub(super) credits: u32,
}

impl Mix {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "two numbers with a colon between, such as 1:1".to_owned();
        let (debits, credits) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= 1_000).ok_or_else(wrong);
        let mix = Self {
            debits: number(debits)?,
            credits: number(credits)?,
        };
        if mix.debits + mix.credits == 0 {
            Err(wrong())
        } else {
            Ok(mix)
        }
    }

    /// Whether the n-th payment is a credit: evenly spread.
    pub(super) fn is_credit(self, n: u64) -> bool {
        let (all, credits) = (u64::from(self.debits + self.credits), u64::from(self.credits));
        (n + 1) * credits / all > n * credits / all
    }

    pub(super) fn debit_share(self) -> f64 {
        f64::from(self.debits) / f64::from(self.debits + self.credits)
    }
}

impl Transport {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Rabbitmq => "rabbitmq",
        }
    }
}

impl Journal {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Setting {
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refuse = |option: &str, detail: &str| Err(Failure::new(Exit::Usage, option, detail));
        if self.gateways > 1 && self.transport == Transport::Memory {
            return refuse("--gateways", "several gateways need --transport rabbitmq");
        }
        if self.gateways > 1 && self.journal == Journal::Sqlite {
            return refuse(
                "--gateways",
                "several gateways need --journal postgres: an SQLite journal has one writer",
            );
        }
        if self.rabbitmq_url.is_some() && self.transport == Transport::Memory {
            return refuse("--rabbitmq-url", "needs --transport rabbitmq");
        }
        if self.postgres_url.is_some() && self.journal == Journal::Sqlite {
            return refuse("--postgres-url", "needs --journal postgres");
        }
        Ok(())
    }

    pub(super) fn object(&self) -> Value {
        json!({
            "transport": self.transport.name(), "journal": self.journal.name(), "gateways": self.gateways,
            "engine": self.engine.name(), "in_flight_max": self.in_flight, "workers": self.workers, "gather_us": self.gather_us, "institutions": self.institutions,
            "message_bytes_min": self.message_bytes, "mix": {"debits": self.mix.debits, "credits": self.mix.credits},
        })
    }
}

/// Where services are and who is asked for.
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) user: String,
    pub(super) password: String,
    /// Virtual host, or database.
    pub(super) name: String,
}

impl Endpoint {
    /// `scheme://user:password@host:port/name`, without percent signs.
    pub(super) fn parse(option: &str, scheme: &str, url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::new(Exit::Usage, option, format!("not {scheme}://user:password@host:port/name"));
        let rest = url
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"))
            .ok_or_else(wrong)?;
        let (login, place) = rest.rsplit_once('@').ok_or_else(wrong)?;
        let (user, password) = login.split_once(':').ok_or_else(wrong)?;
        let (address, name) = place.split_once('/').unwrap_or((place, "/"));
        Ok(Self {
            address: address.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            name: if name.is_empty() { "/".to_owned() } else { name.to_owned() },
        })
    }

    pub(super) fn of_rabbitmq(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            user: "guest".to_owned(),
            password: "guest".to_owned(),
            name: "/".to_owned(),
        }
    }

    pub(super) fn of_postgres(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            user: Postgres::USER.to_owned(),
            password: Postgres::PASSWORD.to_owned(),
            name: Postgres::DATABASE.to_owned(),
        }
    }
}

/// One gateway's places.
pub(super) struct Places<'a> {
    pub(super) instance: &'a str,
    /// None for queues in memory.
    pub(super) broker: Option<&'a Endpoint>,
    /// None for an SQLite file in the folder.
    pub(super) database: Option<&'a Endpoint>,
    pub(super) platform: &'a str,
    pub(super) listen: &'a str,
    pub(super) admin: &'a str,
}

/// The text of one gateway's hangu.toml. What it does not name is as `hangu config init` leaves it.
pub(super) fn configuration(setting: &Setting, places: &Places<'_>) -> String {
    let Places {
        instance,
        platform,
        listen,
        admin,
        ..
    } = places;
    let (engine, in_flight, workers) = (setting.engine.name(), setting.in_flight, setting.workers);
    let journal = places.database.map_or_else(
        || format!("file = \"journal.db\", gather_us = {}", setting.gather_us),
        |database| {
            let Endpoint { address, user, name, .. } = database;
            format!("postgres = {{ addresses = [\"{address}\"], database = \"{name}\", user = \"{user}\", password_file = \"postgres.password\" }}")
        },
    );
    let broker = places.broker.map_or_else(
        || "addresses = [\"memory\"]".to_owned(),
        |broker| {
            let Endpoint { address, user, name, .. } = broker;
            format!("addresses = [\"{address}\"], user = \"{user}\", vhost = \"{name}\", password_file = \"rabbitmq.password\"")
        },
    );
    let hand_off = if setting.gateways > 1 {
        ", hand_off_prefix = \"bench.hand-off.\""
    } else {
        ""
    };
    format!(
        r#"instance = "{instance}"
journal = {{ {journal} }}
keys = {{ folder = "keys/gateway", engine = "{engine}" }}
admin = {{ listen = "{admin}" }}
runtime = {{ workers = {workers} }}

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
in_flight_max = {in_flight}
bulkhead = {{ institution_max = {in_flight}, operation_max = {in_flight} }}
mq = {{ {broker}, request_queue = "{REQUESTS}", reply_queue = "{REPLIES}", outbound_queue = "{OUTBOUND}"{hand_off} }}

[link.platform]
codec = "platform"
in_flight_max = {in_flight}
bulkhead = {{ institution_max = {in_flight}, operation_max = {in_flight} }}
http = {{ base_url = "http://{platform}", listen = "{listen}" }}

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#
    )
}

/// Parses a text of ours, whose paths are in `folder`.
pub(super) fn parsed(text: &str, folder: &std::path::Path, name: &str) -> Result<Config, Failure> {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, text).map_err(|error| Failure::new(Exit::Unavailable, name, error))?;
    Ok(Config::load(&file)?)
}

fn engine(text: &str) -> Result<Engine, String> {
    let found = Engine::ALL.into_iter().find(|engine| engine.name() == text);
    found.ok_or_else(|| format!("one of: {}", Engine::ALL.map(Engine::name).join(", ")))
}

fn institutions(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=INSTITUTIONS_MAX).contains(number));
    number.ok_or_else(|| format!("1 to {INSTITUTIONS_MAX}"))
}

pub(super) const REQUESTS: &str = "bench.request";
pub(super) const REPLIES: &str = "bench.reply";
pub(super) const OUTBOUND: &str = "bench.outbound";
