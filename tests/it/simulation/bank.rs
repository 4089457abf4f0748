//! The bank's platform as the one who asks (flow C): it books first, sends the same bytes until it is answered, and looks up what
//! it may not repeat any more.

use super::centre::{BANK, MEMBER, sending};
use super::stage::Stage;
use super::world::{Kind, World, lock};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use hangu::exchange::HttpAnswer;
use simulators::counterparty::Party;
use simulators::institution::{INSTITUTIONS, Order, Sending};
use simulators::people::Person;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The asking side of the platform; cheap to clone.
#[derive(Clone)]
pub(crate) struct Bank(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    stage: Arc<Stage>,
    party: Party,
    /// Requests and their outcomes by end-to-end id, or MsgId where there is none.
    asked: Mutex<BTreeMap<String, (Payment, Option<Outcome>)>>,
    serial: Mutex<u64>,
}

impl Bank {
    pub(crate) fn new(stage: Arc<Stage>, party: Party) -> Self {
        Self(Arc::new(Inner {
            world: stage.world.clone(),
            stage,
            party,
            asked: Mutex::default(),
            serial: Mutex::new(60_000_000),
        }))
    }

    pub(crate) fn asked(&self) -> Vec<(Payment, Option<Outcome>)> {
        lock(&self.0.asked).values().cloned().collect()
    }

    pub(crate) fn request(&self, operation: Operation, person: u64, fen: i64, original: Option<&Payment>) -> Payment {
        let serial = {
            let mut serial = lock(&self.0.serial);
            *serial += 1;
            *serial
        };
        let order = Order {
            serial,
            institution: INSTITUTIONS[1],
            person: Person::at(person),
            amount: Money::from_fen(fen),
        };
        let sending = Sending {
            member: BANK.to_owned(),
            application: "MPS".to_owned(),
            counter_member: MEMBER.to_owned(),
            counter_application: "NPS".to_owned(),
            ..sending()
        };
        let mut request = sending.request(operation, &order, original, self.0.world.simulated().now());
        if operation == Operation::Credit {
            pay_out(&mut request, &order);
        }
        request
    }

    /// Books a request, sends it until it has its final outcome, and books that.
    pub(crate) async fn ask(&self, request: Payment) -> Option<Outcome> {
        let inner = &self.0;
        let moves = request.operation != Operation::Query;
        if moves {
            let begun = inner.stage.platform.with_ledger(|ledger| ledger.begin(&request));
            if begun.outcome.is_final() {
                return Some(begun.outcome);
            }
        }
        let id = request.text(Attribute::MsgId).unwrap().to_owned();
        lock(&inner.asked).insert(id.clone(), (request.clone(), None));
        let outcome = self.until_final(&request).await?;
        if moves {
            inner.stage.platform.with_ledger(|ledger| ledger.settle(&request, &outcome));
        }
        lock(&inner.asked).insert(id, (request, Some(outcome.clone())));
        Some(outcome)
    }

    async fn until_final(&self, request: &Payment) -> Option<Outcome> {
        let (world, start) = (&self.0.world, Instant::now());
        let code = self.0.party.code(request.operation, Role::Request).unwrap();
        let wire = self.emit(&code, request);
        let mut first: Option<(Instant, Wire)> = None;
        let mut sure = 0;
        while start.elapsed() < Duration::from_secs(800) {
            // Past the window of its time stamp a request is refused; then it is looked up. A cancel is no payment that could
            // be looked up: it is authenticated anew under its key.
            let answer = if start.elapsed() < Duration::from_secs(270) {
                self.send(&wire).await
            } else if request.operation == Operation::Cancel {
                self.send(&self.emit(&code, request)).await
            } else {
                self.look_up(request).await
            };
            sleep(Duration::from_millis(200) + world.up_to(1_500)).await;
            let Some((answer, payment)) = answer else { continue };
            let outcome = payment.outcome.clone().unwrap_or(Outcome::Unknown);
            if !outcome.is_final() || is_missing(&payment) {
                continue;
            }
            self.check(request, &payment);
            let Some((at, known)) = &first else {
                first = Some((Instant::now(), answer));
                // Now and then it asks once more although it knows.
                if world.below(3) > 0 {
                    return Some(outcome);
                }
                continue;
            };
            if at.elapsed() < Duration::from_mins(2) && *known != answer && start.elapsed() < Duration::from_mins(2) {
                world.complain(Kind::Bytes, format!("{} was answered by HTTP in two forms", id(request)));
            }
            sure += 1;
            if sure > 1 {
                return Some(outcome);
            }
        }
        None
    }

    /// An answer must be about the request.
    fn check(&self, request: &Payment, answer: &Payment) {
        let same = answer.operation == request.operation || answer.operation == Operation::Query;
        let amount = answer.money(Attribute::Amount);
        if !same || (amount.is_some() && request.operation == Operation::Credit && amount != request.money(Attribute::Amount)) {
            self.0.world.complain(
                Kind::Contradiction,
                format!("{} got the answer to something else", id(request)),
            );
        }
    }

    async fn look_up(&self, request: &Payment) -> Option<(Wire, Payment)> {
        let mut query = Payment::new(Operation::Query, Role::Request);
        let key = request
            .text(Attribute::EndToEndId)
            .or_else(|| request.text(Attribute::MsgId))
            .unwrap();
        query
            .set_text(Attribute::OriginalEndToEndId, key)
            .set_text(Attribute::Serial, format!("look-{}", self.0.world.below(u64::MAX)))
            .set_text(Attribute::Sender, BANK);
        self.send(&self.emit("payment", &query)).await
    }

    fn emit(&self, code: &str, request: &Payment) -> Wire {
        let simulated = self.0.world.simulated();
        let mut request = request.clone();
        request.set_text(Attribute::MessageCode, code);
        self.0
            .party
            .emit(code, &request, simulated.now(), &mut simulated.rng())
            .unwrap()
    }

    /// One request over the line; sometimes it goes twice, is lost, or its answer is.
    async fn send(&self, wire: &Wire) -> Option<(Wire, Payment)> {
        let world = &self.0.world;
        sleep(world.up_to(20)).await;
        if world.fault(8) {
            return None;
        }
        if world.fault(10) {
            let (stage, wire, wait) = (self.0.stage.clone(), wire.clone(), world.up_to(2_000));
            drop(tokio::spawn(async move {
                sleep(wait).await;
                drop(stage.http(wire).await);
            }));
        }
        let patience = if world.fault(10) { 1_000 } else { 9_000 };
        let answer = timeout(Duration::from_millis(patience), self.0.stage.http(wire.clone())).await;
        if world.fault(8) {
            return None;
        }
        match answer.ok().flatten()? {
            HttpAnswer::Message(answer) => {
                let received = self.0.party.receive(&answer, world.simulated().now());
                if let Err(refusal) = &received {
                    world.complain(Kind::Refused, format!("the platform refuses an answer: {refusal}"));
                }
                Some((answer, received.ok()?))
            }
            HttpAnswer::Refused { status, rejection } => {
                world.complain(
                    Kind::Refused,
                    format!("the gateway refuses a request with {status}: {rejection}"),
                );
                None
            }
            HttpAnswer::Later { .. } => None,
        }
    }
}

fn id(request: &Payment) -> &str {
    request.text(Attribute::MsgId).unwrap_or_default()
}

/// A look-up that finds nothing says nothing of a request that may still arrive.
fn is_missing(answer: &Payment) -> bool {
    let reason = match &answer.outcome {
        Some(Outcome::Failed { reason, .. }) => Some(*reason),
        _ => None,
    };
    answer.operation == Operation::Query && reason == Some(Reason::OriginalNotFound)
}

/// A payout: the bank's customer pays somebody at another bank.
fn pay_out(request: &mut Payment, order: &Order) {
    request
        .set_text(Attribute::PayerName, order.person.name.clone())
        .set_text(Attribute::PayerAccount, order.person.account.clone())
        .set_text(Attribute::PayerAccountType, "PT01")
        .set_text(Attribute::PayerBank, BANK)
        .set_text(Attribute::PayerBranch, BANK)
        .set_text(Attribute::PayeeName, order.person.name.clone())
        .set_text(Attribute::PayeeAccount, format!("6200000001{:08}1", order.serial))
        .set_text(Attribute::PayeeAccountType, "PT01")
        .set_text(Attribute::PayeeBank, MEMBER)
        .set_text(Attribute::PayeeBranch, MEMBER);
}
