//! From a configuration to its journal.

use super::sqlite::{Options, SqliteJournal};
use super::{Chain, JournalError, SharedJournal};
use crate::config::Config;
use keys::keyring::Keyring;
use std::path::Path;
use std::sync::Arc;

/// Opens or creates the configured journal for a gateway, which chains outcomes under its instance's name and its journal key.
pub async fn open(config: &Config, keyring: Arc<Keyring>) -> Result<SharedJournal, JournalError> {
    let chain = chain(config, keyring)?;
    std::future::ready(open_file(config, chain)).await
}

/// Opens an existing journal for an operator's command that changes it. The embedded one must not be in a gateway's hands.
pub async fn open_existing(config: &Config, keyring: Arc<Keyring>) -> Result<SharedJournal, JournalError> {
    existing(config)?;
    open(config, keyring).await
}

/// Opens an existing journal for reading, also beside a running gateway.
pub async fn open_read_only(config: &Config) -> Result<SharedJournal, JournalError> {
    let opened = existing(config).and_then(SqliteJournal::open_read_only);
    std::future::ready(opened.map(|journal| Arc::new(journal) as SharedJournal)).await
}

/// The chain that an instance writes, keyed like everything that the journal compares.
pub fn chain(config: &Config, keyring: Arc<Keyring>) -> Result<Chain, JournalError> {
    keyring.digest().map_err(|error| JournalError::Refused(error.to_string()))?;
    // The key was there a line ago, and a keyring does not change.
    let tag = move |parts: &[&[u8]]| keyring.digest().map_or([0; 32], |digest| digest.tag(parts));
    Ok(Chain::new(&*config.instance, tag))
}

fn open_file(config: &Config, chain: Chain) -> Result<SharedJournal, JournalError> {
    let options = Options {
        chain,
        ..Options::default()
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
