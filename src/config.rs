//! hangu.toml: read whole, checked whole. Unknown keys are errors that name the line and what is allowed.

mod bulkhead;
mod certificates;
mod envelope_reuse;
mod further;
mod http;
mod journal;
mod keys;
mod mq;
mod providers;
mod runtime;
mod settle;
mod tcp;

pub use self::keys::{KeysConfig, MasterConfig, RevocationConfig};
use crate::limits;
pub use bulkhead::{BulkheadConfig, Shares};
pub use certificates::{Certificates, Member};
pub use envelope_reuse::EnvelopeReuseConfig;
pub use further::{CodecsConfig, specs};
pub use http::HttpConfig;
pub use journal::{JournalConfig, PostgresConfig};
pub use mq::MqConfig;
pub use providers::{ProviderConfig, ProviderKind};
pub use runtime::RuntimeConfig;
use serde::Deserialize;
pub use settle::{InstitutionSettleConfig, LinkSettleConfig, SettleConfig};
use std::collections::BTreeMap;
use std::path::Path;
pub use tcp::TcpConfig;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of this instance; it owns the exchanges it works on. Must differ between instances that share a journal.
    pub instance: String,
    pub journal: JournalConfig,
    pub keys: KeysConfig,
    #[serde(default)]
    pub codecs: CodecsConfig,
    #[serde(default)]
    pub admin: AdminConfig,
    #[serde(default)]
    pub settle: SettleConfig,
    #[serde(default)]
    pub stop: StopConfig,
    #[serde(default)]
    pub runtime: RuntimeConfig,
    /// Links by name; the keyring knows its keys by the same names.
    pub link: BTreeMap<String, LinkConfig>,
    /// Where requests go, first match wins.
    pub route: Vec<RouteConfig>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Address of /live, /ready and /metrics; none when absent.
    #[serde(default)]
    pub listen: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopConfig {
    /// After SIGTERM, how long exchanges in flight may take to finish.
    pub grace_s: u64,
}

impl Default for StopConfig {
    fn default() -> Self {
        Self { grace_s: 20 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Codec, one of `hangu codec list`.
    pub codec: String,
    /// Our member number as messages of this link carry it.
    #[serde(default)]
    pub member: String,
    /// The counterparty's member number.
    #[serde(default)]
    pub counterparty: String,
    /// Our application code and the counterparty's (NPS: MPS and NPS).
    #[serde(default)]
    pub app: String,
    #[serde(default)]
    pub counterparty_app: String,
    /// Channel letter (NPS: the MFE letter).
    #[serde(default)]
    pub channel: String,
    /// Two digits after the date in our MsgIds.
    #[serde(default = "origin")]
    pub origin: String,
    /// Whether sensitive fields are sealed; the codec's spec says which.
    #[serde(default = "yes")]
    pub sealing: bool,
    /// What is reused of the envelopes around sealed fields.
    #[serde(default)]
    pub envelope_reuse: EnvelopeReuseConfig,
    /// The set of algorithms, where the codec knows several; its first when absent.
    #[serde(default)]
    pub suite: Option<String>,
    /// Whether a successor of our key is announced to this counterparty by message, where the codec has one for it.
    #[serde(default)]
    pub announce_keys: bool,
    /// How long we wait for this counterparty's answer before the outcome is unknown.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
    /// Exchanges in flight; at the bound, queues stop and HTTP answers 503.
    #[serde(default = "in_flight")]
    pub in_flight_max: usize,
    /// How unknown outcomes of what goes out by this link are settled, where that differs from `[settle]`.
    #[serde(default)]
    pub settle: LinkSettleConfig,
    /// Which share of them one institution or operation may hold.
    #[serde(default)]
    pub bulkhead: BulkheadConfig,
    /// One of `mq`, `http` and `tcp`.
    #[serde(default)]
    pub mq: Option<MqConfig>,
    #[serde(default)]
    pub http: Option<HttpConfig>,
    #[serde(default)]
    pub tcp: Option<TcpConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    pub from: String,
    pub to: String,
    /// Operations this route is for; all when absent.
    #[serde(default)]
    pub operations: Option<Vec<String>>,
}

/// What is wrong with a configuration, for people: the key or line, and what is allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {detail}")]
pub struct ConfigError {
    pub place: String,
    pub detail: String,
}

impl Config {
    /// Reads and checks a file. Relative paths are taken from the file's folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            place: place.clone(),
            detail: format!("cannot be read: {error}"),
        })?;
        let mut config = Self::parse(&text).map_err(|error| ConfigError {
            place: format!("{place}: {}", error.place),
            ..error
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        config.journal.file = config.journal.file.take().map(|file| folder.join(file));
        if let Some(postgres) = &mut config.journal.postgres {
            postgres.password_file = postgres.password_file.take().map(|file| folder.join(file));
            postgres.tls_ca_file = postgres.tls_ca_file.take().map(|file| folder.join(file));
        }
        config.keys.take_files_from(folder);
        config.codecs.folder = config.codecs.folder.take().map(|further| folder.join(further));
        for mq in config.link.values_mut().filter_map(|link| link.mq.as_mut()) {
            mq.take_files_from(folder);
        }
        for http in config.link.values_mut().filter_map(|link| link.http.as_mut()) {
            http.take_files_from(folder);
        }
        Ok(config)
    }

    /// Parses and checks a text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| of_toml(text, &error))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.instance.is_empty()
            || self.instance.len() > limits::INSTANCE_BYTES_MAX
            || !self.instance.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            let allowed = format!("letters, digits and '-', 1 to {}", limits::INSTANCE_BYTES_MAX);
            return Err(wrong("instance", &allowed));
        }
        self.journal.check()?;
        self.keys.check()?;
        self.settle.check("settle")?;
        self.runtime.check()?;
        for (name, link) in &self.link {
            check_link(name, link)?;
            self.settle.check_over(name, &link.settle)?;
        }
        for (index, route) in self.route.iter().enumerate() {
            self.check_route(index, route)?;
        }
        Ok(())
    }

    fn check_route(&self, index: usize, route: &RouteConfig) -> Result<(), ConfigError> {
        for (key, name) in [("from", &route.from), ("to", &route.to)] {
            if !self.link.contains_key(name) {
                let known = self.link.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(wrong(
                    &format!("route[{index}].{key}"),
                    &format!("no link is named {name}; links are: {known}"),
                ));
            }
        }
        for operation in route.operations.iter().flatten() {
            if codecs::payment::Operation::parse(operation).is_none() {
                let known = codecs::payment::Operation::ALL
                    .iter()
                    .map(|o| o.name())
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(wrong(
                    &format!("route[{index}].operations"),
                    &format!("{operation} is none of: {known}"),
                ));
            }
        }
        Ok(())
    }
}

fn check_link(name: &str, link: &LinkConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.{key}");
    if link.in_flight_max == 0 || link.in_flight_max > limits::IN_FLIGHT_MAX {
        return Err(wrong(&place("in_flight_max"), &format!("1 to {}", limits::IN_FLIGHT_MAX)));
    }
    bulkhead::check(name, link)?;
    envelope_reuse::check(name, &link.envelope_reuse)?;
    if link.answer_ms < 10 {
        return Err(wrong(&place("answer_ms"), "10 or more"));
    }
    if link.origin.len() != 2 || !link.origin.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong(&place("origin"), "two digits"));
    }
    match (&link.mq, &link.http, &link.tcp) {
        (Some(mq), None, None) => mq::check(name, mq),
        (None, Some(http), None) => http::check(name, http),
        (None, None, Some(tcp)) => tcp::check(name, tcp),
        _ => Err(wrong(&format!("link.{name}"), "exactly one of the tables mq, http and tcp")),
    }
}

fn wrong(place: &str, allowed: &str) -> ConfigError {
    ConfigError {
        place: place.to_owned(),
        detail: format!("wrong value; allowed: {allowed}"),
    }
}

fn of_toml(text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error
        .span()
        .map_or(1, |span| text.bytes().take(span.start).filter(|&b| b == b'\n').count() + 1);
    ConfigError {
        place: format!("line {line}"),
        detail: error.message().to_owned(),
    }
}

const fn yes() -> bool {
    true
}
const fn answer_ms() -> u64 {
    30_000
}
const fn in_flight() -> usize {
    limits::IN_FLIGHT_DEFAULT
}
fn origin() -> String {
    "00".to_owned()
}
