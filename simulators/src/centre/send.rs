//! Sending: a request goes out with its expectation, and its answer is waited for.

use super::state::{Reply, Waiting};
use super::{Desk, NAME, OnTimeout, Shared};
use crate::counterparty::{Refusal, Twist};
use crate::fault::Fault;
use crate::ids::communication_key;
use crate::play::Exchanged;
use crate::witness::Seen;
use crate::world::Dice;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A request that was put to the bank, and what came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    pub request: Payment,
    pub outcome: Outcome,
    /// The final reply; `None` when none came in time.
    pub reply: Option<Payment>,
    pub exchanged: Exchanged,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    pub(super) digest: Option<[u8; 32]>,
}

/// A request ready to be put.
pub(super) struct Prepared {
    pub(super) request: Payment,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
}

impl Desk {
    /// Sends a request and waits for its final outcome, as the policy for missing replies says.
    pub async fn send(&self, request: Payment) -> Result<Sent, Refusal> {
        self.send_with(request, None, &mut Dice::new(0, 0)).await
    }

    /// Puts a request and leaves its answer to the book.
    pub async fn fire(&self, request: Payment) -> Result<(), Refusal> {
        let prepared = self.shared.prepare(request, Twist::None)?;
        // Nobody waits: the ends are dropped, the expectation stays.
        drop(self.shared.state().expect(&prepared.key, &prepared.request));
        self.shared.put(&prepared).await;
        Ok(())
    }

    /// Announces the system's status and settlement date (NPS.801); nothing answers it but an acknowledgement.
    pub async fn announce(&self, status: &str) -> Result<(), Refusal> {
        let now = self.shared.world.now();
        self.announce_day(status, self.shared.config.settlement_date, now)
            .await
            .map(drop)
    }

    /// Sends a request with a fault. One that cannot be answered because its header is unreadable is waited for only
    /// until the reply deadline.
    pub(super) async fn send_with(&self, request: Payment, fault: Option<Fault>, dice: &mut Dice) -> Result<Sent, Refusal> {
        let mut prepared = self.shared.prepare(request, fault.map_or(Twist::None, Fault::twist))?;
        if let Some(fault) = fault {
            fault.change(&mut prepared.body, dice);
        }
        let waiting = self.shared.state().expect(&prepared.key, &prepared.request);
        match fault {
            Some(Fault::Drop) => {}
            Some(Fault::Delay) => {
                tokio::time::sleep(Duration::from_millis(200 + dice.below(800))).await;
                self.shared.put(&prepared).await;
            }
            _ => self.shared.put_faulty(&prepared, "", fault).await,
        }
        let patient = fault.is_none_or(Fault::is_harmless);
        Ok(self.shared.await_answer(prepared, waiting, patient).await)
    }

    /// Puts the same bytes again and returns the next reply to them.
    pub(super) async fn put_again(&self, sent: &Sent) -> Option<Reply> {
        self.put_probe(&sent.key, &sent.request, sent.body.clone(), |_| true).await
    }

    /// Sends the same ids with other content, validly signed, and returns the next reply that is not the first one again:
    /// that answers a copy of the request which a queue delivered late.
    pub(super) async fn put_altered(&self, sent: &Sent, altered: Payment) -> Result<Option<Reply>, Refusal> {
        let code = self.shared.party.code(altered.operation, altered.role)?;
        let (now, party) = (self.shared.world.now(), &self.shared.party);
        let wire = party.emit(&code, &altered, now, &mut self.shared.world.rng())?;
        self.shared.state().alter(&sent.key);
        let other = |reply: &Reply| Some(reply.digest) != sent.digest;
        Ok(self.put_probe(&sent.key, &sent.request, wire.body, other).await)
    }

    async fn put_probe(&self, key: &str, request: &Payment, body: Vec<u8>, is_wanted: impl Fn(&Reply) -> bool) -> Option<Reply> {
        let mut replies = self.shared.state().probe(key);
        self.shared
            .put(&Prepared {
                request: request.clone(),
                key: key.to_owned(),
                body,
            })
            .await;
        let wanted = async {
            loop {
                match replies.recv().await {
                    Some(reply) if !is_wanted(&reply) => {}
                    other => return other,
                }
            }
        };
        let reply = tokio::time::timeout(self.shared.reply_wait(), wanted).await.ok().flatten();
        self.shared.state().end_probe(key);
        reply
    }
}

impl Shared {
    pub(super) fn prepare(&self, mut request: Payment, twist: Twist) -> Result<Prepared, Refusal> {
        let code = self.party.code(request.operation, request.role)?;
        request.set_text(Attribute::MessageCode, code.clone());
        let wire = self
            .party
            .emit_twisted(&code, &request, self.world.now(), &mut self.world.rng(), twist)?;
        Ok(Prepared {
            key: communication_key(&request),
            request,
            body: filled_up(wire.body, self.config.request_bytes_min),
        })
    }

    pub(super) async fn put(self: &Arc<Self>, prepared: &Prepared) {
        self.put_remarked(prepared, "").await;
    }

    pub(super) async fn put_remarked(self: &Arc<Self>, prepared: &Prepared, remark: &str) {
        self.put_faulty(prepared, remark, None).await;
    }

    /// Puts a request on a way on which this happens to it.
    pub(super) async fn put_faulty(self: &Arc<Self>, prepared: &Prepared, remark: &str, fault: Option<Fault>) {
        self.state().figures.sent += 1;
        self.world
            .tell(|| Seen::sent(NAME, &prepared.request, &prepared.body).remarking(remark));
        let id = prepared.request.text(Attribute::MsgId).unwrap_or_default();
        let body = prepared.body.clone();
        if let Err(error) = self.deliver(&self.config.queue_requests, id, body, fault).await {
            tracing::warn!(%error, "a request could not be put");
        }
    }

    async fn await_answer(self: &Arc<Self>, prepared: Prepared, mut waiting: Waiting, patient: bool) -> Sent {
        let mut sends = 1;
        let mut last = within(&mut waiting.last, self.reply_wait()).await;
        if last.is_none() && patient {
            last = self.after_timeout(&prepared, &mut waiting, &mut sends).await;
        }
        if last.is_none() {
            self.state().give_up(&prepared.key);
        }
        sent(prepared, &waiting, last, sends)
    }

    /// The first deadline is over without a final answer.
    async fn after_timeout(self: &Arc<Self>, prepared: &Prepared, waiting: &mut Waiting, sends: &mut u32) -> Option<Reply> {
        let rest = self.final_wait().saturating_sub(self.reply_wait());
        match self.config.on_timeout {
            OnTimeout::Repeat => return self.repeat(prepared, waiting, rest, sends).await,
            OnTimeout::Query | OnTimeout::Cancel if prepared.request.operation.moves_money() => {
                return self.settle_by(prepared, waiting, rest).await;
            }
            OnTimeout::Wait | OnTimeout::Query | OnTimeout::Cancel => {}
        }
        within(&mut waiting.last, rest).await
    }

    async fn repeat(
        self: &Arc<Self>,
        prepared: &Prepared,
        waiting: &mut Waiting,
        rest: Duration,
        sends: &mut u32,
    ) -> Option<Reply> {
        let deadline = tokio::time::Instant::now() + rest;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return None;
            }
            *sends += 1;
            self.put(prepared).await;
            let reply = within(&mut waiting.last, left.min(self.reply_wait())).await;
            if reply.is_some() {
                return reply;
            }
        }
    }

    /// Asks for the outcome, or takes the payment back; a reply that comes first decides.
    async fn settle_by(self: &Arc<Self>, prepared: &Prepared, waiting: &mut Waiting, rest: Duration) -> Option<Reply> {
        let cancels = self.config.on_timeout == OnTimeout::Cancel;
        let operation = if cancels { Operation::Cancel } else { Operation::Query };
        let asked = self.follow_up(operation, &prepared.request, rest).await;
        let settled = asked.filter(|reply| reply.outcome.is_final());
        if let Some(reply) = settled {
            let cancelled = Outcome::failed(Reason::AlreadyCancelled, "cancelled after a time-out");
            let outcome = match (cancels, &reply.outcome) {
                (true, Outcome::Success) => cancelled,
                (true, _) => return within(&mut waiting.last, rest).await,
                (false, outcome) => outcome.clone(),
            };
            self.state().settle(&prepared.request, &outcome);
            return Some(Reply { outcome, ..reply });
        }
        within(&mut waiting.last, rest).await
    }

    async fn follow_up(self: &Arc<Self>, operation: Operation, original: &Payment, wait: Duration) -> Option<Reply> {
        let mut request = Payment::new(operation, Role::Request);
        let sending = self.sending();
        sending.address(&mut request, self.next_serial(), self.world.now());
        sending.refer(&mut request, original);
        let prepared = match self.prepare(request, Twist::None) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                tracing::error!(%refusal, "a follow-up could not be written");
                return None;
            }
        };
        let mut waiting = self.state().expect(&prepared.key, &prepared.request);
        self.put(&prepared).await;
        within(&mut waiting.last, wait).await
    }
}

/// White space before the last closing tag: between elements a reader passes over it, and the signature over values stands.
fn filled_up(mut body: Vec<u8>, bytes_min: usize) -> Vec<u8> {
    let missing = bytes_min.saturating_sub(body.len());
    if let Some(at) = body.windows(2).rposition(|pair| pair == b"</").filter(|_| missing > 0) {
        body.splice(at..at, std::iter::repeat_n(b' ', missing));
    }
    body
}

fn sent(prepared: Prepared, waiting: &Waiting, last: Option<Reply>, sends: u32) -> Sent {
    let spent = |reply: &Reply| reply.at.saturating_duration_since(waiting.since);
    let first = waiting.first.borrow().clone();
    let outcome = last.as_ref().map_or(Outcome::Unknown, |reply| reply.outcome.clone());
    let text = |attribute| prepared.request.text(attribute).unwrap_or_default().to_owned();
    let exchanged = Exchanged {
        operation: prepared.request.operation,
        msg_id: text(Attribute::MsgId),
        end_to_end_id: text(Attribute::EndToEndId),
        outcome: outcome.clone(),
        interim: first.as_ref().is_some_and(|reply| !reply.outcome.is_final()),
        first: first.as_ref().map(spent),
        last: last.as_ref().map(spent),
        sends,
    };
    let digest = last.as_ref().map(|reply| reply.digest);
    let reply = last.map(|reply| reply.payment);
    Sent {
        request: prepared.request,
        outcome,
        reply,
        exchanged,
        key: prepared.key,
        body: prepared.body,
        digest,
    }
}

/// Waits for a final reply.
async fn within(end: &mut watch::Receiver<Option<Reply>>, wait: Duration) -> Option<Reply> {
    let found = tokio::time::timeout(wait, end.wait_for(Option::is_some)).await;
    found.ok().and_then(Result::ok).and_then(|reply| reply.clone())
}
