//! From a configuration and its keys to the proof of its journal.

use super::verify::{Known, Report, Said, Verifier, VerifyError};
use super::{Journal, JournalError, MessageRecord, Millis, open};
use crate::config::{Config, ConfigError};
use crate::pipeline::{LinkView, stored_content};
use crate::record;
use crate::start::spec_of;
use codecs::payment::Attribute;
use codecs::spec::Spec;
use keys::keyring::Keyring;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why there is no proof, for or against.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProveError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Proves a journal that was written under this configuration and these keys.
pub async fn prove(
    journal: &dyn Journal,
    config: &Config,
    keyring: Arc<Keyring>,
    known: Option<&Known>,
    now: Millis,
) -> Result<Report, ProveError> {
    let chain = open::chain(config, &keyring).map_err(|error: JournalError| VerifyError::from(error))?;
    let opener = Opener::new(config, keyring)?;
    let verifier = Verifier {
        journal,
        chain: &chain,
        opening: &|message: &MessageRecord| opener.open(message),
        // A gateway prunes while we read, by a clock of its own.
        kept_since: now
            .saturating_sub(i64::from(config.journal.keep_days).saturating_mul(DAY_MS))
            .saturating_add(PRUNES_MEANWHILE_MS),
        known,
    };
    Ok(verifier.verify().await?)
}

/// Opens stored messages, and reads requests and replies by the specs of their links.
pub struct Opener {
    keyring: Arc<Keyring>,
    specs: BTreeMap<String, Arc<Spec>>,
}

impl Opener {
    pub fn new(config: &Config, keyring: Arc<Keyring>) -> Result<Self, ConfigError> {
        let known = config.specs()?;
        let named = |(name, link)| Ok((String::clone(name), spec_of(&known, name, link)?));
        let specs = config.link.iter().map(named).collect::<Result<_, ConfigError>>()?;
        Ok(Self { keyring, specs })
    }

    pub fn open(&self, message: &MessageRecord) -> Result<Said, String> {
        let wire = record::open(&self.keyring, message).map_err(|error| error.to_string())?;
        let is_request = message.part == "request";
        if !is_request && (message.part.as_str(), message.direction) != ("reply", "sent") {
            return Ok(Said::default());
        }
        // A link that is configured no longer, or a spec that has changed since, makes no stored message wrong.
        let spec = self.specs.get(&message.link);
        let view = spec.map(|spec| LinkView {
            name: &message.link,
            spec,
            keyring: &self.keyring,
        });
        let content = view.and_then(|view| stored_content(&wire, view).ok());
        let parsed = spec.and_then(|spec| spec.parse(content.as_deref()?).ok());
        Ok(parsed.map_or_else(Said::default, |parsed| {
            // What is sealed for the counterparty stays closed to us; then the header is what can be read.
            let header = parsed.payment().unwrap_or_else(|_closed| parsed.header());
            let refers_to = header.text(Attribute::RefSerial).filter(|_| !is_request);
            // A request of ours that has no field for a serial is known by its end-to-end id.
            let is_ours = is_request && message.direction == "sent";
            let bears_serial = !is_ours || parsed.kind().maps(Attribute::Serial);
            let named = if bears_serial {
                Attribute::Serial
            } else {
                Attribute::EndToEndId
            };
            let serial = refers_to.or_else(|| header.text(named));
            Said {
                outcome: parsed.outcome().map(|outcome| outcome.name().to_owned()),
                serial: serial.map(ToOwned::to_owned),
            }
        }))
    }
}

const DAY_MS: i64 = 86_400_000;
/// How much may have come of age since the proof began.
const PRUNES_MEANWHILE_MS: i64 = 7_200_000;
