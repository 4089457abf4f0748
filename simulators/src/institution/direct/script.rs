//! A scripted institution: messages put exactly as told, and answers as a script says.

use super::client::fitting;
use super::{Direct, NAME, habits, held, one_more};
use crate::centre::Manner;
use crate::counterparty::{Refusal, Step, Twist};
use crate::fault::Fault;
use crate::ids::stamp;
use crate::institution::direct::{Order, request};
use crate::people::Person;
use crate::report::has_effect;
use crate::witness::Seen;
use crate::world::Dice;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// How one request of the bank is answered; the default is that it succeeds, at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conduct {
    pub fault: Option<DirectFault>,
    /// Refused for this reason; nothing is executed.
    pub refusal: Option<Reason>,
    /// After its answer the institution is silent.
    pub dies: bool,
    /// What an answer left open is told by a notice soon after, where the spec has one.
    pub tells: bool,
}

/// What is wrong with an answer. The request is executed once, whatever it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DirectFault {
    /// Executed, and answered as if it were still in work.
    Processing,
    Delay(u64),
    Never,
    Status500,
    Garbage,
    /// The answer is made wrongly, or its finished bytes are changed.
    Answer(Fault),
}

impl DirectFault {
    pub(super) fn twist(self) -> Twist {
        match self {
            Self::Answer(fault) => fault.twist(),
            Self::Processing | Self::Delay(_) | Self::Never | Self::Status500 | Self::Garbage => Twist::None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Delay(_) => "late",
            Self::Never => "never",
            Self::Status500 => "500, unsigned",
            Self::Garbage => "200, no message",
            Self::Answer(fault) => fault.name(),
        }
    }
}

/// What says how a request is answered; `None` leaves it to the institution.
pub type Script = Arc<dyn Fn(&Payment) -> Option<Conduct> + Send + Sync>;

impl Direct {
    /// Replaces the script.
    pub fn set_script(&self, script: Option<Script>) {
        *held(&self.inner.script) = script;
    }

    /// Neither takes nor answers anything, until it is called back.
    pub fn go_silent(&self, is_silent: bool) {
        self.inner.silent.store(is_silent, Ordering::SeqCst);
    }

    /// How often it executed a request of the bank's under this end-to-end id.
    pub fn executions(&self, end_to_end_id: &str) -> u64 {
        held(&self.inner.books).executions(end_to_end_id)
    }

    /// A request as the institution would make it.
    pub fn request_as(
        &self,
        operation: Operation,
        order: &Order,
        original: Option<&Payment>,
        at: OffsetDateTime,
    ) -> Result<Payment, Refusal> {
        let spec = self.spec()?;
        let mut made = request(spec, operation, order, original, at);
        if let Some(kind) = spec.message_for(operation, Role::Request) {
            made.set_text(Attribute::MessageCode, &*kind.code);
        }
        made.set_text(Attribute::CreatedAt, stamp(self.inner.world.now()));
        Ok(made)
    }

    /// A request that the bank's platform sends to the institution; who pays matters for a credit alone.
    pub fn asked_of_it(&self, mut request: Payment, payer: Person) -> Result<Payment, Refusal> {
        request
            .set_text(Attribute::Sender, "platform")
            .set_text(Attribute::Institution, self.spec()?.codec.as_str());
        // The platform has names of its own for messages.
        for code in [Attribute::MessageCode, Attribute::OriginalCode] {
            request.clear(code);
        }
        if request.operation == Operation::Credit {
            request
                .set_text(Attribute::PayerName, payer.name)
                .set_text(Attribute::PayerAccount, payer.account);
        }
        Ok(request)
    }

    /// The notice that a request of the bank's ended so; `None` where the spec has none for it.
    pub fn notice_as(&self, about: &Payment, outcome: &Outcome) -> Result<Option<Payment>, Refusal> {
        let booked = held(&self.inner.books)
            .named(about.text(Attribute::EndToEndId).unwrap_or_default())
            .cloned();
        let number = match &booked {
            Some(booked) => booked.bank_tx_id.clone(),
            None => self.bank_tx_id()?,
        };
        let mut about = booked.map_or_else(|| about.clone(), |booked| booked.request);
        if about.text(Attribute::Sender) == Some(PLATFORM) {
            about.set_text(Attribute::Sender, habits::member(self.spec()?));
        }
        self.notice_about(&about, outcome, &number)
    }

    /// Writes a message as told; a terminal signs in before its first one.
    pub async fn write_as(&self, message: &Payment, manner: Manner, dice: &mut Dice) -> Result<Wire, Refusal> {
        self.open().await?;
        let mut wire = self.written(message, manner.fault.map_or(Twist::None, Fault::twist))?;
        manner.spoil(&mut wire.body, message, dice)?;
        Ok(wire)
    }

    /// Puts a written message. One whose sender may count on an outcome is booked, and put again until that comes.
    pub async fn put_as(&self, message: &Payment, wire: &Wire, manner: Manner) -> Result<(), Refusal> {
        let config = &self.inner.config;
        let deadline = Instant::now() + Duration::from_millis(config.final_ms);
        let counts = manner.is_honest() && message.role == Role::Request && has_effect(message.operation);
        if counts {
            held(&self.inner.books).begin(message);
        }
        while Instant::now() < deadline && manner.fault != Some(Fault::Drop) {
            let limit = Duration::from_millis(config.attempt_ms);
            let answer = self.put_once(message, wire, manner.remark(), limit).await?;
            if !manner.is_honest() {
                return Ok(());
            }
            if answer.is_some_and(|answer| self.is_end(message, &answer, counts)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(config.pause_ms)).await;
            one_more(&self.inner.counts.repeats);
        }
        Ok(())
    }

    /// Whether nothing more is to come; a final outcome is booked.
    fn is_end(&self, message: &Payment, answer: &Payment, counts: bool) -> bool {
        if message.role != Role::Request {
            return answer.role == Role::Ack;
        }
        let settled = fitting(answer, message);
        if let Some(outcome) = settled.as_ref().filter(|_| counts) {
            held(&self.inner.books).end(message, outcome);
        }
        settled.is_some()
    }

    /// One exchange, told to whoever watches: what came, if it is a message.
    pub(super) async fn put_once(
        &self,
        message: &Payment,
        wire: &Wire,
        remark: &str,
        limit: Duration,
    ) -> Result<Option<Payment>, Refusal> {
        let key = crate::ids::communication_key(message);
        self.inner
            .world
            .tell(|| Seen::sent(NAME, message, &wire.body).remarking(remark));
        let answer = match self.inner.line.call(wire, limit).await? {
            Ok(answer) => self.spec()?.named(wire, answer),
            Err(reason) => {
                // Over frames silence is all that a refused message gets, and no event.
                if self.inner.line.is_http() {
                    let nothing = || Seen::received(NAME, Ok(message), &[]).answering(key).remarking(reason);
                    self.inner.world.tell(|| Seen {
                        message: None,
                        ..nothing()
                    });
                }
                return Ok(None);
            }
        };
        let read = match self.acknowledgement(message)? {
            Some((acknowledgement, due)) if due.body == answer.body && answer.start == due.start => Ok(acknowledgement),
            Some(_) => Err(Refusal {
                step: Step::Parse,
                text: "it is not the acknowledgement that is due".to_owned(),
            }),
            None => self.inner.party.receive(&answer, self.inner.world.now()),
        };
        self.inner
            .world
            .tell(|| Seen::received(NAME, read.as_ref(), &answer.body).answering(key));
        Ok(read.ok())
    }

    /// The script's word, or else what was agreed for this request.
    pub(super) fn conduct(&self, request: &Payment) -> Conduct {
        let script = held(&self.inner.script).clone();
        let scripted = script.and_then(|script| script(request));
        scripted.unwrap_or_else(|| self.manner(request).conduct())
    }

    pub(super) fn is_silent(&self) -> bool {
        self.inner.silent.load(Ordering::SeqCst)
    }
}

/// The bank's platform in its own messages.
const PLATFORM: &str = "platform";
