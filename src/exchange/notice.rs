//! Final-state notices: the counterparty tells by itself how an earlier request of ours ended. It settles what is sent or
//! unknown, once, like a late reply; whatever does not fit is kept for a person.

use super::accept::{cancelled, names_original};
use super::answer::{Settlement, outcome_of};
use super::{Gateway, Job, LinkParts, Trouble};
use crate::journal::{Exchange, Read, Search, State};
use crate::pipeline::{Rejection, Step};
use crate::record;
use codecs::payment::{Attribute, Outcome, Payment};
use codecs::wire::Wire;
use tokio::time::Instant;

impl Gateway {
    /// Applies an accepted notice to the exchange that it speaks of. Its acknowledgement says only that it was understood.
    pub(super) async fn apply_notice(&self, job: &Job) -> Result<(), Trouble> {
        let arrived = Instant::now();
        let link = self.link(&job.link_in)?;
        let outcome = job.request.outcome.clone().unwrap_or(Outcome::Unknown);
        if !outcome.is_final() {
            return Ok(());
        }
        let exchange = match self.spoken_of(job, link).await? {
            Ok(exchange) => exchange,
            Err(rejection) => {
                self.counters.unmatched();
                return self.keep(job, link, &rejection).await;
            }
        };
        let (original, outcome) = match self.job_of(&exchange).await? {
            Some(original) if matches!(exchange.state, State::Sent | State::Unknown) => (original, outcome),
            Some(_) | None => return self.compare_notice(job, link, &exchange, &outcome).await,
        };
        tracing::info!(exchange = exchange.id, link = link.name, "settled by a notice");
        let received = self.received_record(&link.name, "reply", &job.code, &self.wire_of(job).await?)?;
        let settlement = Settlement {
            outcome: outcome.clone(),
            result: Some(&job.request),
            received: Some(received),
            arrived,
        };
        match self.settle(&original, settlement).await {
            Err(Trouble::Stale(id)) => {
                let exchange = self.exchange(id).await?;
                if matches!(exchange.state, State::Answered | State::Delivered) {
                    return self.compare_notice(job, link, &exchange, &outcome).await;
                }
                // Taken over at this moment: it comes up again with the notice itself.
                Err(Trouble::Stale(job.id))
            }
            other => {
                self.hand_off(link, &exchange);
                other
            }
        }
    }

    /// The exchange that went out by this link under the name that the notice gives, and is about the same money.
    async fn spoken_of(&self, job: &Job, link: &LinkParts) -> Result<Result<Exchange, Box<Rejection>>, Trouble> {
        let unmatched = |detail: &str| Err(Box::new(Rejection::new(Step::Match, "notice.unmatched", detail)));
        if !names_original(&job.request) {
            return Ok(unmatched("it does not say which request it speaks of"));
        }
        let key = Read::ByOriginal(cancelled(&job.request));
        let mut found = self.journal.read(key).await?.exchange()?;
        if found.is_none() && job.request.text(Attribute::OriginalInitiator).is_none() {
            found = self.sent_under(link, &job.request).await?;
        }
        let Some(exchange) = found.filter(|exchange| exchange.link_out.as_ref() == Some(&link.name)) else {
            return Ok(unmatched("no request of ours went out by this link under that name"));
        };
        let amount = job.request.money(Attribute::Amount).map(codecs::payment::Money::fen);
        if amount.is_some() && amount != exchange.amount_fen {
            return Ok(unmatched("it is about another amount"));
        }
        Ok(Ok(exchange))
    }

    /// The one request that went out by this link under an end-to-end id: a counterparty over HTTP does not know who among our
    /// counterparties began it.
    async fn sent_under(&self, link: &LinkParts, notice: &Payment) -> Result<Option<Exchange>, Trouble> {
        let Some(id) = notice.text(Attribute::OriginalEndToEndId) else {
            return Ok(None);
        };
        let search = Search {
            key: Some(id.to_owned()),
            limit: 64,
            ..Search::default()
        };
        let mut found = self.journal.read(Read::Search(Box::new(search))).await?.exchanges()?;
        found.retain(|exchange| {
            let is_named = exchange.end_to_end_id.as_deref().unwrap_or(&exchange.msg_id) == id;
            let is_meant = notice.text(Attribute::OriginalOperation) == Some(&exchange.operation);
            is_named && is_meant && exchange.link_out.as_ref() == Some(&link.name)
        });
        // Two of one name: choosing either would be a guess.
        Ok(found.pop().filter(|_| found.is_empty()))
    }

    /// A notice for what has its outcome, or was never sent: the same is a repeat, another one is kept and raises an alarm.
    async fn compare_notice(&self, job: &Job, link: &LinkParts, exchange: &Exchange, outcome: &Outcome) -> Result<(), Trouble> {
        let stands = outcome_of(exchange);
        if stands.name() == outcome.name() {
            self.counters.duplicate_reply();
            return Ok(());
        }
        let said = outcome.name();
        let detail = format!(
            "exchange {} stands as {}, this notice says {said}",
            exchange.id,
            stands.name()
        );
        tracing::error!(exchange = exchange.id, said, "alarm: a notice contradicts what stands");
        self.counters.alarm();
        self.keep(job, link, &Rejection::new(Step::Match, "notice.contradicts", detail))
            .await
    }

    async fn keep(&self, job: &Job, link: &LinkParts, rejection: &Rejection) -> Result<(), Trouble> {
        self.park(link, "notice", &self.wire_of(job).await?, rejection)
            .await
            .map(drop)
    }

    /// The exact bytes of a job's request.
    pub(super) async fn wire_of(&self, job: &Job) -> Result<Wire, Trouble> {
        let messages = self.messages(job.id).await?;
        let first = messages
            .iter()
            .find(|message| message.direction == "received" && message.part == "request");
        let first = first.ok_or_else(|| Trouble::Reread("its request is not in the journal".to_owned()))?;
        Ok(record::open(&self.keyring.load(), first)?)
    }
}
