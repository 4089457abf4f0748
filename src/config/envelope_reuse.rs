//! `[link.*.envelope_reuse]`: for how long one wrapped SM4 key serves, and how many unwrapped ones are kept.

use super::{Config, ConfigError, wrong};
use crate::limits;
use keys::envelope::Reuse;
use keys::keyring::Keyring;
use serde::Deserialize;
use time::Duration;

/// Nothing is reused unless this says so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvelopeReuseConfig {
    /// Messages that one wrapped key serves when sending; 1 gives each its own.
    pub messages: u32,
    /// Unwrapped keys that are kept when receiving; 0 keeps none.
    pub kept: usize,
    /// How long either is used.
    pub seconds: u32,
}

impl Default for EnvelopeReuseConfig {
    fn default() -> Self {
        Self {
            messages: 1,
            kept: 0,
            seconds: limits::ENVELOPE_SECONDS_DEFAULT,
        }
    }
}

impl Config {
    /// The keyring with what each link says of reuse.
    #[must_use]
    pub fn reusing(&self, keyring: Keyring) -> Keyring {
        self.link.iter().fold(keyring, |keyring, (name, link)| {
            let EnvelopeReuseConfig { messages, kept, seconds } = link.envelope_reuse;
            let reuse = Reuse {
                messages_max: messages,
                kept_max: kept,
                age_max: Duration::seconds(i64::from(seconds)),
            };
            keyring.with_reuse(name, reuse)
        })
    }
}

pub(super) fn check(name: &str, reuse: &EnvelopeReuseConfig) -> Result<(), ConfigError> {
    let refuse = |key: &str, allowed: &str| Err(wrong(&format!("link.{name}.envelope_reuse.{key}"), allowed));
    if !(1..=limits::ENVELOPE_MESSAGES_MAX).contains(&reuse.messages) {
        return refuse("messages", &format!("1 to {}", limits::ENVELOPE_MESSAGES_MAX));
    }
    if reuse.kept > limits::ENVELOPES_KEPT_MAX {
        return refuse("kept", &format!("0 to {}", limits::ENVELOPES_KEPT_MAX));
    }
    if !(1..=limits::ENVELOPE_SECONDS_MAX).contains(&reuse.seconds) {
        return refuse("seconds", &format!("1 to {}", limits::ENVELOPE_SECONDS_MAX));
    }
    Ok(())
}
