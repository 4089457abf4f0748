//! From a configuration to its journal.

use super::postgres::{self, LeaseClock, PostgresJournal};
use super::sqlite::{self, SqliteJournal};
use super::{Chain, JournalError, SharedJournal};
use crate::config::{Config, ConfigError, PostgresConfig};
use crate::secret::{self, Password};
use keys::keyring::Keyring;
use std::path::Path;
use std::sync::Arc;

/// Opens or creates the configured journal for a gateway, which chains outcomes under its instance's name and its journal key.
pub async fn open(config: &Config, keyring: Arc<Keyring>) -> Result<SharedJournal, JournalError> {
    let chain = chain(config, &keyring)?;
    match &config.journal.postgres {
        Some(postgres) => Ok(Arc::new(PostgresJournal::open(options(postgres, chain)?).await?)),
        None => open_file(config, chain),
    }
}

/// Opens an existing journal for an operator's command that changes it. The embedded one must not be in a gateway's hands; a
/// database is shared as among instances.
pub async fn open_existing(config: &Config, keyring: Arc<Keyring>) -> Result<SharedJournal, JournalError> {
    let chain = chain(config, &keyring)?;
    let Some(postgres) = &config.journal.postgres else {
        existing(config)?;
        return open_file(config, chain);
    };
    let options = postgres::Options {
        connections: 1,
        ..options(postgres, chain)?
    };
    Ok(Arc::new(PostgresJournal::open_existing(options).await?))
}

/// Opens an existing journal for reading, also beside a running gateway.
pub async fn open_read_only(config: &Config) -> Result<SharedJournal, JournalError> {
    match &config.journal.postgres {
        Some(postgres) => {
            let options = options(postgres, Chain::unkeyed(&*config.instance))?;
            Ok(Arc::new(PostgresJournal::open_read_only(options).await?))
        }
        None => Ok(Arc::new(SqliteJournal::open_read_only(existing(config)?)?)),
    }
}

/// The chain that an instance writes, keyed like everything that the journal compares.
pub fn chain(config: &Config, keyring: &Keyring) -> Result<Chain, JournalError> {
    // Of the keyring nothing else is kept: a key that is revoked later must not stay in memory for the chain's sake.
    let digest = keyring
        .shared_digest()
        .map_err(|error| JournalError::Refused(error.to_string()))?;
    Ok(Chain::new(&*config.instance, move |parts: &[&[u8]]| digest.tag(parts)))
}

/// How a gateway's journal reaches its database, with its password read. Instances go by the database's clock.
pub fn postgres_options(config: &PostgresConfig, chain: Chain) -> Result<postgres::Options, ConfigError> {
    let (file, variable) = (config.password_file.as_deref(), config.password_env.as_deref());
    Ok(postgres::Options {
        addresses: config.addresses.clone(),
        database: config.database.clone(),
        user: config.user.clone(),
        password: readable(secret::password("journal.postgres", file, variable)?)?,
        schema: config.schema.clone(),
        tls_ca_file: config.tls_ca_file.clone(),
        connections: config.connections,
        lease_clock: LeaseClock::Database,
        chain,
        ..postgres::Options::default()
    })
}

/// A password that cannot be read is told before anything is connected.
fn readable(password: Option<Password>) -> Result<Option<Password>, ConfigError> {
    if let Some(Err(detail)) = password.as_ref().map(Password::read) {
        let place = "journal.postgres.password_file".to_owned();
        return Err(ConfigError { place, detail });
    }
    Ok(password)
}

fn options(config: &PostgresConfig, chain: Chain) -> Result<postgres::Options, JournalError> {
    postgres_options(config, chain).map_err(|error| JournalError::Refused(error.to_string()))
}

fn open_file(config: &Config, chain: Chain) -> Result<SharedJournal, JournalError> {
    let options = sqlite::Options {
        chain,
        gather_us: config.journal.gather_us,
        ..sqlite::Options::default()
    };
    Ok(Arc::new(SqliteJournal::open_with(file(config)?, options)?))
}

/// A command that looks must not make an empty journal.
fn existing(config: &Config) -> Result<&Path, JournalError> {
    let file = file(config)?;
    if file.exists() {
        return Ok(file);
    }
    let detail = "there is no journal yet: the gateway makes it at its first start";
    Err(JournalError::Refused(detail.to_owned()))
}

fn file(config: &Config) -> Result<&Path, JournalError> {
    let missing = || JournalError::Refused("the configuration names no journal".to_owned());
    config.journal.file.as_deref().ok_or_else(missing)
}
