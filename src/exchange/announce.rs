//! Keys that a counterparty announces: proven under the key that is known, kept in the journal, answered, and used for nothing.
//!
//! What is kept carries its own proof, so that whoever makes a key of it later need not believe the journal. Into use it comes
//! by a rotation alone, for which people decide.

use super::answer::Settlement;
use super::{Gateway, Job, LinkParts, Trouble};
use crate::clock::millis;
use crate::journal::{ExchangeId, Journal, Millis, Read};
use crate::limits::ANNOUNCED_MAX;
use crate::pipeline::{Disbelief, Names, Proof, Received, Rejection, Step, announcement, named};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason};
use keys::announcement::{AnnouncedKey, Announcement, usage};
use keys::key::Side;
use keys::keyring::Keyring;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A key that a counterparty announced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announced {
    pub link: String,
    pub announcement: Announcement,
    /// The one that stands apart.
    pub signature: String,
    /// Serial number of the key under which it was proven.
    pub signed_by: String,
    pub exchange: ExchangeId,
    pub at: Millis,
}

impl Announced {
    /// All that the journal keeps, oldest first.
    pub async fn all(journal: &dyn Journal) -> Result<Vec<Self>, Trouble> {
        let stored = journal.read(Read::Settings(SETTINGS.to_owned())).await?.settings()?;
        let mut all = stored.iter().map(|(_, text)| parse(text)).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|one| (one.at, one.exchange));
        Ok(all)
    }

    /// Proves it under the keys of this moment.
    pub fn proven(&self, keyring: &Keyring, now: OffsetDateTime) -> Result<AnnouncedKey, Disbelief> {
        let proof = Proof {
            announcement: &self.announcement,
            signature: &self.signature,
            signed_by: &self.signed_by,
        };
        proof.key(keyring, &self.link, now)
    }

    /// Whether the keyring has it: somebody decided.
    pub fn is_taken(&self, keyring: &Keyring) -> bool {
        let usage = usage(&self.announcement.usage);
        keyring.infos().any(|info| {
            (&info.link, info.side, Some(info.usage)) == (&self.link, Side::Theirs, usage)
                && info.serial == self.announcement.serial
        })
    }

    fn of(link: &str, payment: &Payment, signed_by: &str, exchange: ExchangeId, at: Millis) -> Self {
        Self {
            link: link.to_owned(),
            announcement: announcement(payment),
            signature: payment.text(Attribute::KeySignature).unwrap_or_default().to_owned(),
            signed_by: signed_by.to_owned(),
            exchange,
            at,
        }
    }

    fn setting(&self) -> String {
        let Announcement { usage, serial, .. } = &self.announcement;
        format!("{SETTINGS}{}|{usage}|{serial}", self.link)
    }

    fn other_key(&self) -> Disbelief {
        Disbelief::OtherKey(self.announcement.serial.clone())
    }

    /// The same key under the same serial number; when it is valid, and under which key that is said, may be said anew.
    fn stands_as(&self, stored: &str) -> Result<bool, Trouble> {
        Ok(parse(stored)?.announcement.key == self.announcement.key)
    }
}

impl Gateway {
    /// Why an announcement, proven as it is, must not become an exchange; none for any other message.
    pub(super) async fn unfit_announcement(&self, link: &LinkParts, received: &Received) -> Result<Option<Rejection>, Trouble> {
        let payment = &received.payment;
        if payment.operation != Operation::Certificate {
            return Ok(None);
        }
        let announced = Announced::of(&link.name, payment, &received.signed_by, 0, millis(self.clock.now()));
        let rejection = match self.setting(&announced.setting()).await? {
            Some(stored) if announced.stands_as(&stored)? => None,
            Some(_) => Some(announced.other_key().rejection(payment)),
            None => self.no_room(payment).await?,
        };
        if rejection.is_some() {
            self.counters.alarm();
        }
        Ok(rejection)
    }

    /// Keeps an accepted announcement, and says so.
    pub(super) async fn keep_announced(&self, job: &Job) -> Result<(), Trouble> {
        let link = self.link(&job.link_in)?;
        let wire = self.wire_of(job).await?;
        let signed_by = match named(&wire, link.view(&self.keyring())) {
            Names::Keys(under) => under.first().map(|key| key.serial.clone()).unwrap_or_default(),
            Names::Nothing => String::new(),
        };
        let now = self.clock.now();
        let announced = Announced::of(&link.name, &job.request, &signed_by, job.id, millis(now));
        let outcome = match announced.proven(&self.keyring(), now) {
            Err(disbelief) => Outcome::failed(Reason::InvalidMessage, disbelief.to_string()),
            Ok(key) if self.is_kept(&announced).await? => {
                let (serial, fingerprint) = (&announced.announcement.serial, key.fingerprint);
                tracing::warn!(
                    link = link.name,
                    serial,
                    fingerprint,
                    "a key was announced; people decide on it"
                );
                Outcome::Success
            }
            Ok(_) => Outcome::failed(Reason::Altered, announced.other_key().to_string()),
        };
        self.settle(job, Settlement::ours(outcome)).await
    }

    /// Two instances may hear of two keys under one serial number: the first one stands.
    async fn is_kept(&self, announced: &Announced) -> Result<bool, Trouble> {
        let name = announced.setting();
        let text = serde_json::to_string(announced).map_err(|error| Trouble::Reread(error.to_string()))?;
        loop {
            if let Some(stands) = self.setting(&name).await? {
                return announced.stands_as(&stands);
            }
            if self.set(&name, None, text.clone()).await? {
                return Ok(true);
            }
        }
    }

    /// Whoever has a counterparty's key must not fill the journal with others.
    async fn no_room(&self, payment: &Payment) -> Result<Option<Rejection>, Trouble> {
        let kept = self.journal.read(Read::Settings(SETTINGS.to_owned())).await?.settings()?;
        if kept.len() < ANNOUNCED_MAX {
            return Ok(None);
        }
        let detail = "too many announced keys are kept already";
        Ok(Some(Rejection {
            header: Some(payment.clone()),
            ..Rejection::new(Step::Route, "announce.full", detail)
        }))
    }
}

fn parse(text: &str) -> Result<Announced, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::Reread(format!("an announced key is not in its form: {error}")))
}

/// Before the link, the usage and the serial number of an announced key.
const SETTINGS: &str = "announced:";
