//! A scripted centre: messages put exactly as told, replies as a script says, and the day as announced.

use super::{CentreFault, CentreHandle, Desk, Shared};
use crate::counterparty::{Refusal, Step, Twist};
use crate::fault::{Fault, corrupt_value};
use crate::ids::{Numbering, digits, stamp};
use crate::institution::Sending;
use crate::world::Dice;
use codecs::payment::{Attribute, Operation, Payment, Reason, Role, Value};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use time::{Date, OffsetDateTime};

/// How one request of the bank is answered; the default is as the centre's own books say, at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conduct {
    pub fault: Option<CentreFault>,
    /// Refused for this reason; nothing is executed.
    pub refusal: Option<Reason>,
    pub late_ms: u64,
    /// After its reply the centre leaves everything with the broker.
    pub dies: bool,
}

/// What says how a request is answered; `None` leaves it to the rules and the books.
pub type Script = Arc<dyn Fn(&Payment) -> Option<Conduct> + Send + Sync>;

/// How a message is put that a tester chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manner {
    pub fault: Option<Fault>,
    /// It has the ids of an earlier message and other content.
    pub alters: bool,
    /// This field is changed in the finished bytes.
    pub corrupts: Option<Attribute>,
}

impl Manner {
    /// Spoils finished bytes; the message is the one that they carry.
    pub(crate) fn spoil(self, body: &mut Vec<u8>, message: &Payment, dice: &mut Dice) -> Result<(), Refusal> {
        if let Some(fault) = self.fault {
            fault.change(body, dice);
        }
        let Some(field) = self.corrupts else { return Ok(()) };
        let is_changed = texts(message, field).iter().any(|text| corrupt_value(body, text));
        let text = format!("{field} does not stand in the clear in this message");
        if is_changed {
            Ok(())
        } else {
            Err(Refusal { step: Step::Build, text })
        }
    }

    /// What a watcher is told of it.
    pub(crate) const fn remark(self) -> &'static str {
        match self.fault {
            Some(fault) => fault.name(),
            None if self.alters => "altered",
            None if self.corrupts.is_some() => "corrupt field",
            None => "",
        }
    }

    /// Whether its sender may count on an outcome.
    pub fn is_honest(self) -> bool {
        !self.alters && self.corrupts.is_none() && !self.fault.is_some_and(|fault| fault.spoils() || fault == Fault::Drop)
    }
}

impl CentreHandle {
    /// Replaces the script.
    pub fn set_script(&self, script: Option<Script>) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }
}

impl Desk {
    /// The centre as a sender on a settlement date.
    pub fn sending_on(&self, settlement_date: Date) -> Sending {
        let sending = self.shared.sending();
        Sending {
            numbering: Numbering {
                settlement_date,
                ..sending.numbering
            },
            ..sending
        }
    }

    /// Puts a message as told and waits for nothing. It is booked when its sender may count on an outcome. Returns the message
    /// under its code, and its bytes.
    pub async fn put_as(&self, message: Payment, manner: Manner, dice: &mut Dice) -> Result<(Payment, Vec<u8>), Refusal> {
        let shared = &self.shared;
        let mut prepared = shared.prepare(message, manner.fault.map_or(Twist::None, Fault::twist))?;
        manner.spoil(&mut prepared.body, &prepared.request, dice)?;
        if manner.alters {
            shared.state().alter(&prepared.key);
        } else if manner.is_honest() && prepared.request.role == Role::Request {
            drop(shared.state().expect(&prepared.key, &prepared.request));
        }
        if manner.fault == Some(Fault::Delay) {
            tokio::time::sleep(Duration::from_millis(200 + dice.below(800))).await;
        }
        if manner.fault != Some(Fault::Drop) {
            shared.put_faulty(&prepared, manner.remark(), manner.fault).await;
        }
        if manner.fault == Some(Fault::Repeat) {
            shared.put_remarked(&prepared, "repeat").await;
        }
        Ok((prepared.request, prepared.body))
    }

    /// Puts bytes that were written before. With `books` their sender counts on an outcome, if it did not before.
    pub async fn put_same(&self, message: &Payment, body: Vec<u8>, books: bool) {
        let prepared = super::send::Prepared {
            key: crate::ids::communication_key(message),
            request: message.clone(),
            body,
        };
        if books && message.role == Role::Request {
            self.shared.state().expect_once(&prepared.key, message);
        }
        self.shared.put_remarked(&prepared, "repeat").await;
    }

    /// Announces a status and a settlement date (NPS.801) as of a moment; a moment that is over makes it stale.
    pub async fn announce_day(&self, status: &str, date: Date, as_of: OffsetDateTime) -> Result<Payment, Refusal> {
        let shared = &self.shared;
        let mut notice = Payment::new(Operation::Status, Role::Notice);
        shared
            .sending()
            .address(&mut notice, shared.next_serial(), shared.world.now());
        notice
            .set_text(Attribute::SystemStatus, status)
            .set_date(Attribute::SystemDate, date)
            .set_text(Attribute::CreatedAt, stamp(as_of));
        let prepared = shared.prepare(notice, Twist::None)?;
        shared.put(&prepared).await;
        Ok(prepared.request)
    }
}

impl Shared {
    /// The script's word, or else that of the rules.
    pub(super) fn conduct(&self, request: &Payment) -> Conduct {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let scripted = script.and_then(|script| script(request));
        scripted.unwrap_or_else(|| Conduct {
            fault: self.fault(request),
            ..Conduct::default()
        })
    }
}

/// The centre's words for a day on which payments are taken, and for one on which none are.
pub const OPEN: &str = "ST01";
pub const STOPPED: &str = "ST00";

/// How a field may be written.
fn texts(message: &Payment, field: Attribute) -> Vec<String> {
    match message.value(field) {
        Some(Value::Money(money)) => vec![money.to_string(), money.fen().to_string()],
        Some(Value::Date(date)) => vec![date.to_string(), digits(*date)],
        Some(value @ (Value::Text(_) | Value::List(_))) => vec![value.canonical()],
        None => Vec::new(),
    }
}
