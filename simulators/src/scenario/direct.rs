//! An institution with a link of its own in a run: its messages, what the platform asks of it, its books.

use super::kept::Kept;
use super::run::{Miss, Run};
use super::{PartyName, Send};
use crate::centre::Manner;
use crate::counterparty::Refusal;
use crate::institution::direct::{Direct, Order};
use crate::people::Person;
use crate::platform::PlatformClient;
use crate::report::Book;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};
use codecs::wire::Wire;
use time::OffsetDateTime;
use time::macros::{offset, time};

impl Run<'_> {
    /// The institution, for what it sends itself and for what the platform asks of it.
    pub(super) fn at_own_link(&self, by: PartyName) -> Option<Direct> {
        let institution = self.stage.institution?;
        let is_own = match by {
            PartyName::Institution => true,
            PartyName::Platform => institution.client.is_some(),
            PartyName::Centre => false,
        };
        is_own.then(|| institution.direct.clone())
    }

    /// Where the platform puts its requests.
    pub(super) fn asking(&self) -> &PlatformClient {
        let to_it = self.stage.institution.and_then(|institution| institution.client);
        to_it.unwrap_or(self.stage.client)
    }

    pub(super) fn made_directly(&mut self, direct: &Direct, send: &Send, original: Option<&Payment>) -> Result<Payment, Miss> {
        let unwritable = |refusal: Refusal| Miss::unwritable(&refusal);
        if send.operation == Operation::Notice {
            let told = direct.notice_as(original.ok_or_else(|| Miss::plain("it is about nothing"))?, &said(send));
            let notice = told.map_err(unwritable)?;
            return notice.ok_or_else(|| Miss::plain("the institution has no notice of this operation"));
        }
        let order = self.order_directly(send, original)?;
        // Ids tell the moment: one that is the same in every run gives the same ids.
        let made = direct
            .request_as(send.operation, &order, original, self.opened_at())
            .map_err(unwritable)?;
        if send.by == PartyName::Institution {
            return Ok(made);
        }
        let payer = Person::at(self.customers + (self.plain + 1) % 198);
        direct.asked_of_it(made, payer).map_err(unwritable)
    }

    fn order_directly(&mut self, send: &Send, original: Option<&Payment>) -> Result<Order, Miss> {
        self.serial += 1;
        let drawn = Money::from_fen(self.dice.between(100, AMOUNT_FEN_MAX));
        let whole = original.and_then(|original| original.money(Attribute::Amount));
        let amount = match (&send.amount, whole, send.operation) {
            (Some(text), ..) => self.amount(text)?,
            (None, Some(whole), Operation::Refund) => Money::from_fen((whole.fen() / 2).max(1)),
            (None, whole, _) => whole.unwrap_or(drawn),
        };
        Ok(Order {
            serial: self.serial,
            person: self.person(send.customer),
            amount,
        })
    }

    fn opened_at(&self) -> OffsetDateTime {
        self.stage.first_day.with_time(time!(10:00)).assume_offset(offset!(+8))
    }

    pub(super) async fn put_by_institution(&mut self, send: &Send, message: Payment, manner: Manner) -> Result<(), Miss> {
        let direct = self.institution()?;
        let written = direct.write_as(&message, manner, &mut self.dice).await;
        let wire = written.map_err(|refusal| Miss::unwritable(&refusal))?;
        let kept = self.kept(message.clone(), PartyName::Institution, wire.clone(), manner);
        self.keep(
            send,
            Kept {
                place: self.stage.tape.length(),
                ..kept
            },
        );
        self.puts.spawn(async move { direct.put_as(&message, &wire, manner).await });
        Ok(())
    }

    pub(super) fn put_institutions_same(&mut self, message: Payment, wire: Wire) -> Result<(), Miss> {
        let direct = self.institution()?;
        self.puts
            .spawn(async move { direct.put_as(&message, &wire, Manner::default()).await });
        Ok(())
    }

    fn institution(&self) -> Result<Direct, Miss> {
        let institution = self.stage.institution.map(|institution| institution.direct.clone());
        institution.ok_or_else(|| Miss::plain("there is no institution on this stage"))
    }

    /// What whoever is at the other end of a payment believes.
    pub(super) fn outer_book(&self) -> Book {
        let mut book = self.stage.centre.books();
        if let Some(institution) = self.stage.institution {
            book.entries.extend(institution.direct.books().entries);
        }
        book
    }

    /// How often a payment moved money, at whoever executes it.
    pub(super) fn executions(&self, end_to_end_id: &str) -> u64 {
        match self.stage.institution.filter(|institution| institution.client.is_some()) {
            Some(institution) => institution.direct.executions(end_to_end_id),
            None => self.stage.platform.executions(end_to_end_id) as u64,
        }
    }
}

fn said(send: &Send) -> Outcome {
    match send.outcome.as_deref() {
        Some("success") => Outcome::Success,
        Some("failed") => Outcome::failed(Reason::InsufficientFunds, "as the notice says"),
        _ => Outcome::Unknown,
    }
}

const AMOUNT_FEN_MAX: i64 = 99_999;
