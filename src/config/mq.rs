//! `[link.*.mq]`: the broker of a link, its queues, and how it is trusted.

use super::{ConfigError, wrong};
use crate::mq::{DEAD_LETTER_SUFFIX, dead_letter_queue};
use crate::tls::{TlsClient, TlsConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqConfig {
    /// Broker addresses, host:port, tried in turn. `memory` is the embedded broker of `demo`.
    pub addresses: Vec<String>,
    #[serde(default = "slash")]
    pub vhost: String,
    #[serde(default = "guest")]
    pub user: String,
    /// File that holds the password (mode 0600), or an environment variable's name; one of the two.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub password_env: Option<String>,
    /// Authorities that may vouch for the broker (PEM); its presence means TLS.
    #[serde(default)]
    pub tls_ca_file: Option<PathBuf>,
    /// The name that the broker's certificate must carry; the host of each address when absent.
    #[serde(default)]
    pub tls_server_name: Option<String>,
    /// Our own certificate and key (PEM; key mode 0600), where the broker asks for one; both or none.
    #[serde(default)]
    pub tls_cert_file: Option<PathBuf>,
    #[serde(default)]
    pub tls_key_file: Option<PathBuf>,
    #[serde(default = "ten")]
    pub heartbeat_s: u16,
    #[serde(default = "confirm_ms")]
    pub confirm_ms: u64,
    #[serde(default = "prefetch")]
    pub prefetch: u16,
    /// `classic` or `quorum`; what `hangu mq declare` makes.
    #[serde(default = "classic")]
    pub queue_type: String,
    /// Failed deliveries after which a quorum queue gives a message up to its dead-letter queue.
    #[serde(default = "delivery_limit")]
    pub delivery_limit: u32,
    /// Whether the gateway parks what its queues gave up; by default where they are quorum queues.
    #[serde(default)]
    pub dead_letters: Option<bool>,
    /// Requests to the bank.
    pub request_queue: String,
    /// Replies and acknowledgements to the bank.
    pub reply_queue: String,
    /// From the bank to the counterparty.
    pub outbound_queue: String,
    /// What the names of the hand-off queues begin with; the instance's name follows.
    #[serde(default)]
    pub hand_off_prefix: Option<String>,
}

impl MqConfig {
    /// Whether the dead-letter queues of the inbound queues exist and are consumed.
    pub fn has_dead_letters(&self) -> bool {
        self.dead_letters.unwrap_or(self.queue_type == "quorum")
    }

    /// The queues that the bank consumes.
    pub fn inbound_queues(&self) -> [String; 2] {
        [self.request_queue.clone(), self.reply_queue.clone()]
    }

    /// The queue by which an instance hears that another one has settled an exchange of its own.
    pub fn hand_off_queue(&self, instance: &str) -> Option<String> {
        self.hand_off_prefix.as_ref().map(|prefix| format!("{prefix}{instance}"))
    }

    /// Every queue that an instance needs on this link's broker.
    pub fn queues(&self, instance: &str) -> Vec<String> {
        let inbound = self.inbound_queues();
        let dead = inbound.iter().map(|queue| dead_letter_queue(queue));
        let dead: Vec<String> = dead.filter(|_| self.has_dead_letters()).collect();
        let ours = inbound.into_iter().chain([self.outbound_queue.clone()]);
        ours.chain(dead).chain(self.hand_off_queue(instance)).collect()
    }

    /// The authorities' file means TLS; the check saw that the rest goes with it.
    pub fn tls(&self) -> Option<TlsConfig> {
        let client = self.tls_cert_file.clone().zip(self.tls_key_file.clone());
        Some(TlsConfig {
            ca_file: self.tls_ca_file.clone()?,
            server_name: self.tls_server_name.clone(),
            client: client.map(|(cert_file, key_file)| TlsClient { cert_file, key_file }),
        })
    }

    pub(super) fn take_files_from(&mut self, folder: &Path) {
        let files = [
            &mut self.password_file,
            &mut self.tls_ca_file,
            &mut self.tls_cert_file,
            &mut self.tls_key_file,
        ];
        for file in files {
            *file = file.take().map(|file| folder.join(file));
        }
    }
}

pub(super) fn check(name: &str, mq: &MqConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.mq.{key}");
    if mq.addresses.is_empty() {
        return Err(wrong(&place("addresses"), "at least one host:port"));
    }
    if !(5..=60).contains(&mq.heartbeat_s) {
        return Err(wrong(&place("heartbeat_s"), "5 to 60"));
    }
    if mq.prefetch == 0 || mq.prefetch > 1024 {
        return Err(wrong(&place("prefetch"), "1 to 1024"));
    }
    if !["classic", "quorum"].contains(&mq.queue_type.as_str()) {
        return Err(wrong(&place("queue_type"), "classic or quorum"));
    }
    if mq.password_file.is_some() && mq.password_env.is_some() {
        return Err(wrong(
            &place("password_file"),
            "one of password_file and password_env, not both",
        ));
    }
    if mq.delivery_limit == 0 || mq.delivery_limit > 1_000 {
        return Err(wrong(&place("delivery_limit"), "1 to 1000"));
    }
    if let Some(prefix) = &mq.hand_off_prefix
        && !(1..=200).contains(&prefix.len())
    {
        return Err(wrong(&place("hand_off_prefix"), "1 to 200 bytes"));
    }
    check_tls(name, mq)?;
    // The dead-letter queue's longer name must fit too.
    let bytes_max = 255 - DEAD_LETTER_SUFFIX.len();
    for (key, queue) in [
        ("request_queue", &mq.request_queue),
        ("reply_queue", &mq.reply_queue),
        ("outbound_queue", &mq.outbound_queue),
    ] {
        if queue.is_empty() || queue.len() > bytes_max {
            return Err(wrong(&place(key), &format!("1 to {bytes_max} bytes")));
        }
    }
    Ok(())
}

fn check_tls(name: &str, mq: &MqConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.mq.{key}");
    if mq.tls_cert_file.is_some() != mq.tls_key_file.is_some() {
        return Err(wrong(&place("tls_cert_file"), "both tls_cert_file and tls_key_file, or none"));
    }
    let needless = mq.tls_server_name.is_some() || mq.tls_cert_file.is_some();
    if needless && mq.tls_ca_file.is_none() {
        return Err(wrong(&place("tls_ca_file"), "a file, since other tls_ keys are set"));
    }
    Ok(())
}

const fn ten() -> u16 {
    10
}
const fn confirm_ms() -> u64 {
    5_000
}
const fn delivery_limit() -> u32 {
    20
}
const fn prefetch() -> u16 {
    64
}
fn slash() -> String {
    "/".to_owned()
}
fn guest() -> String {
    "guest".to_owned()
}
fn classic() -> String {
    "classic".to_owned()
}
