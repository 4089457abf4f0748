//! What the centre takes from the bank: replies to its requests, requests, notices; and what it cannot read.

use super::answers::Replied;
use super::script::Conduct;
use super::state::Figures;
use super::{CentreFault, NAME, Shared};
use crate::counterparty::{Refusal, Step};
use crate::fault::Fault;
use crate::ids::communication_key;
use crate::witness::Seen;
use crate::world::Dice;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use keys::sm3::sm3;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// NPS.900: what a refused message is answered with.
const CONFIRMATION: &str = "NPS.900.001.01";
/// NPS.990: what a management message is acknowledged with.
const ACKNOWLEDGEMENT: &str = "NPS.990.001.01";
/// Of the replies to a driver without books, one in so many is opened whole.
const OPENED_EACH: u64 = 64;

pub(super) async fn consume(shared: Arc<Shared>) {
    loop {
        let taken = tokio::select! {
            taken = shared.queues.take(&shared.config.queue_in) => taken,
            () = shared.stop.cancelled() => None,
        };
        let Some(taken) = taken else {
            return;
        };
        tokio::select! {
            () = shared.pass_gate() => {}
            // Not acknowledged: the broker keeps the message.
            () = shared.stop.cancelled() => return,
        }
        handle(&shared, Wire::queue(taken.body.clone())).await;
        taken.done().await;
    }
}

async fn handle(shared: &Arc<Shared>, wire: Wire) {
    let read = shared.read(&wire);
    shared.world.tell(|| Seen::received(NAME, read.as_ref(), &wire.body));
    match read {
        Ok(payment) => {
            shared.count(|figures| figures.verified += 1);
            match payment.role {
                Role::Request => answer(shared, &payment, &wire).await,
                Role::Reply | Role::Notice | Role::Ack => take(shared, payment, &wire).await,
            }
        }
        Err(refusal) => refuse(shared, &wire, &refusal).await,
    }
}

/// A reply, a confirmation that our request was refused, or a notice.
async fn take(shared: &Arc<Shared>, payment: Payment, wire: &Wire) {
    let (role, operation) = (payment.role, payment.operation);
    let to_acknowledge = (role == Role::Notice).then(|| payment.clone());
    let matched = shared.state().take_reply(payment, sm3(&[&wire.body]));
    if let Some(notice) = to_acknowledge {
        acknowledge(shared, &notice).await;
    } else if !matched && operation == Operation::Ack {
        shared.count(|figures| figures.acknowledged += 1);
    } else if !matched {
        shared.count(|figures| figures.unmatched += 1);
    }
}

async fn refuse(shared: &Arc<Shared>, wire: &Wire, refusal: &Refusal) {
    tracing::warn!(%refusal, "the centre refused a message of the bank");
    shared.count(|figures| match refusal.step {
        Step::Verify => figures.bad_signature += 1,
        Step::Parse | Step::Open | Step::Translate | Step::Build | Step::Seal | Step::Sign => figures.unreadable += 1,
    });
    let Ok(spec) = shared.party.spec() else {
        return;
    };
    // Only a request is answered: a confirmation of a confirmation would never end.
    let peeked = spec.peek(wire);
    let code = peeked.as_ref().and_then(|header| header.text(Attribute::MessageCode));
    let is_request = code
        .and_then(|code| spec.message(code))
        .is_some_and(|kind| kind.role == Role::Request);
    if let Some(header) = peeked.filter(|_| is_request) {
        let outcome = Outcome::failed(refusal.reason(), refusal.text.chars().take(40).collect::<String>());
        put_reply(shared, CONFIRMATION, shared.reply_to(&header, outcome)).await;
    }
}

/// Management messages are acknowledged (facts/clearing.md 1.3).
async fn acknowledge(shared: &Arc<Shared>, notice: &Payment) {
    put_reply(shared, ACKNOWLEDGEMENT, shared.reply_to(notice, Outcome::Success)).await;
}

async fn answer(shared: &Arc<Shared>, request: &Payment, wire: &Wire) {
    let key = communication_key(request);
    let conduct = shared.conduct(request);
    let replied = shared.state().counter.replied(&key, request);
    let (outcome, altered) = match replied {
        Replied::Same(body) => return shared.put_stored(request, body).await,
        Replied::Altered => (Outcome::failed(Reason::Altered, "sent before with other content"), true),
        Replied::Never => (shared.decide(request, wire, &conduct), false),
    };
    shared.count(|figures| figures.answered += 1);
    let store = (!altered).then_some(key);
    if conduct == Conduct::default() {
        return put_reply_as(shared, request, outcome, None, store).await;
    }
    // A reply that waits must not hold a worker up.
    let (shared, request) = (Arc::clone(shared), request.clone());
    drop(tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(conduct.late_ms)).await;
        match conduct.fault {
            Some(fault) => put_with_fault(&shared, &request, outcome, fault, store).await,
            None => put_reply_as(&shared, &request, outcome, None, store).await,
        }
        if conduct.dies {
            shared.silent.store(true, Ordering::SeqCst);
        }
    }));
}

async fn put_with_fault(shared: &Arc<Shared>, request: &Payment, outcome: Outcome, fault: CentreFault, store: Option<String>) {
    match fault {
        CentreFault::Reply(fault) => put_reply_as(shared, request, outcome, Some(fault), store).await,
        CentreFault::Processing(milliseconds) => {
            put_reply_as(shared, request, Outcome::Unknown, None, None).await;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            put_reply_as(shared, request, outcome, None, store).await;
        }
    }
}

/// Writes and puts the reply to a request; stores it under `store` for repeats.
async fn put_reply_as(shared: &Arc<Shared>, request: &Payment, outcome: Outcome, fault: Option<Fault>, store: Option<String>) {
    let mut reply = shared.reply_to(request, outcome);
    let asked = request.text(Attribute::MessageCode).unwrap_or_default();
    let code = shared
        .party
        .spec()
        .ok()
        .and_then(|spec| spec.message(asked))
        .and_then(|kind| kind.reply.clone());
    let Some(code) = code else {
        tracing::error!(asked, "the codec names no reply to a request");
        return;
    };
    // A general confirmation answers what it does not carry itself.
    let carried = shared
        .party
        .spec()
        .ok()
        .and_then(|spec| spec.message(&code))
        .map(|kind| kind.operation);
    if request.operation == Operation::Certificate {
        reply.operation = carried.unwrap_or(reply.operation);
    }
    let twist = fault.map_or(crate::counterparty::Twist::None, Fault::twist);
    let written = shared
        .party
        .emit_twisted(&code, &reply, shared.world.now(), &mut shared.world.rng(), twist);
    let mut body = match written {
        Ok(wire) => wire.body,
        Err(refusal) => return tracing::error!(%refusal, code, "the centre could not write its reply"),
    };
    if let Some(key) = store {
        shared.state().store(&key, request, body.clone());
    }
    let mut dice = Dice::new(0, body.len() as u64);
    let times = match fault {
        Some(Fault::Drop) => 0,
        Some(Fault::Repeat) => 2,
        _ => 1,
    };
    if let Some(fault) = fault {
        fault.change(&mut body, &mut dice);
        if fault == Fault::Delay {
            tokio::time::sleep(shared.reply_wait()).await;
        }
    }
    let remark = fault.map_or("", Fault::name);
    for _ in 0..times {
        shared
            .put_body(&named(reply.clone(), &code), body.clone(), (remark, fault))
            .await;
    }
}

/// Writes and puts a message of the type `code`, whatever operation it answers.
async fn put_reply(shared: &Arc<Shared>, code: &str, mut reply: Payment) {
    if let Some(kind) = shared.party.spec().ok().and_then(|spec| spec.message(code)) {
        (reply.operation, reply.role) = (kind.operation, kind.role);
    }
    match shared.party.emit(code, &reply, shared.world.now(), &mut shared.world.rng()) {
        Ok(wire) => {
            shared.put_body(&named(reply, code), wire.body, ("", None)).await;
        }
        Err(refusal) => tracing::error!(%refusal, code, "the centre could not write a message"),
    }
}

/// The reply under the code by which it goes out, as it is told to a watcher.
fn named(mut reply: Payment, code: &str) -> Payment {
    reply.set_text(Attribute::MessageCode, code);
    reply
}

impl Shared {
    /// Waits while the centre is silent.
    async fn pass_gate(&self) {
        loop {
            let opened = self.gate.notified();
            tokio::pin!(opened);
            opened.as_mut().enable();
            let take_one = |count: u64| count.checked_sub(1);
            if !self.silent.load(Ordering::SeqCst)
                || self
                    .let_through
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
                    .is_ok()
            {
                return;
            }
            opened.await;
        }
    }

    /// Without books only some replies are opened: no more is needed to know which request they answer, and how.
    fn read(&self, wire: &Wire) -> Result<Payment, Refusal> {
        let now = self.world.now();
        if self.config.keeps_books {
            return self.party.receive(wire, now);
        }
        let number = self.received.fetch_add(1, Ordering::Relaxed);
        let header = self.party.receive_unopened(wire, now)?;
        if header.role == Role::Reply && !number.is_multiple_of(OPENED_EACH) {
            return Ok(header);
        }
        self.party.receive(wire, now)
    }

    fn count(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.state().figures);
    }

    pub(super) fn fault(&self, request: &Payment) -> Option<CentreFault> {
        let mut taken = None;
        for (rule, seen) in self.rules().iter_mut().filter(|(rule, _)| rule.when.fits(request)) {
            if taken.is_none() && rule.when.holds(request, *seen) {
                taken = Some(rule.fault);
            }
            *seen += 1;
        }
        taken
    }

    fn decide(&self, request: &Payment, wire: &Wire, conduct: &Conduct) -> Outcome {
        if let Some(reason) = conduct.refusal {
            return Outcome::failed(reason, "refused as the script says");
        }
        if request.operation == Operation::Certificate {
            return self.take_announced(request, wire);
        }
        let payout_max = Money::from_fen(self.config.payout_fen_max);
        self.state().counter.decide(request, payout_max)
    }

    async fn put_stored(self: &Arc<Self>, request: &Payment, body: Vec<u8>) {
        let mut reply = request.clone();
        reply.role = Role::Reply;
        self.put_body(&reply, body, ("the stored reply", None)).await;
    }

    async fn put_body(self: &Arc<Self>, reply: &Payment, body: Vec<u8>, (remark, fault): (&str, Option<Fault>)) {
        self.world.tell(|| Seen::sent(NAME, reply, &body).remarking(remark));
        let id = reply.text(Attribute::MsgId).unwrap_or_default();
        if let Err(error) = self.deliver(&self.config.queue_replies, id, body, fault).await {
            tracing::warn!(%error, "a reply could not be put");
        }
    }

    fn reply_to(&self, request: &Payment, outcome: Outcome) -> Payment {
        self.sending().reply(request, outcome, self.next_serial(), self.world.now())
    }
}
