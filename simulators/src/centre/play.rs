//! Plays planned payments of flow A: what is sent in which order, and what must come back.

use super::{Desk, Sent};
use crate::counterparty::Refusal;
use crate::fault::Fault;
use crate::institution::Order;
use crate::mix::{Planned, SERIALS_EACH, Shape};
use crate::play::{Played, Script};
use crate::world::Dice;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment};

impl Desk {
    /// Plays one planned payment to its end.
    pub async fn play(&self, planned: &Planned) -> Played {
        let mut script = Script::new(planned);
        if let Err(refusal) = self.act(planned, &mut script).await {
            script.complain(format!("a message could not be written: {refusal}"));
        }
        script.played()
    }

    async fn act(&self, planned: &Planned, script: &mut Script<'_>) -> Result<(), Refusal> {
        match planned.shape {
            Shape::Plain(operation) => {
                let sent = self.send(self.request(planned, operation, 0, None)).await?;
                script.ends(sent.exchanged);
            }
            Shape::Refund => self.refund(planned, script).await?,
            Shape::Cancel => self.after_debit(planned, Operation::Cancel, script).await?,
            Shape::Query => self.after_debit(planned, Operation::Query, script).await?,
            Shape::CancelFirst => self.cancel_first(planned, script).await?,
            Shape::Again => self.again(planned, script).await?,
            Shape::PlatformTimeout => {
                let sent = self.send(self.request(planned, Operation::Debit, 0, None)).await?;
                script.succeeds(sent.exchanged);
            }
            Shape::Faulty(operation, fault) => self.faulty(planned, operation, fault, script).await?,
        }
        Ok(())
    }

    async fn refund(&self, planned: &Planned, script: &mut Script<'_>) -> Result<(), Refusal> {
        let debit = self.send(self.request(planned, Operation::Debit, 0, None)).await?;
        let part = Money::from_fen((planned.amount.fen() / 2).max(1));
        let refund = Planned {
            amount: part,
            ..planned.clone()
        };
        let request = self.request(&refund, Operation::Refund, 1, Some(&debit.request));
        script.succeeds(debit.exchanged);
        script.succeeds(self.send(request).await?.exchanged);
        Ok(())
    }

    async fn after_debit(&self, planned: &Planned, operation: Operation, script: &mut Script<'_>) -> Result<(), Refusal> {
        let debit = self.send(self.request(planned, Operation::Debit, 0, None)).await?;
        let request = self.request(planned, operation, 1, Some(&debit.request));
        script.succeeds(debit.exchanged);
        script.succeeds(self.send(request).await?.exchanged);
        Ok(())
    }

    /// The same end-to-end and transaction id under another serial and `MsgId` (design.md 5, rule 3).
    async fn again(&self, planned: &Planned, script: &mut Script<'_>) -> Result<(), Refusal> {
        let first = self.send(self.request(planned, Operation::Debit, 0, None)).await?;
        let mut again = first.request.clone();
        let ids = self.request(planned, Operation::Debit, 1, None);
        again.copy(
            &ids,
            &[Attribute::Serial, Attribute::MsgId, Attribute::SendTime, Attribute::CreatedAt],
        );
        script.succeeds(first.exchanged);
        script.succeeds(self.send(again).await?.exchanged);
        Ok(())
    }

    async fn cancel_first(&self, planned: &Planned, script: &mut Script<'_>) -> Result<(), Refusal> {
        let mut original = self.request(planned, Operation::Debit, 0, None);
        original.set_text(
            Attribute::MessageCode,
            self.shared.party.code(Operation::Debit, original.role)?,
        );
        let cancel = self.request(planned, Operation::Cancel, 1, Some(&original));
        script.succeeds(self.send(cancel).await?.exchanged);
        script.fails(self.send(original).await?.exchanged);
        Ok(())
    }

    /// The request that a fault happens to; what speaks of an original has a good debit before it.
    async fn faulty_request(&self, planned: &Planned, operation: Operation, script: &mut Script<'_>) -> Result<Payment, Refusal> {
        if !matches!(operation, Operation::Refund | Operation::Cancel | Operation::Query) {
            return Ok(self.request(planned, operation, 0, None));
        }
        let debit = self.send(self.request(planned, Operation::Debit, 0, None)).await?;
        let request = self.request(planned, operation, 1, Some(&debit.request));
        script.succeeds(debit.exchanged);
        Ok(request)
    }

    async fn faulty(
        &self,
        planned: &Planned,
        operation: Operation,
        fault: Fault,
        script: &mut Script<'_>,
    ) -> Result<(), Refusal> {
        let request = self.faulty_request(planned, operation, script).await?;
        let mut dice = Dice::new(planned.n, planned.person.index);
        match fault {
            Fault::Repeat => {
                let sent = self.send(request).await?;
                self.repeat(&sent, script).await;
                script.ends(sent.exchanged);
            }
            Fault::AlteredRepeat => {
                let sent = self.send(request).await?;
                self.alter(&sent, script).await?;
                script.ends(sent.exchanged);
            }
            Fault::Delay | Fault::Reorder | Fault::NackStorm => {
                script.ends(self.send_with(request, Some(fault), &mut dice).await?.exchanged);
            }
            Fault::BadSignature
            | Fault::CorruptByte
            | Fault::Truncate
            | Fault::Gbk
            | Fault::Doctype
            | Fault::UnknownSerial
            | Fault::WrongSealKey
            | Fault::Drop => self.spoiled(request, fault, &mut dice, script).await?,
        }
        Ok(())
    }

    /// The same bytes must get the same reply, byte for byte (design.md 5, rule 3).
    async fn repeat(&self, sent: &Sent, script: &mut Script<'_>) {
        match self.put_again(sent).await {
            None => script.complain(format!("{}: the repeat got no reply", sent.exchanged.msg_id)),
            Some(reply) if Some(reply.digest) != sent.digest => {
                script.complain(format!("{}: the repeat got another reply", sent.exchanged.msg_id));
            }
            Some(_) => script.remark("the repeat got the same reply, byte for byte"),
        }
    }

    /// The same ids with another amount, or another remark where there is none, must be refused.
    async fn alter(&self, sent: &Sent, script: &mut Script<'_>) -> Result<(), Refusal> {
        let mut altered = sent.request.clone();
        if let Some(more) = altered
            .money(Attribute::Amount)
            .and_then(|amount| amount.checked_add(Money::from_fen(100)))
        {
            altered.set_money(Attribute::Amount, more);
        } else {
            altered.set_text(Attribute::Remark, "altered");
        }
        let reply = self.put_altered(sent, altered).await?;
        if let Some(Outcome::Failed { reason, text }) = reply.map(|reply| reply.outcome) {
            script.remark(format!("the altered repeat was refused: {reason}: {text}"));
        } else {
            script.complain(format!("{}: the altered repeat was not refused", sent.exchanged.msg_id));
        }
        Ok(())
    }

    /// A spoiled message is refused, or not answered at all when nothing of it can be trusted; it never succeeds.
    async fn spoiled(&self, request: Payment, fault: Fault, dice: &mut Dice, script: &mut Script<'_>) -> Result<(), Refusal> {
        let sent = self.send_with(request, Some(fault), dice).await?;
        if sent.outcome == Outcome::Success {
            script.complain(format!(
                "{}: a message with {} was executed",
                sent.exchanged.msg_id,
                fault.name()
            ));
        }
        if sent.outcome == Outcome::Unknown {
            script.remark("no answer came, and none is due: the message cannot be believed; the gateway keeps it parked");
            let text = "refused without an answer";
            self.shared
                .state()
                .settle(&sent.request, &Outcome::failed(codecs::payment::Reason::InvalidMessage, text));
        }
        script.note(sent.exchanged);
        Ok(())
    }

    /// The `place`-th request of a planned payment.
    fn request(&self, planned: &Planned, operation: Operation, place: u64, original: Option<&Payment>) -> Payment {
        let order = Order {
            serial: self.shared.config.first_serial + planned.n * SERIALS_EACH + place,
            institution: planned.institution,
            person: planned.person.clone(),
            amount: planned.amount,
        };
        self.shared
            .sending()
            .request(operation, &order, original, self.shared.world.now())
    }
}
