//! `[journal]`: one file, or a database that several instances share.

use super::{ConfigError, wrong};
use crate::limits;
use crate::tls::TlsConfig;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// SQLite file of the embedded journal; one of `file` and the table `postgres`.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Keys of delivered exchanges are kept this many days; longer than any replay window.
    #[serde(default = "thirty")]
    pub keep_days: u32,
    /// Messages a second that are read to go from an earlier journal key under the primary one; 0 leaves them as they are.
    #[serde(default = "two_hundred")]
    pub rewrap_per_s: u32,
    /// After a commit of several writes the embedded journal gathers the next ones for so long.
    #[serde(default = "gather_us")]
    pub gather_us: u64,
    /// The journal that instances share.
    #[serde(default)]
    pub postgres: Option<PostgresConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// Servers, host:port, tried in turn; the first that takes writes is used.
    pub addresses: Vec<String>,
    pub database: String,
    pub user: String,
    /// File that holds the password (mode 0600), or an environment variable's name; at most one of the two.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub password_env: Option<String>,
    #[serde(default = "public")]
    pub schema: String,
    /// Connections that write; each commits on its own.
    #[serde(default = "four")]
    pub connections: usize,
    /// Certificates that the server's must lead to; the connection is encrypted when given.
    #[serde(default)]
    pub tls_ca_file: Option<PathBuf>,
}

impl JournalConfig {
    /// Where the journal is, for messages to people.
    pub fn place(&self) -> String {
        if let Some(postgres) = &self.postgres {
            return format!("{} at {}", postgres.database, postgres.addresses.join(", "));
        }
        self.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.gather_us > limits::GATHER_US_MAX {
            return Err(wrong("journal.gather_us", &format!("0 to {}", limits::GATHER_US_MAX)));
        }
        match (&self.file, &self.postgres) {
            (Some(_), None) => Ok(()),
            (None, Some(postgres)) => check_postgres(postgres),
            (None, None) | (Some(_), Some(_)) => Err(wrong("journal", "exactly one of file and the table postgres")),
        }
    }
}

impl PostgresConfig {
    /// Whom to trust, if the connection is to be encrypted.
    pub fn tls(&self) -> Option<TlsConfig> {
        self.tls_ca_file.as_deref().map(TlsConfig::trusting)
    }
}

fn check_postgres(postgres: &PostgresConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("journal.postgres.{key}");
    let is_address = |address: &String| {
        let parts = address.rsplit_once(':');
        parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0))
    };
    if postgres.addresses.is_empty() || !postgres.addresses.iter().all(is_address) {
        return Err(wrong(&place("addresses"), "at least one, each host:port"));
    }
    for (key, name) in [
        ("database", &postgres.database),
        ("user", &postgres.user),
        ("schema", &postgres.schema),
    ] {
        if name.is_empty() || name.len() > 63 {
            return Err(wrong(&place(key), "1 to 63 bytes"));
        }
    }
    if postgres.connections == 0 || postgres.connections > limits::JOURNAL_CONNECTIONS_MAX {
        let allowed = format!("1 to {}", limits::JOURNAL_CONNECTIONS_MAX);
        return Err(wrong(&place("connections"), &allowed));
    }
    if postgres.password_file.is_some() && postgres.password_env.is_some() {
        let allowed = "one of password_file and password_env, not both";
        return Err(wrong(&place("password_file"), allowed));
    }
    Ok(())
}

const fn gather_us() -> u64 {
    limits::GATHER_US
}
const fn two_hundred() -> u32 {
    200
}
const fn four() -> usize {
    4
}
const fn thirty() -> u32 {
    30
}
fn public() -> String {
    "public".to_owned()
}
