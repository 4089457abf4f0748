//! What must hold at the end of a run: three books agree payment by payment, nothing is lost, nothing happened twice.

use super::bank::Bank;
use super::centre::{Asked, Centre};
use super::stage::{CONFIG, Stage};
use super::world::Kind;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Value};
use hangu::config::Config;
use hangu::journal::prove::Opener;
use hangu::journal::verify::Verifier;
use hangu::journal::{Chain, Exchange, Read, Search, State};
use simulators::report::key_of;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is looked at.
pub(crate) struct End<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) centre: &'a Centre,
    pub(crate) bank: &'a Bank,
}

/// The journal proves itself: chains, replies, one success for each business.
pub(crate) async fn prove(stage: &Stage) {
    let config = Config::parse(CONFIG).unwrap();
    let opener = Opener::new(&config, stage.keyring.clone()).unwrap();
    let verifier = Verifier {
        journal: &*stage.journal,
        chain: &Chain::unkeyed("hangu"),
        opening: &|message| opener.open(message),
        kept_since: 0,
        known: None,
    };
    let report = verifier.verify().await.unwrap();
    for finding in &report.findings {
        stage
            .world
            .complain(Kind::NotKept, format!("the journal is not whole: {finding:?}"));
    }
    if report.checked.records == 0 {
        stage.world.complain(Kind::NotKept, "no outcome is chained".to_owned());
    }
}

impl End<'_> {
    /// Complains to the world of whatever does not hold.
    pub(crate) fn check(&self) {
        self.check_journal();
        let asked: Vec<Asked> = self.centre.with_book(|book| book.asked.values().cloned().collect());
        for one in &asked {
            self.check_asked(one);
        }
        self.check_effects(&asked);
        self.check_bank();
        self.check_parked();
        let sum = self.stage.platform.with_ledger(|ledger| ledger.sum());
        if sum != 0 {
            self.complain(Kind::Contradiction, format!("the platform's ledger sums to {sum}"));
        }
        if self.stage.broker.waiting() > 0 {
            self.complain(Kind::Lost, "messages are left with the broker".to_owned());
        }
    }

    /// Every accepted exchange has its final outcome and is delivered; one that was asked by HTTP may wait to be fetched, as long
    /// as the bank does not know the outcome.
    fn check_journal(&self) {
        let answered = self.bank.asked().into_iter().filter(|(_, outcome)| outcome.is_some());
        let known: BTreeSet<String> = answered
            .map(|(request, _)| text(&request, Attribute::MsgId).to_owned())
            .collect();
        for exchange in exchanges(self.stage) {
            let delivered = exchange.state == State::Delivered;
            let fetched =
                exchange.state == State::Answered && exchange.link_in == "platform" && !known.contains(&exchange.msg_id);
            let is_known = outcome(&exchange) != "unknown" || exchange.operation == Operation::Query.name();
            if !is_known || !(delivered || fetched) {
                self.complain(Kind::Lost, describe(&exchange));
            }
        }
    }

    /// A request of the centre is in the journal, and both say the same of it.
    fn check_asked(&self, asked: &Asked) {
        let key = journal_key(&asked.request);
        let found = self
            .stage
            .journal
            .look(&Read::ByCommunicationKey(key.clone()))
            .exchange()
            .unwrap();
        let Some(exchange) = found else {
            return self.complain(
                Kind::Lost,
                format!("the broker took {key} and the journal has no trace of it"),
            );
        };
        let known = asked.outcome.as_ref().map_or("none", Outcome::name);
        if known == "none" {
            self.complain(Kind::Lost, format!("{key} has no final reply"));
        } else if known != outcome(&exchange) {
            let text = format!("{key} is {known} at the centre and {} in the journal", outcome(&exchange));
            self.complain(Kind::Contradiction, text);
        }
    }

    /// A payment moved money once where it succeeded, and not at all where it failed or was cancelled.
    fn check_effects(&self, asked: &[Asked]) {
        let cancelled = self.cancelled(asked);
        let mut payments: BTreeMap<String, Vec<&Asked>> = BTreeMap::new();
        let moving = [Operation::Debit, Operation::Credit, Operation::Refund];
        for one in asked.iter().filter(|one| moving.contains(&one.request.operation)) {
            payments.entry(key_of(&one.request)).or_default().push(one);
        }
        for (key, requests) in payments {
            let reversals = requests
                .iter()
                .map(|one| format!("cancel|{}", text(&one.request, Attribute::MsgId)));
            let (executed, reversed) = (self.bookings(&key), reversals.map(|name| self.bookings(&name)).sum::<usize>());
            let succeeded = requests.iter().any(|one| one.outcome == Some(Outcome::Success));
            let is_cancelled = cancelled.contains(text(&requests[0].request, Attribute::EndToEndId));
            let state =
                format!("{key}: executed {executed}, reversed {reversed}, succeeded {succeeded}, cancelled {is_cancelled}");
            if executed > 1 || reversed > 1 {
                self.complain(Kind::ExecutedTwice, state);
            } else if is_cancelled && executed != reversed {
                self.complain(Kind::CancelledButStands, state);
            } else if !is_cancelled && (reversed > 0 || (executed == 1) != succeeded) {
                self.complain(Kind::Contradiction, state);
            }
        }
    }

    /// End-to-end ids of payments whose cancel succeeded.
    fn cancelled(&self, asked: &[Asked]) -> BTreeSet<String> {
        let cancels = self.centre.with_book(|book| book.cancels.clone());
        let of = |key: &str| {
            asked
                .iter()
                .find(|one| simulators::ids::communication_key(&one.request) == key)
        };
        let succeeded = cancels
            .into_iter()
            .filter(|(key, _)| of(key).is_some_and(|one| one.outcome == Some(Outcome::Success)));
        succeeded.map(|(_, end_to_end_id)| end_to_end_id).collect()
    }

    fn bookings(&self, reference: &str) -> usize {
        self.stage
            .platform
            .with_ledger(|ledger| ledger.entries().filter(|entry| entry.reference == reference).count())
    }

    /// What the bank asked for: its own outcome is the centre's.
    fn check_bank(&self) {
        for (request, outcome) in self.bank.asked() {
            let key = key_of(&request);
            let Some(outcome) = outcome else {
                self.complain(Kind::Lost, format!("the bank's {key} has no final outcome"));
                continue;
            };
            let decided = self.centre.with_book(|book| book.decided.get(&key).cloned());
            let there = decided.as_ref().map_or("none", |decided| decided.outcome.name());
            let same = there == outcome.name() || (there == "none" && outcome != Outcome::Success);
            let agrees = if request.operation == Operation::Cancel {
                outcome != Outcome::Success || self.is_cancelled_at_the_centre(&request)
            } else {
                same || request.operation == Operation::Query
            };
            if !agrees {
                let text = format!("{key} is {} at the bank and {there} at the centre", outcome.name());
                self.complain(Kind::Contradiction, text);
            }
        }
    }

    fn is_cancelled_at_the_centre(&self, cancel: &Payment) -> bool {
        let id = text(cancel, Attribute::OriginalEndToEndId);
        self.centre.with_book(|book| {
            let original = book.decided.values().find(|decided| {
                decided.request.operation == Operation::Credit && text(&decided.request, Attribute::EndToEndId) == id
            });
            original.is_none_or(|original| original.cancelled || original.outcome != Outcome::Success)
        })
    }

    /// What was refused is kept, byte for byte.
    fn check_parked(&self) {
        let all = Read::Parked {
            id: None,
            status: None,
            limit: u32::MAX,
        };
        let kept: BTreeSet<[u8; 32]> = self
            .stage
            .journal
            .look(&all)
            .parked()
            .unwrap()
            .iter()
            .map(|parked| parked.park.digest)
            .collect();
        for body in self.centre.with_book(|book| book.to_park.clone()) {
            if !kept.contains(&hangu::record::parked_digest(&self.stage.keyring, &body).unwrap()) {
                self.complain(Kind::NotKept, "a refused message is not parked".to_owned());
            }
        }
    }

    fn complain(&self, kind: Kind, text: String) {
        self.stage.world.complain(kind, text);
    }
}

/// Whether the gateway has nothing left to do.
pub(crate) fn is_settled(stage: &Stage) -> bool {
    let open = |exchange: &Exchange| {
        exchange.state != State::Delivered && !(exchange.state == State::Answered && exchange.link_in == "platform")
    };
    stage.broker.waiting() == 0 && !exchanges(stage).iter().any(open)
}

fn exchanges(stage: &Stage) -> Vec<Exchange> {
    let all = Search {
        limit: u32::MAX,
        ..Search::default()
    };
    stage.journal.look(&Read::Search(Box::new(all))).exchanges().unwrap()
}

fn describe(exchange: &Exchange) -> String {
    let Exchange {
        id,
        operation,
        state,
        msg_id,
        owner,
        epoch,
        attempts,
        queries,
        ..
    } = exchange;
    let (state, outcome) = (state.name(), outcome(exchange));
    let now = hangu::clock::millis(super::world::EPOCH);
    let (due, lease) = (exchange.due - now, exchange.lease_until - now);
    format!(
        "exchange {id} ({operation} {msg_id}) ends as {state} {outcome}: {owner} epoch {epoch}, {attempts} sends, {queries} queries, \
         due {due} ms, lease {lease} ms"
    )
}

fn outcome(exchange: &Exchange) -> &str {
    exchange.outcome.as_ref().map_or("unknown", |outcome| outcome.name.as_str())
}

/// The communication key as the gateway writes it.
fn journal_key(request: &Payment) -> String {
    let parts = [
        Attribute::Sender,
        Attribute::SenderApp,
        Attribute::SendDate,
        Attribute::Serial,
        Attribute::MessageCode,
    ];
    let values = parts.map(|attribute| request.value(attribute).map(Value::canonical).unwrap_or_default());
    format!("centre|{}", values.join("|"))
}

fn text(payment: &Payment, attribute: Attribute) -> &str {
    payment.text(attribute).unwrap_or_default()
}
