//! Where the broker is and how far it is trusted: read once, checked wholly at start.

use super::tls;
use crate::secret::Password;
use crate::tls::TlsConfig;
use serde::Deserialize;

/// Settings of one broker. Times and sizes carry their unit in the name.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpConfig {
    /// `host:port` of each node, in order of preference.
    pub addresses: Vec<String>,
    pub vhost: String,
    pub user: String,
    pub password: Password,
    /// TLS, if the broker is to be reached by it.
    pub tls: Option<TlsConfig>,
    /// Heartbeat asked for, 5 to 60.
    pub heartbeat_s: u16,
    /// How long a publication waits for its confirm; afterwards its outcome is unknown.
    pub confirm_timeout_ms: u64,
    /// Publications that may wait for their confirm at once, by count and by bytes.
    pub unconfirmed_max: u32,
    pub unconfirmed_bytes_max: u32,
    pub message_bytes_max: usize,
    /// What `declare` makes.
    pub queue_type: QueueType,
}

impl Default for AmqpConfig {
    fn default() -> Self {
        Self {
            addresses: vec!["127.0.0.1:5672".to_owned()],
            vhost: "/".to_owned(),
            user: "guest".to_owned(),
            password: Password::default(),
            tls: None,
            heartbeat_s: 10,
            confirm_timeout_ms: 5000,
            unconfirmed_max: 1024,
            unconfirmed_bytes_max: 16 * 1024 * 1024,
            message_bytes_max: 1024 * 1024,
            queue_type: QueueType::Classic,
        }
    }
}

/// Kind of queue that `declare` makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// Durable, not replicated, not synced to the disk before a confirm.
    #[default]
    Classic,
    /// Replicated and synced: what a cluster needs.
    Quorum,
}

/// A setting that cannot work.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("mq {field}: {detail}")]
pub struct AmqpConfigError {
    pub field: &'static str,
    pub detail: String,
}

/// One broker node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl AmqpConfig {
    /// Checks every field and reads every file, without a connection.
    pub fn check(&self) -> Result<(), AmqpConfigError> {
        self.checked_addresses().map(drop)
    }

    /// The same; the addresses come back parsed.
    pub(super) fn checked_addresses(&self) -> Result<Vec<Address>, AmqpConfigError> {
        self.check_fields()?;
        let addresses: Vec<Address> = self
            .addresses
            .iter()
            .map(|text| Address::parse(text))
            .collect::<Result<_, _>>()?;
        self.password.read().map_err(|detail| AmqpConfigError {
            field: "password_file",
            detail,
        })?;
        if let Some(tls) = &self.tls {
            tls::check(tls, addresses.iter().map(|address| address.host.as_str()))?;
        }
        Ok(addresses)
    }

    fn check_fields(&self) -> Result<(), AmqpConfigError> {
        let body_max = self.unconfirmed_bytes_max as usize;
        let rules = [
            (!self.addresses.is_empty(), "addresses", "name at least one host:port"),
            ((1..=255).contains(&self.vhost.len()), "vhost", "must have 1 to 255 bytes"),
            (!self.user.is_empty(), "user", "is empty"),
            // With a heartbeat of 1 the client floods the link, with 0 it dies at once (facts/reliability.md 2.2, traps 5 and 6).
            ((5..=60).contains(&self.heartbeat_s), "heartbeat_s", "must be 5 to 60"),
            (
                (100..=60_000).contains(&self.confirm_timeout_ms),
                "confirm_timeout_ms",
                "must be 100 to 60000",
            ),
            // The client's own queue holds 8192 frames; staying under it keeps every send from waiting.
            (
                (1..=4096).contains(&self.unconfirmed_max),
                "unconfirmed_max",
                "must be 1 to 4096",
            ),
            (
                body_max > 0 && body_max <= 1 << 30,
                "unconfirmed_bytes_max",
                "must be 1 byte to 1 GiB",
            ),
            (
                self.message_bytes_max > 0 && self.message_bytes_max <= body_max,
                "message_bytes_max",
                "must be at least 1 and at most unconfirmed_bytes_max",
            ),
        ];
        for (holds, field, detail) in rules {
            if !holds {
                return Err(AmqpConfigError {
                    field,
                    detail: detail.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Address {
    /// The host of an IPv6 address keeps its brackets.
    fn parse(text: &str) -> Result<Self, AmqpConfigError> {
        let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let parsed = parts.and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port != 0)?)));
        let (host, port) = parsed.ok_or_else(|| AmqpConfigError {
            field: "addresses",
            detail: format!("{text:?} is not host:port"),
        })?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}
