//! What the centre's status messages say, and what can go wrong inside an exchange.

use super::Gateway;
use super::address::created_at;
use crate::clock::BEIJING;
use crate::journal::{JournalError, Unexpected};
use crate::limits;
use crate::pipeline::Fault;
use crate::record::RecordError;
use codecs::payment::{Attribute, Date, Payment};
use keys::error::{CryptoError, KeyError};
use keys::hex;
use keys::keyring::Keyring;
use std::sync::{Mutex, PoisonError};
use time::{Duration, OffsetDateTime};

/// Why an exchange cannot go on for the moment. It stays in the journal and is taken up again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("no link is named {0}")]
    Link(String),
    #[error("no settlement date is known yet; the centre's status message gives it")]
    NoSettlementDate,
    #[error("the serials of {0} are used up")]
    Serials(String),
    #[error("the journal was written under other keys than those of the key folder")]
    OtherKeys,
    #[error(
        "the keyring in use is older than one that another instance has promoted a key in; the key folder must be brought up to date"
    )]
    Outdated,
    #[error("the stored bytes stand under a key that may not be used any more, and cannot be signed anew")]
    DeadKey,
    #[error("another process runs as instance {0}; names must differ between instances that share a journal")]
    NameTaken(String),
    #[error("exchange {0} changed under our hands")]
    Stale(i64),
    #[error(transparent)]
    Confused(#[from] Unexpected),
    #[error("a message waits for the device that holds its key: {0}")]
    Device(String),
    #[error("a stored message is refused when read again: {0}")]
    Reread(String),
}

impl Trouble {
    /// Whether a device that holds a key is why: what waits for it is well, and is kept until the device is.
    pub(super) const fn is_of_device(&self) -> bool {
        matches!(self, Self::Device(_) | Self::Fault(Fault::Crypto(CryptoError::Device(_))))
    }
}

/// The system's status and settlement date as last told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SystemState {
    pub status: Option<String>,
    pub settlement_date: Option<Date>,
    /// Creation time and id of the message that told it; older ones are acknowledged and ignored.
    pub told_by: Option<String>,
}

#[derive(Default)]
pub(super) struct System(Mutex<SystemState>);

impl System {
    fn load(&self) -> SystemState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was read before another task heard of something newer does not take its place.
    fn store(&self, state: SystemState) {
        let mut stands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stands.told_by <= state.told_by {
            *stands = state;
        }
    }
}

impl Gateway {
    pub fn system(&self) -> SystemState {
        self.system.load()
    }

    /// Makes sure that the journal was written under these keys: under others every repeat would look altered, and nothing
    /// stored could be read.
    pub async fn check_journal_key(&self) -> Result<(), Trouble> {
        let print = print(&self.keyring.load()).map_err(RecordError::Key)?;
        loop {
            match self.setting(KEY_SETTING).await? {
                Some(known) if known == print => return Ok(()),
                Some(_) => return Err(Trouble::OtherKeys),
                // Several instances may start at once; what stands afterwards counts.
                None => drop(self.set(KEY_SETTING, None, print.clone()).await?),
            }
        }
    }

    /// Reads the stored status at start.
    pub async fn load_system(&self) -> Result<(), Trouble> {
        if let Some(text) = self.setting(SETTING).await? {
            self.system.store(SystemState::from_setting(&text));
        }
        Ok(())
    }

    /// Applies a status message; a stale or out-of-order one changes nothing. Nothing in flight is re-dated.
    pub(super) async fn apply_status(&self, payment: &Payment) -> Result<(), Trouble> {
        loop {
            let stored = self.setting(SETTING).await?;
            let current = stored.as_deref().map(SystemState::from_setting).unwrap_or_default();
            let Some(next) = current.told(payment, self.clock.now()) else {
                tracing::warn!(msg_id = payment.text(Attribute::MsgId), stands = ?current, "status message ignored: stale, or not plausible");
                self.counters.stale_status();
                return Ok(());
            };
            if self.set(SETTING, stored, next.to_setting()).await? {
                tracing::info!(status = next.status, settlement_date = ?next.settlement_date, "system status");
                self.system.store(next);
                return Ok(());
            }
        }
    }
}

/// By which the keys of a journal are known again.
pub(super) fn print(keyring: &Keyring) -> Result<String, KeyError> {
    let tag = keyring.digest()?.tag(&[b"hangu journal"]);
    let (print, _) = tag.split_at(PRINT_BYTES.min(tag.len()));
    Ok(hex::encode(print))
}

impl SystemState {
    /// Whether the centre takes business; only a status that is known to mean "stopped" stops it.
    pub fn is_stopped(&self) -> bool {
        self.status.as_deref() == Some(STOPPED)
    }

    /// The state after a message, if that is newer and plausible: a wrong date would shut out every later message.
    fn told(&self, payment: &Payment, now: OffsetDateTime) -> Option<Self> {
        let told_by = format!(
            "{}|{}",
            payment.text(Attribute::CreatedAt).unwrap_or_default(),
            payment.text(Attribute::MsgId).unwrap_or_default()
        );
        let date = payment.date(Attribute::SystemDate)?;
        let today = now.to_offset(BEIJING).date();
        let is_far = date - today > Duration::days(limits::SETTLEMENT_DAYS_AHEAD_MAX);
        let is_of_tomorrow = told_by > created_at(now + Duration::minutes(CLOCKS_APART_MIN));
        if is_far || is_of_tomorrow {
            return None;
        }
        let is_stale = self.told_by.as_ref().is_some_and(|last| *last >= told_by);
        if is_stale || self.settlement_date.is_some_and(|current| date < current) {
            return None;
        }
        let status = payment.text(Attribute::SystemStatus).map(ToOwned::to_owned);
        Some(Self {
            status,
            settlement_date: Some(date),
            told_by: Some(told_by),
        })
    }

    /// `status;date;told_by`, each possibly empty.
    fn to_setting(&self) -> String {
        let date = self.settlement_date.map(|date| date.to_string()).unwrap_or_default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        format!("{};{date};{}", text(&self.status), text(&self.told_by))
    }

    fn from_setting(text: &str) -> Self {
        let mut parts = text
            .splitn(3, ';')
            .map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
        let status = parts.next().flatten();
        let date = parts.next().flatten();
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let settlement_date = date.and_then(|date| Date::parse(&date, &format).ok());
        Self {
            status,
            settlement_date,
            told_by: parts.next().flatten(),
        }
    }
}

/// Name of the setting that tells under which keys the journal was written.
const KEY_SETTING: &str = "journal_key";
/// Name of the setting that holds the status.
const SETTING: &str = "system";
/// Enough to tell keys apart.
const PRINT_BYTES: usize = 8;
/// Facts 1.2: ST00 = stopped; other values are not public and stop nothing.
const STOPPED: &str = "ST00";
/// How far the centre's clock may be ahead of ours.
const CLOCKS_APART_MIN: i64 = 10;
