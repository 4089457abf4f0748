//! The platform as a client of the gateway (flow C): payouts, terminations, queries, cancels.
//!
//! A request is written once. Whatever is not an authenticated answer is no answer: the same bytes are sent again under
//! the same key until one comes or the time is over.

#[cfg(test)]
mod tests;

use super::{NAME, SharedLedger, lock};
use crate::counterparty::{Party, Refusal, Step};
use crate::http::{HttpClient, request_of};
use crate::ids::{Numbering, communication_key};
use crate::institution::{Order, Sending};
use crate::mix::{Planned, SERIALS_EACH, Shape};
use crate::play::{Exchanged, Played, Script};
use crate::report::has_effect;
use crate::witness::Seen;
use crate::world::World;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::{Start, Wire};
use keys::sm3::sm3;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use time::Date;
use tokio::time::Instant;

/// The platform codec's query by id, which is a GET.
const POLL: &str = "payment";

/// Who the platform is and how it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlatformClientConfig {
    /// The gateway's instances, such as `http://127.0.0.1:8080`; when one gives no answer the next one is asked.
    pub base_urls: Vec<String>,
    pub bank: String,
    pub centre: String,
    pub mfe: char,
    pub settlement_date: Date,
    /// Serials of the platform start here, apart from the centre's.
    pub first_serial: u64,
    /// Of one HTTP exchange.
    pub attempt_ms: u64,
    /// Between two attempts, and between two polls after "processing".
    pub pause_ms: u64,
    /// Until the platform stops asking.
    pub final_ms: u64,
}

impl PlatformClientConfig {
    pub fn new(base_url: &str, settlement_date: Date) -> Self {
        Self {
            base_urls: vec![base_url.trim_end_matches('/').to_owned()],
            bank: "402100088888".to_owned(),
            centre: "900584099999".to_owned(),
            mfe: 'B',
            settlement_date,
            first_serial: 60_000_000,
            attempt_ms: 5_000,
            pause_ms: 300,
            final_ms: 60_000,
        }
    }
}

/// The client; cheap to clone.
#[derive(Clone)]
pub struct PlatformClient {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) config: PlatformClientConfig,
    pub(super) party: Party,
    pub(super) world: World,
    pub(super) ledger: SharedLedger,
    http: HttpClient,
    /// Counts exchanges, so that each instance gets its share.
    turn: AtomicUsize,
}

/// What one HTTP exchange brought.
pub(super) enum Attempt {
    /// What was read, and its bytes.
    Answer(Box<Payment>, Vec<u8>),
    /// No authenticated answer: nothing is known of the effect.
    Nothing(String),
}

impl PlatformClient {
    /// Sends a request until its final outcome is known, and books nothing.
    #[cfg(test)]
    pub(crate) async fn exchange(&self, request: &Payment) -> Result<Outcome, Refusal> {
        self.inner.exchange(request).await.map(|(outcome, _)| outcome)
    }

    pub fn new(config: PlatformClientConfig, party: Party, world: World, ledger: SharedLedger) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                party,
                world,
                ledger,
                http: HttpClient::new(),
                turn: AtomicUsize::new(0),
            }),
        }
    }

    /// Plays one planned payment of flow C to its end.
    pub async fn play(&self, planned: &Planned) -> Played {
        let mut script = Script::new(planned);
        if let Err(refusal) = self.act(planned, &mut script).await {
            script.complain(format!("a message could not be written: {refusal}"));
        }
        script.played()
    }

    /// Books a request in the ledger, sends it, and books its final outcome.
    pub async fn send(&self, request: &Payment) -> Result<Exchanged, Refusal> {
        let inner = &self.inner;
        let booked = has_effect(request.operation);
        if booked {
            let begun = lock(&inner.ledger).begin(request);
            if begun.outcome.is_final() {
                return Ok(exchanged(request, begun.outcome, Timing::default()));
            }
        }
        let (outcome, timing) = inner.exchange(request).await?;
        if booked {
            lock(&inner.ledger).settle(request, &outcome);
        }
        Ok(exchanged(request, outcome, timing))
    }

    async fn act(&self, planned: &Planned, script: &mut Script<'_>) -> Result<(), Refusal> {
        match planned.shape {
            Shape::Plain(operation) => {
                script.ends(self.send(&self.inner.request(planned, operation, 0, None)).await?);
            }
            Shape::Query => self.after_payout(planned, Operation::Query, script).await?,
            Shape::Cancel => self.after_payout(planned, Operation::Cancel, script).await?,
            Shape::Refund | Shape::CancelFirst | Shape::PlatformTimeout | Shape::Again | Shape::Faulty(..) => {
                script.complain("the platform does not start this course");
            }
        }
        Ok(())
    }

    async fn after_payout(&self, planned: &Planned, operation: Operation, script: &mut Script<'_>) -> Result<(), Refusal> {
        let payout = self.inner.request(planned, Operation::Credit, 0, None);
        script.succeeds(self.send(&payout).await?);
        let request = self.inner.request(planned, operation, 1, Some(&payout));
        script.succeeds(self.send(&request).await?);
        Ok(())
    }
}

/// How long an exchange took.
#[derive(Clone, Copy, Default)]
struct Timing {
    interim: bool,
    first: Option<Duration>,
    last: Option<Duration>,
    sends: u32,
}

impl Inner {
    /// Sends a request until an authenticated final answer comes or the time is over.
    async fn exchange(&self, request: &Payment) -> Result<(Outcome, Timing), Refusal> {
        let code = self.party.code(request.operation, Role::Request)?;
        let wire = self.party.emit(&code, request, self.world.now(), &mut self.world.rng())?;
        let (start, mut timing) = (Instant::now(), Timing::default());
        let deadline = start + Duration::from_millis(self.config.final_ms);
        let mut poll = None;
        let mut turn = self.turn.fetch_add(1, Ordering::Relaxed);
        while Instant::now() < deadline {
            timing.sends += u32::from(poll.is_none());
            let polls = poll.is_some();
            match self.attempt(poll.as_ref().unwrap_or(&wire), turn, request).await? {
                Attempt::Answer(answer, _) => {
                    timing.first.get_or_insert_with(|| start.elapsed());
                    // A poll that finds nothing says nothing of the payment: the request goes out again.
                    let settled = answer
                        .outcome
                        .filter(|outcome| outcome.is_final() && !(polls && not_found(outcome)));
                    if let Some(outcome) = settled {
                        timing.last = Some(start.elapsed());
                        return Ok((outcome, timing));
                    }
                    timing.interim = true;
                    poll = if polls { None } else { self.poll(request)? };
                }
                Attempt::Nothing(reason) => {
                    tracing::info!(reason, "the platform asks again");
                    turn = turn.wrapping_add(1);
                }
            }
            tokio::time::sleep(Duration::from_millis(self.config.pause_ms)).await;
        }
        Ok((Outcome::Unknown, timing))
    }

    /// `GET /v1/payments/{id}` for a payment in work; `None` for what has no end-to-end id and is sent again instead.
    pub(super) fn poll(&self, request: &Payment) -> Result<Option<Wire>, Refusal> {
        let Some(id) = request.text(Attribute::EndToEndId) else {
            return Ok(None);
        };
        let mut query = Payment::new(Operation::Query, Role::Request);
        query.copy(request, &[Attribute::Sender, Attribute::Receiver]);
        let serial = request.text(Attribute::Serial).unwrap_or_default();
        query
            .set_text(Attribute::OriginalEndToEndId, id)
            .set_text(Attribute::Serial, format!("{serial}-poll"));
        self.party
            .emit(POLL, &query, self.world.now(), &mut self.world.rng())
            .map(Some)
    }

    /// One HTTP exchange about `about`, told to whoever watches.
    pub(super) async fn attempt(&self, wire: &Wire, turn: usize, about: &Payment) -> Result<Attempt, Refusal> {
        let sent = || Seen::sent(NAME, about, &wire.body);
        let is_poll = matches!(&wire.start, Start::Request { method, .. } if method == "GET");
        self.world.tell(|| sent().remarking(if is_poll { "GET, a poll" } else { "" }));
        let attempt = self.try_once(wire, turn).await?;
        self.world.tell(|| match &attempt {
            Attempt::Answer(answer, body) => Seen::received(NAME, Ok(answer), body).answering(communication_key(about)),
            Attempt::Nothing(reason) => {
                let nothing = Seen {
                    message: None,
                    is_sent: false,
                    digest: sm3(&[]),
                    body: Vec::new(),
                    ..sent()
                };
                nothing.answering(communication_key(about)).remarking(reason)
            }
        });
        Ok(attempt)
    }

    async fn try_once(&self, wire: &Wire, turn: usize) -> Result<Attempt, Refusal> {
        let request = request_of(wire, self.base_url(turn)?)?;
        let limit = Duration::from_millis(self.config.attempt_ms);
        let answered = tokio::time::timeout(limit, self.http.round_trip(request)).await;
        let answer = match answered {
            Err(_) => return Ok(Attempt::Nothing("no answer in time".to_owned())),
            Ok(Err(reason)) => return Ok(Attempt::Nothing(reason)),
            Ok(Ok(answer)) => answer,
        };
        if answer
            .header("idempotency-key")
            .is_some_and(|key| wire.header("idempotency-key") != Some(key))
        {
            return Ok(Attempt::Nothing("the answer is for another key".to_owned()));
        }
        Ok(match self.party.receive(&answer, self.world.now()) {
            Ok(payment) => Attempt::Answer(Box::new(payment), answer.body),
            Err(refusal) => Attempt::Nothing(refusal.to_string()),
        })
    }

    fn base_url(&self, turn: usize) -> Result<&str, Refusal> {
        let urls = &self.config.base_urls;
        let chosen = urls.iter().cycle().nth(turn % urls.len().max(1));
        chosen.map(String::as_str).ok_or_else(|| Refusal {
            step: Step::Build,
            text: "no gateway is named".to_owned(),
        })
    }

    fn request(&self, planned: &Planned, operation: Operation, place: u64, original: Option<&Payment>) -> Payment {
        let order = Order {
            serial: self.config.first_serial + planned.n * SERIALS_EACH + place,
            institution: planned.institution,
            person: planned.person.clone(),
            amount: planned.amount,
        };
        let mut request = self.sending().request(operation, &order, original, self.world.now());
        if operation == Operation::Credit {
            pay_out(&mut request, &order, &self.config);
        }
        request
    }

    pub(super) fn sending(&self) -> Sending {
        Sending {
            member: self.config.bank.clone(),
            application: "MPS".to_owned(),
            counter_member: self.config.centre.clone(),
            counter_application: "NPS".to_owned(),
            numbering: Numbering {
                mfe: self.config.mfe,
                settlement_date: self.config.settlement_date,
            },
        }
    }
}

/// A payout: the bank's customer pays somebody at another bank.
pub(super) fn pay_out(request: &mut Payment, order: &Order, config: &PlatformClientConfig) {
    request
        .set_text(Attribute::PayerName, order.person.name.clone())
        .set_text(Attribute::PayerAccount, order.person.account.clone())
        .set_text(Attribute::PayerAccountType, "PT01")
        .set_text(Attribute::PayerBank, config.bank.clone())
        .set_text(Attribute::PayerBranch, config.bank.clone())
        .set_text(Attribute::PayeeName, format!("{}\u{7532}", order.person.name))
        .set_text(
            Attribute::PayeeAccount,
            format!("6200000001{:08}1", order.serial % 100_000_000),
        )
        .set_text(Attribute::PayeeAccountType, "PT01")
        .set_text(Attribute::PayeeBank, config.centre.clone())
        .set_text(Attribute::PayeeBranch, config.centre.clone());
}

pub(super) fn not_found(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed {
            reason: Reason::OriginalNotFound,
            ..
        }
    )
}

fn exchanged(request: &Payment, outcome: Outcome, timing: Timing) -> Exchanged {
    let text = |attribute| request.text(attribute).unwrap_or_default().to_owned();
    let Timing {
        interim,
        first,
        last,
        sends,
    } = timing;
    let (msg_id, end_to_end_id) = (text(Attribute::MsgId), text(Attribute::EndToEndId));
    Exchanged {
        operation: request.operation,
        msg_id,
        end_to_end_id,
        outcome,
        interim,
        first,
        last,
        sends,
    }
}
