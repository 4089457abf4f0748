//! A scripted platform: answers as a script says, and requests put exactly as told.

use super::client::{Attempt, Inner, not_found, pay_out};
use super::{PlatformClient, PlatformFault, PlatformHandle, Shared, lock};
use crate::centre::Manner;
use crate::counterparty::{Refusal, Twist};
use crate::fault::Fault;
use crate::ids::Numbering;
use crate::institution::{Order, Sending};
use crate::report::has_effect;
use crate::world::Dice;
use codecs::payment::{Operation, Payment, Reason, Role};
use codecs::wire::Wire;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use time::Date;
use tokio::time::Instant;

/// How one request is answered; the default is as the ledger says, at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conduct {
    pub fault: Option<PlatformFault>,
    /// Refused for this reason; nothing is executed.
    pub refusal: Option<Reason>,
    /// After its answer the platform takes no connection and answers nothing.
    pub dies: bool,
}

/// What says how a request is answered; `None` leaves it to the rules and the ledger.
pub type Script = Arc<dyn Fn(&Payment) -> Option<Conduct> + Send + Sync>;

impl PlatformHandle {
    /// Replaces the script.
    pub fn set_script(&self, script: Option<Script>) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
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

impl PlatformClient {
    /// The platform as a sender on a settlement date.
    pub fn sending_on(&self, settlement_date: Date) -> Sending {
        let sending = self.inner.sending();
        Sending {
            numbering: Numbering {
                settlement_date,
                ..sending.numbering
            },
            ..sending
        }
    }

    /// Makes a credit of `Sending` one that the bank's customer pays to another bank.
    pub fn pay_out(&self, request: &mut Payment, order: &Order) {
        pay_out(request, order, &self.inner.config);
    }

    /// Writes a request as told.
    pub fn write_as(&self, request: &Payment, manner: Manner, dice: &mut Dice) -> Result<Wire, Refusal> {
        let Inner { party, world, .. } = &*self.inner;
        let code = party.code(request.operation, request.role)?;
        let twist = manner.fault.map_or(Twist::None, Fault::twist);
        let mut wire = party.emit_twisted(&code, request, world.now(), &mut world.rng(), twist)?;
        manner.spoil(&mut wire.body, request, dice)?;
        Ok(wire)
    }

    /// Puts a written request. One whose sender may count on an outcome is booked, and put again or asked after until that
    /// comes.
    pub async fn put_as(&self, request: &Payment, wire: &Wire, manner: Manner) -> Result<(), Refusal> {
        let inner = &self.inner;
        let deadline = Instant::now() + Duration::from_millis(inner.config.final_ms);
        let mut poll = None;
        if manner.is_honest() && is_booked(request) {
            lock(&inner.ledger).begin(request);
        }
        while Instant::now() < deadline && manner.fault != Some(Fault::Drop) {
            let polls = poll.is_some();
            let attempt = inner.attempt(poll.as_ref().unwrap_or(wire), 0, request).await?;
            if !manner.is_honest() {
                return Ok(());
            }
            if let Attempt::Answer(answer, _) = attempt {
                let outcome = answer.outcome.as_ref();
                let is_settled = |outcome: &&codecs::payment::Outcome| outcome.is_final() && !(polls && not_found(outcome));
                if request.role != Role::Request {
                    return Ok(());
                }
                if let Some(outcome) = outcome.filter(is_settled) {
                    if is_booked(request) {
                        lock(&inner.ledger).settle(request, outcome);
                    }
                    return Ok(());
                }
                poll = if polls { None } else { inner.poll(request)? };
            }
            tokio::time::sleep(Duration::from_millis(inner.config.pause_ms)).await;
        }
        Ok(())
    }
}

fn is_booked(request: &Payment) -> bool {
    request.role == Role::Request && has_effect(request.operation) && request.operation != Operation::Sign
}
