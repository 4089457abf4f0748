//! The clearing centre's side of a run: it asks, repeats until it is answered, keeps its book, checks every message of ours,
//! and answers what the bank asks, once for each request whatever happens to the answer.

use super::broker::{Broker, CENTRE, REPLIES, REQUESTS};
use super::world::{Kind, Outage, World, lock};
use bytes::Bytes;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use simulators::counterparty::{Party, Twist};
use simulators::ids::{Numbering, communication_key, reference_key};
use simulators::institution::{INSTITUTIONS, Order, Sending};
use simulators::people::Person;
use simulators::report::{has_effect, key_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

pub(crate) const MEMBER: &str = "900584099999";
pub(crate) const BANK: &str = "402100088888";
/// Payouts above it are refused.
pub(crate) const PAYOUT_FEN_MAX: i64 = 5_000;

/// The centre; cheap to clone.
#[derive(Clone)]
pub(crate) struct Centre(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    broker: Broker,
    party: Party,
    outage: Outage,
    book: Mutex<Book>,
    changed: Notify,
}

/// What the centre knows.
#[derive(Default)]
pub(crate) struct Book {
    /// Requests put to the bank, by communication key.
    pub(crate) asked: BTreeMap<String, Asked>,
    /// Effects of the bank's requests, by business key.
    pub(crate) decided: BTreeMap<String, Decided>,
    /// Bodies that the bank must have parked.
    pub(crate) to_park: Vec<Bytes>,
    /// Cancels: communication key, and the end-to-end id of the original.
    pub(crate) cancels: Vec<(String, String)>,
    replies: BTreeMap<String, Bytes>,
    by_msg_id: BTreeMap<String, String>,
    tombstones: BTreeSet<String>,
    serial: u64,
}

/// A request of the centre.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) request: Payment,
    pub(crate) body: Bytes,
    pub(crate) outcome: Option<Outcome>,
    reply: Option<Bytes>,
}

/// A request of the bank that was decided.
#[derive(Clone)]
pub(crate) struct Decided {
    pub(crate) request: Payment,
    pub(crate) outcome: Outcome,
    pub(crate) cancelled: bool,
}

impl Centre {
    pub(crate) fn new(world: Arc<World>, broker: Broker, party: Party) -> Self {
        Self(Arc::new(Inner {
            outage: Outage::draw(&world),
            world,
            broker,
            party,
            book: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    pub(crate) fn with_book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut lock(&self.0.book))
    }

    /// A request with ids of its own.
    pub(crate) fn request(&self, operation: Operation, person: u64, fen: i64, original: Option<&Payment>) -> Payment {
        let order = Order {
            serial: self.serial(),
            institution: INSTITUTIONS[0],
            person: Person::at(person),
            amount: Money::from_fen(fen),
        };
        let mut request = sending().request(operation, &order, original, self.now());
        let code = self.0.party.code(operation, Role::Request).unwrap();
        request.set_text(Attribute::MessageCode, code);
        request
    }

    /// The same business as the centre sends it again under another communication key.
    pub(crate) fn renumbered(&self, request: &Payment) -> Payment {
        let mut again = request.clone();
        let serial = self.serial();
        let numbering = sending().numbering;
        again
            .set_text(Attribute::Serial, numbering.serial(serial))
            .set_text(Attribute::MsgId, numbering.msg_id(serial));
        again
    }

    /// Tells status and settlement date until the bank acknowledges.
    pub(crate) async fn announce(&self) {
        self.ask(self.status(sending().numbering.settlement_date)).await;
    }

    /// Tells an earlier date, as a message that was overtaken does; nothing may follow from it.
    pub(crate) async fn announce_late(&self) {
        let date = sending().numbering.settlement_date;
        let mut notice = self.status(date.previous_day().unwrap());
        notice.set_text(
            Attribute::CreatedAt,
            simulators::ids::stamp(self.now() - time::Duration::hours(12)),
        );
        self.ask(notice).await;
    }

    fn status(&self, date: time::Date) -> Payment {
        let mut notice = Payment::new(Operation::Status, Role::Notice);
        sending().address(&mut notice, self.serial(), self.now());
        notice
            .set_text(Attribute::SystemStatus, "ST01")
            .set_date(Attribute::SystemDate, date)
            .set_text(
                Attribute::MessageCode,
                self.0.party.code(Operation::Status, Role::Notice).unwrap(),
            );
        notice
    }

    /// Puts a request and waits for its final outcome; the same bytes go again as long as there is none.
    pub(crate) async fn ask(&self, request: Payment) -> Option<Outcome> {
        let key = self.post(request);
        for _ in 0..30 {
            let wait = Duration::from_secs(12) + self.0.world.up_to(15_000);
            if let Ok(outcome) = timeout(wait, self.outcome(&key)).await {
                return Some(outcome);
            }
            self.post_again(&key);
        }
        None
    }

    /// Puts a request and waits for nothing.
    pub(crate) fn post(&self, request: Payment) -> String {
        let key = communication_key(&request);
        let body = self.emit(&request, Twist::None);
        let asked = Asked {
            request,
            body: body.clone(),
            outcome: None,
            reply: None,
        };
        self.0.world.say(|| format!("centre asks {} {key}", asked.request.operation));
        self.with_book(|book| book.asked.insert(key.clone(), asked));
        self.0.broker.put(REQUESTS, body);
        key
    }

    pub(crate) fn post_again(&self, key: &str) {
        let body = self.with_book(|book| book.asked[key].body.clone());
        self.0.world.say(|| format!("centre repeats {key}"));
        self.0.broker.put(REQUESTS, body);
    }

    /// Puts a message that must be refused and kept.
    pub(crate) fn post_refusable(&self, request: &Payment, twist: Twist) {
        let body = self.emit(request, twist);
        self.with_book(|book| book.to_park.push(body.clone()));
        self.0.broker.put(REQUESTS, body);
    }

    pub(crate) async fn outcome(&self, key: &str) -> Outcome {
        loop {
            let changed = self.0.changed.notified();
            if let Some(outcome) = self.with_book(|book| book.asked[key].outcome.clone()) {
                return outcome;
            }
            changed.await;
        }
    }

    fn emit(&self, request: &Payment, twist: Twist) -> Bytes {
        let simulated = self.0.world.simulated();
        let code = request.text(Attribute::MessageCode).unwrap();
        let wire = self
            .0
            .party
            .emit_twisted(code, request, simulated.now(), &mut simulated.rng(), twist);
        wire.unwrap().body.into()
    }

    fn serial(&self) -> u64 {
        self.with_book(|book| {
            book.serial += 1;
            book.serial
        })
    }

    fn now(&self) -> time::OffsetDateTime {
        self.0.world.simulated().now()
    }

    /// Takes what the bank sends, for ever.
    pub(crate) async fn receive(self) {
        loop {
            let body = self.0.broker.take(CENTRE).await;
            while self.0.world.is_away(&self.0.outage) {
                sleep(Duration::from_secs(1)).await;
            }
            match self.0.party.receive(&Wire::queue(body.to_vec()), self.now()) {
                Err(refusal) => self
                    .0
                    .world
                    .complain(Kind::Refused, format!("the centre refuses a message: {refusal}")),
                Ok(payment) if payment.role == Role::Request => drop(tokio::spawn(self.clone().answer(payment))),
                Ok(payment) => self.take(&payment, &body),
            }
        }
    }

    fn take(&self, reply: &Payment, body: &Bytes) {
        let world = &self.0.world;
        let Some(key) = reference_key(reply) else {
            return world.complain(Kind::Contradiction, "a reply refers to nothing".to_owned());
        };
        if reply.operation == Operation::Notice {
            // A confirmation that a message was refused says nothing of the request that the key names.
            return world.say(|| format!("centre hears that {key} was refused"));
        }
        let outcome = if reply.role == Role::Ack {
            Some(Outcome::Success)
        } else {
            reply.outcome.clone()
        };
        world.say(|| format!("centre hears {} {key}: {outcome:?}", reply.operation));
        let complaint = self.with_book(|book| note(book, &key, reply, body, outcome));
        if let Some((kind, text)) = complaint {
            world.complain(kind, text);
        }
        self.0.changed.notify_waiters();
    }

    /// Answers a request of the bank from the book.
    async fn answer(self, request: Payment) {
        let world = self.0.world.clone();
        let key = communication_key(&request);
        self.check_date(&request, &key);
        if world.fault(8) {
            return world.say(|| format!("{key} is lost at the centre"));
        }
        let stored = self.with_book(|book| book.replies.get(&key).cloned());
        let (body, is_new) = match stored {
            Some(body) => (body, false),
            None => (self.decide(&request, &key), true),
        };
        let fault = if world.fault(35) { world.below(5) } else { u64::MAX };
        match fault {
            0 => return,
            1 => sleep(world.up_to(15_000)).await,
            2 => self.0.broker.put(REPLIES, body.clone()),
            3 if is_new => {
                self.0.broker.put(REPLIES, self.reply(&request, Outcome::Unknown));
                sleep(world.up_to(9_000)).await;
            }
            4 if is_new => return self.0.broker.put(REPLIES, self.reply(&request, Outcome::Unknown)),
            _ => {}
        }
        self.0.broker.put(REPLIES, body);
    }

    /// The date comes from the status message that was acknowledged, and from nothing else.
    fn check_date(&self, request: &Payment, key: &str) {
        let date = sending().numbering.settlement_date;
        let numbered = request.text(Attribute::MsgId).unwrap_or_default();
        let same = request.date(Attribute::SettlementDate).is_none_or(|stated| stated == date);
        if !same || !numbered.starts_with(&simulators::ids::digits(date)) {
            let text = format!("{key} carries another settlement date");
            self.0.world.complain(Kind::Contradiction, text);
        }
    }

    fn decide(&self, request: &Payment, key: &str) -> Bytes {
        let outcome = self.with_book(|book| decide(book, request));
        self.0
            .world
            .say(|| format!("centre decides {} {key}: {outcome:?}", request.operation));
        match outcome {
            Ok(outcome) => {
                let body = self.reply(request, outcome);
                self.with_book(|book| book.replies.insert(key.to_owned(), body.clone()));
                body
            }
            Err(text) => {
                self.0.world.complain(Kind::Bytes, text);
                self.reply(request, Outcome::failed(Reason::Altered, "sent before otherwise"))
            }
        }
    }

    fn reply(&self, request: &Payment, outcome: Outcome) -> Bytes {
        let mut reply = sending().reply(request, outcome, self.serial(), self.now());
        let asked = request.text(Attribute::MessageCode).unwrap();
        let code = self.0.party.spec().unwrap().message(asked).unwrap().reply.clone().unwrap();
        reply.set_text(Attribute::MessageCode, code);
        self.emit(&reply, Twist::None)
    }
}

/// Enters a reply into the book and says what is wrong with it.
fn note(book: &mut Book, key: &str, reply: &Payment, body: &Bytes, outcome: Option<Outcome>) -> Option<(Kind, String)> {
    let Some(asked) = book.asked.get_mut(key) else {
        return Some((Kind::Contradiction, format!("a reply to {key}, which nobody sent")));
    };
    // A query is answered by what is known at that moment, which may be that the outcome is not known.
    let answers = |outcome: &Outcome| outcome.is_final() || reply.operation == Operation::Query;
    let outcome = outcome.filter(answers)?;
    if outcome == Outcome::Unknown {
        asked.outcome.get_or_insert(outcome);
        return None;
    }
    let amount = reply.money(Attribute::Amount);
    if amount.is_some() && amount != asked.request.money(Attribute::Amount) {
        return Some((Kind::Contradiction, format!("the reply to {key} is about another amount")));
    }
    match (&asked.outcome, &asked.reply) {
        (Some(known), _) if known.is_final() && known.name() != outcome.name() => {
            let (was, is) = (known.name(), outcome.name());
            Some((Kind::Contradiction, format!("{key} was {was} and then {is}")))
        }
        (_, Some(known)) if known != body => Some((Kind::Bytes, format!("{key} was answered finally in two forms"))),
        _ => {
            (asked.outcome, asked.reply) = (Some(outcome), Some(body.clone()));
            None
        }
    }
}

fn decide(book: &mut Book, request: &Payment) -> Result<Outcome, String> {
    let msg_id = request.text(Attribute::MsgId).unwrap_or_default().to_owned();
    let business = key_of(request);
    if has_effect(request.operation) && request.operation != Operation::Cancel && book.decided.contains_key(&business) {
        return Err(format!("{business} came again under another key"));
    }
    if request.operation == Operation::Query {
        let found = original_of(book, request).and_then(|key| book.decided.get(&key));
        let unknown = || Outcome::failed(Reason::OriginalNotFound, "not known here");
        return Ok(found.map_or_else(unknown, |decided| decided.outcome.clone()));
    }
    let outcome = if request.operation == Operation::Cancel {
        cancel(book, request)
    } else {
        perform(book, request, &msg_id)
    };
    book.by_msg_id.insert(msg_id, business.clone());
    let decided = Decided {
        request: request.clone(),
        outcome: outcome.clone(),
        cancelled: false,
    };
    book.decided.insert(business, decided);
    Ok(outcome)
}

fn original_of(book: &Book, request: &Payment) -> Option<String> {
    request
        .text(Attribute::OriginalMsgId)
        .and_then(|id| book.by_msg_id.get(id))
        .cloned()
}

/// Takes the original back, or sees to it that it is refused when it comes.
fn cancel(book: &mut Book, request: &Payment) -> Outcome {
    let original = original_of(book, request);
    if let Some(decided) = original.and_then(|key| book.decided.get_mut(&key)) {
        decided.cancelled = true;
    } else {
        let named = request.text(Attribute::OriginalMsgId).unwrap_or_default();
        book.tombstones.insert(named.to_owned());
    }
    Outcome::Success
}

fn perform(book: &Book, request: &Payment, msg_id: &str) -> Outcome {
    let amount = request.money(Attribute::Amount).map_or(0, Money::fen);
    if book.tombstones.contains(msg_id) {
        Outcome::failed(Reason::AlreadyCancelled, "cancelled before it came")
    } else if amount > PAYOUT_FEN_MAX {
        Outcome::failed(Reason::LimitExceeded, "above the limit")
    } else {
        Outcome::Success
    }
}

/// The centre as a sender.
pub(crate) fn sending() -> Sending {
    Sending {
        member: MEMBER.to_owned(),
        application: "NPS".to_owned(),
        counter_member: BANK.to_owned(),
        counter_application: "MPS".to_owned(),
        numbering: Numbering {
            mfe: 'B',
            settlement_date: super::world::EPOCH.date(),
        },
    }
}
