//! Keys of ours on their way to a counterparty by message: a successor is announced under the key that the counterparty knows,
//! and again, with the same bytes, until it is answered.
//!
//! Only on links that say so, and only what the keyring has as pending: in a guarded store people decided on that. The exact
//! bytes are durable before they are sent; so is the answer, which the rotation waits for.

use super::accept::sent_key;
use super::answer::{Ids, publish};
use super::{Gateway, LinkParts, Trouble};
use crate::clock::{Random, millis};
use crate::journal::{Journal, Millis, Read};
use crate::mq::Published;
use crate::pipeline::Received;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use keys::announcement::{Announcement, stamp, word};
use keys::key::{KeyInfo, Side, Status};
use serde::{Deserialize, Serialize};

/// A key of ours as it was announced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distributed {
    pub link: String,
    pub serial: String,
    pub fingerprint: String,
    /// Serial number of the key under which it was signed.
    pub signed_by: String,
    /// By which the answer refers to it.
    key: String,
    body: String,
    pub sent_at: Millis,
    pub answer: Option<Answer>,
}

/// What the counterparty said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub at: Millis,
    pub is_taken: bool,
    pub text: String,
    /// The exact bytes.
    body: String,
}

impl Distributed {
    pub async fn all(journal: &dyn Journal) -> Result<Vec<Self>, Trouble> {
        let stored = journal.read(Read::Settings(SETTINGS.to_owned())).await?.settings()?;
        stored.iter().map(|(_, text)| parse(text)).collect()
    }

    /// Whether the counterparty says that it has this key.
    pub fn is_confirmed(&self, info: &KeyInfo) -> bool {
        let is_it = self.link == info.link && self.serial == info.serial && self.fingerprint == info.fingerprint;
        is_it && self.answer.as_ref().is_some_and(|answer| answer.is_taken)
    }

    fn setting(&self) -> String {
        setting(&self.link, &self.fingerprint)
    }
}

impl Gateway {
    /// Announces every successor that is due to be, if this instance is the one that does.
    pub async fn distribute(&self) -> Result<(), Trouble> {
        let links: Vec<_> = self.links.values().filter(|link| announces(link)).collect();
        if links.is_empty() || !self.is_first().await? {
            return Ok(());
        }
        let keyring = self.keyring();
        for link in links {
            let is_due = |info: &&KeyInfo| {
                info.status == Status::Pending && info.link == link.name && info.side == Side::Ours && word(info.usage).is_some()
            };
            for info in keyring.infos().filter(is_due) {
                self.distribute_key(link, info).await?;
            }
        }
        Ok(())
    }

    async fn distribute_key(&self, link: &LinkParts, info: &KeyInfo) -> Result<(), Trouble> {
        let name = setting(&link.name, &info.fingerprint);
        let stored = self.setting(&name).await?;
        let known = stored
            .as_deref()
            .map(parse)
            .transpose()?
            .filter(|known| known.serial == info.serial);
        let now = millis(self.clock.now());
        let next = match known {
            Some(known) if known.answer.is_some() || now.saturating_sub(known.sent_at) < AGAIN_MS => return Ok(()),
            Some(known) if self.may_go_again(link, &known) => Distributed { sent_at: now, ..known },
            Some(_) | None => match self.announcement(link, info).await? {
                Some(fresh) => fresh,
                None => return Ok(()),
            },
        };
        if !self.set(&name, stored, to_text(&next)?).await? {
            return Ok(());
        }
        let wire = Wire::queue(next.body.clone().into_bytes());
        let ids = Ids::peeked(link, &wire, &self.keyring());
        match publish(link, &wire, ids).await {
            Published::Confirmed => tracing::info!(link = link.name, serial = info.serial, "a key of ours was announced"),
            Published::Refused(reason) | Published::Unknown(reason) => {
                tracing::warn!(
                    link = link.name,
                    serial = info.serial,
                    reason,
                    "announcement not confirmed; it is sent again"
                );
            }
        }
        Ok(())
    }

    /// The same bytes, while the key that they are signed under counts.
    fn may_go_again(&self, link: &LinkParts, known: &Distributed) -> bool {
        self.keyring()
            .signer_with(&link.name, &known.signed_by, self.clock.now())
            .is_ok()
    }

    /// None for a key whose public half is not at hand, or before the day is known.
    async fn announcement(&self, link: &LinkParts, info: &KeyInfo) -> Result<Option<Distributed>, Trouble> {
        let Some(kind) = link.spec.message_for(Operation::Certificate, Role::Request) else {
            return Ok(None);
        };
        let (keyring, now) = (self.keyring(), self.clock.now());
        let (Some(public), Some(usage)) = (keyring.public(&info.id), word(info.usage)) else {
            return Ok(None);
        };
        let announcement = Announcement {
            sender: link.config.member.clone(),
            receiver: link.config.counterparty.clone(),
            usage: usage.to_owned(),
            serial: info.serial.clone(),
            key: public.to_announced().map_err(crate::pipeline::Fault::Crypto)?,
            from: stamp(info.not_before),
            to: stamp(info.not_after),
        };
        let signer = keyring.signer(&link.name, now).map_err(crate::pipeline::Fault::Key)?;
        let key = signer.sm2().map_err(crate::pipeline::Fault::Key)?;
        let signature = super::keys::aside(&keyring, || announcement.signed(key, &mut Random(&*self.entropy)));
        let signature = signature.map_err(crate::pipeline::Fault::Crypto)?;
        let mut payment = to_payment(announcement, signature);
        payment.set_text(Attribute::MessageCode, &*kind.code);
        match self.number_request(link, &mut payment, &info.serial).await {
            Err(Trouble::NoSettlementDate) => return Ok(None),
            other => other?,
        }
        let out_key = sent_key(link, &payment);
        let signed = self.sign(link, payment, &kind.code)?;
        let body = String::from_utf8(signed.wire().body.clone()).map_err(|error| Trouble::Reread(error.to_string()))?;
        Ok(Some(Distributed {
            link: link.name.clone(),
            serial: info.serial.clone(),
            fingerprint: info.fingerprint.clone(),
            signed_by: signed.under().first().map(|key| key.serial.clone()).unwrap_or_default(),
            key: out_key,
            body,
            sent_at: millis(now),
            answer: None,
        }))
    }

    /// Takes a reply that answers an announcement of ours; false where it answers none.
    pub(super) async fn take_distribution_reply(&self, key: &str, wire: &Wire, received: &Received) -> Result<bool, Trouble> {
        loop {
            let stored = self.journal.read(Read::Settings(SETTINGS.to_owned())).await?.settings()?;
            let mut all = stored.into_iter().map(|(_, text)| Ok((parse(&text)?, text)));
            let found =
                all.find(|one: &Result<(Distributed, String), Trouble>| one.as_ref().map_or(true, |(one, _)| one.key == key));
            let Some((known, text)) = found.transpose()? else {
                return Ok(false);
            };
            let outcome = received.payment.outcome.clone().unwrap_or(Outcome::Unknown);
            if !outcome.is_final() || known.answer.is_some() {
                return Ok(true);
            }
            let next = Distributed {
                answer: Some(answer(&outcome, wire, millis(self.clock.now()))),
                ..known
            };
            if self.set(&next.setting(), Some(text), to_text(&next)?).await? {
                self.note_answer(&next);
                return Ok(true);
            }
        }
    }

    fn note_answer(&self, distributed: &Distributed) {
        let (link, serial) = (&distributed.link, &distributed.serial);
        match &distributed.answer {
            Some(answer) if !answer.is_taken => {
                tracing::error!(
                    link,
                    serial,
                    reason = answer.text,
                    "alarm: the counterparty does not take our key"
                );
                self.counters.alarm();
            }
            Some(_) | None => tracing::info!(link, serial, "the counterparty has our key"),
        }
    }
}

fn announces(link: &LinkParts) -> bool {
    link.config.announce_keys && link.is_queue() && link.spec.message_for(Operation::Certificate, Role::Request).is_some()
}

fn to_payment(announcement: Announcement, signature: String) -> Payment {
    let mut payment = Payment::new(Operation::Certificate, Role::Request);
    payment
        .set_text(Attribute::KeyUsage, announcement.usage)
        .set_text(Attribute::KeySerial, announcement.serial)
        .set_text(Attribute::KeyMaterial, announcement.key)
        .set_text(Attribute::KeyFrom, announcement.from)
        .set_text(Attribute::KeyTo, announcement.to)
        .set_text(Attribute::KeySignature, signature);
    payment
}

fn answer(outcome: &Outcome, wire: &Wire, at: Millis) -> Answer {
    let text = match outcome {
        Outcome::Failed { reason, text } => format!("{} {text}", reason.name()),
        Outcome::Success | Outcome::Unknown => String::new(),
    };
    Answer {
        at,
        is_taken: *outcome == Outcome::Success,
        text,
        body: String::from_utf8_lossy(&wire.body).into_owned(),
    }
}

fn parse(text: &str) -> Result<Distributed, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::Reread(format!("a distributed key is not in its form: {error}")))
}

fn to_text(distributed: &Distributed) -> Result<String, Trouble> {
    serde_json::to_string(distributed).map_err(|error| Trouble::Reread(error.to_string()))
}

fn setting(link: &str, fingerprint: &str) -> String {
    format!("{SETTINGS}{link}|{fingerprint}")
}

/// Before the link and the fingerprint of a key of ours.
const SETTINGS: &str = "distributed:";
/// Between two sends of an announcement that was not answered.
const AGAIN_MS: i64 = 30_000;
