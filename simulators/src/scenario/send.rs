//! Sending: a message made from its template, changed as the step says, and put by its sender.

use super::kept::{Kept, value_of};
use super::run::{Miss, Run};
use super::{Customer, PartyName, Send};
use crate::centre::Manner;
use crate::institution::{INSTITUTIONS, Order};
use crate::people::Person;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use keys::sm3::sm3;

impl Run<'_> {
    pub(super) async fn send(&mut self, send: &Send) -> Result<(), Miss> {
        let is_unchanged = send.set.is_empty() && send.fault.is_none() && send.corrupt.is_none() && !send.is_fresh;
        let again = self.store.get(send.again.as_deref()).cloned();
        if let Some(kept) = again.as_ref().filter(|_| is_unchanged) {
            // A broker's word may come later than the reply, so the place is that of before.
            let place = self.stage.tape.length();
            self.put_same(kept).await?;
            self.keep(send, Kept { place, ..kept.clone() });
            return Ok(());
        }
        let mut message = match &again {
            Some(kept) => self.once_more(kept, send)?,
            None => self.made(send)?,
        };
        self.change(&mut message, send)?;
        let manner = Manner {
            fault: send.fault,
            alters: again.is_some() && !send.set.is_empty() && !send.is_fresh,
            corrupts: send.corrupt,
        };
        match send.by {
            PartyName::Centre => self.put_by_centre(send, message, manner).await,
            PartyName::Platform => self.put_by_platform(send, message, manner),
            PartyName::Institution => self.put_by_institution(send, message, manner).await,
        }
    }

    async fn put_by_centre(&mut self, send: &Send, message: Payment, manner: Manner) -> Result<(), Miss> {
        let (desk, place) = (self.stage.centre.desk(), self.stage.tape.length());
        let (message, body) = desk
            .put_as(message, manner, &mut self.dice)
            .await
            .map_err(|refusal| Miss::unwritable(&refusal))?;
        let kept = self.kept(message, PartyName::Centre, Wire::queue(body), manner);
        self.keep(send, Kept { place, ..kept });
        Ok(())
    }

    fn put_by_platform(&mut self, send: &Send, message: Payment, manner: Manner) -> Result<(), Miss> {
        let client = self.asking().clone();
        let wire = client
            .write_as(&message, manner, &mut self.dice)
            .map_err(|refusal| Miss::unwritable(&refusal))?;
        self.keep(send, self.kept(message.clone(), PartyName::Platform, wire.clone(), manner));
        self.puts.spawn(async move { client.put_as(&message, &wire, manner).await });
        Ok(())
    }

    async fn put_same(&mut self, kept: &Kept) -> Result<(), Miss> {
        let Some(wire) = kept.wire.clone() else {
            return Err(Miss::plain("only what was sent can be sent again"));
        };
        match kept.party {
            PartyName::Centre => {
                self.stage
                    .centre
                    .desk()
                    .put_same(&kept.message, wire.body, !kept.is_spoiled)
                    .await;
            }
            PartyName::Platform => {
                let (client, message) = (self.asking().clone(), kept.message.clone());
                self.puts
                    .spawn(async move { client.put_as(&message, &wire, Manner::default()).await });
            }
            PartyName::Institution => self.put_institutions_same(kept.message.clone(), wire)?,
        }
        Ok(())
    }

    pub(super) fn kept(&self, message: Payment, party: PartyName, wire: Wire, manner: Manner) -> Kept {
        Kept {
            message,
            party,
            digest: sm3(&[&wire.body]),
            wire: Some(wire),
            is_spoiled: manner.corrupts.is_some() || manner.fault.is_some_and(crate::fault::Fault::spoils),
            place: self.stage.tape.length().saturating_sub(1),
        }
    }

    pub(super) fn keep(&mut self, send: &Send, kept: Kept) {
        if let Some(name) = &send.name {
            self.store.kept.insert(name.clone(), kept);
        }
    }

    /// An earlier message, under new ids where that is asked for.
    fn once_more(&mut self, kept: &Kept, send: &Send) -> Result<Payment, Miss> {
        let mut message = kept.message.clone();
        if send.is_fresh {
            let plain = Send {
                again: None,
                of: None,
                ..send.clone()
            };
            let ids = self.made(&plain)?;
            message.copy(
                &ids,
                &[Attribute::Serial, Attribute::MsgId, Attribute::SendTime, Attribute::CreatedAt],
            );
        }
        Ok(message)
    }

    /// A message as its template makes it.
    fn made(&mut self, send: &Send) -> Result<Payment, Miss> {
        let original = self.store.get(send.of.as_deref()).map(|kept| kept.message.clone());
        if let Some(direct) = self.at_own_link(send.by) {
            return self.made_directly(&direct, send, original.as_ref());
        }
        let order = self.order(send, original.as_ref())?;
        let now = self.stage.world.now();
        let sending = match send.by {
            PartyName::Centre => self.stage.centre.desk().sending_on(self.day),
            PartyName::Platform | PartyName::Institution => self.stage.client.sending_on(self.day),
        };
        if send.operation == Operation::Notice {
            return Ok(notice(send, original.as_ref(), order.serial));
        }
        let mut message = sending.request(send.operation, &order, original.as_ref(), now);
        if send.by == PartyName::Platform && send.operation == Operation::Credit {
            self.stage.client.pay_out(&mut message, &order);
        }
        Ok(message)
    }

    fn order(&mut self, send: &Send, original: Option<&Payment>) -> Result<Order, Miss> {
        self.serial += 1;
        let base = match send.by {
            PartyName::Centre => 1,
            PartyName::Platform | PartyName::Institution => PLATFORM_SERIAL,
        };
        let drawn = Money::from_fen(self.dice.between(100, AMOUNT_FEN_MAX));
        let half = original
            .and_then(|original| original.money(Attribute::Amount))
            .map(|amount| Money::from_fen((amount.fen() / 2).max(1)));
        let amount = match &send.amount {
            Some(text) => self.amount(text)?,
            None => half.unwrap_or(drawn),
        };
        Ok(Order {
            serial: base + self.serial,
            institution: INSTITUTIONS[0],
            person: self.person(send.customer),
            amount,
        })
    }

    pub(super) fn amount(&self, text: &str) -> Result<Money, Miss> {
        let resolved = self.store.resolve(text);
        Money::parse_yuan(&resolved).ok_or_else(|| Miss::plain(format!("`{resolved}` is no amount")))
    }

    /// The scenario's customer, or one who lives next door and has the wanted kind of account.
    pub(super) fn person(&self, customer: Customer) -> Person {
        Person::at(match customer {
            Customer::Plain => self.customers + self.plain,
            Customer::Poor => self.customers + 198,
            Customer::Frozen => self.customers + 199,
            Customer::Unknown => NOBODY + self.plain,
        })
    }

    fn change(&self, message: &mut Payment, send: &Send) -> Result<(), Miss> {
        for (attribute, text) in &send.set {
            let text = self.store.resolve(text);
            if text.is_empty() {
                message.clear(*attribute);
                continue;
            }
            let value = value_of(*attribute, &text).ok_or_else(|| Miss::plain(format!("`{attribute}` cannot be `{text}`")))?;
            // The value was made for the attribute's shape.
            drop(message.put(*attribute, value));
        }
        Ok(())
    }
}

/// What the platform tells by itself of a request that it got.
fn notice(send: &Send, original: Option<&Payment>, serial: u64) -> Payment {
    let mut notice = Payment::new(Operation::Notice, Role::Notice);
    notice
        .set_text(Attribute::Sender, "platform")
        .set_text(Attribute::Serial, format!("notice-{serial}"))
        .set_text(Attribute::MessageCode, "notice");
    if let Some(original) = original {
        let names = [
            (Attribute::EndToEndId, Attribute::OriginalEndToEndId),
            (Attribute::Initiator, Attribute::OriginalInitiator),
        ];
        crate::institution::copy_as(&mut notice, original, &names);
        notice.set_text(Attribute::OriginalOperation, original.operation.name());
        notice.copy(original, &[Attribute::Amount]);
    }
    notice.outcome = Some(match send.outcome.as_deref() {
        Some("success") => Outcome::Success,
        Some("failed") => Outcome::failed(Reason::Other, "as the notice says"),
        _ => Outcome::Unknown,
    });
    notice
}

/// Serials of what the platform starts, apart from the centre's.
const PLATFORM_SERIAL: u64 = 60_000_000;
const AMOUNT_FEN_MAX: i64 = 99_999;
/// Beyond the last customer of the platform.
const NOBODY: u64 = 2_000_000;
