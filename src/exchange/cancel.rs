//! Cancel (reversal): original and cancel compete for one row of the journal, and insertion decides which came first.

use super::accept::cancelled;
use super::answer::{Settlement, outcome_of};
use super::{Gateway, Job, Trouble};
use crate::clock::millis;
use crate::journal::{Exchange, Move, Read, State};
use codecs::payment::{Attribute, Outcome, Reason};

impl Gateway {
    /// Goes on with an accepted cancel. `original` is the exchange it cancels, if that came first.
    pub(super) async fn cancel(&self, job: &mut Job, original: Option<Exchange>) -> Result<(), Trouble> {
        let Some(original) = original else {
            // The tombstone stands: the original, should it still arrive, is refused.
            return self.settle(job, Settlement::ours(Outcome::Success)).await;
        };
        if is_dated_otherwise(job, &original) {
            tracing::error!(
                exchange = job.id,
                original = original.id,
                "alarm: cancel with another settlement date"
            );
            self.counters.alarm();
            let refusal = Outcome::failed(Reason::WrongSettlementDate, "the cancel names another settlement date");
            return self.settle(job, Settlement::ours(refusal)).await;
        }
        let original = self.wait_for(original).await?;
        match outcome_of(&original) {
            Outcome::Success => self.cancel_executed(job, &original).await,
            Outcome::Failed { .. } => self.settle(job, Settlement::ours(Outcome::Success)).await,
            Outcome::Unknown => self.cancel_later(job).await,
        }
    }

    /// The exchange that a cancel or query speaks of.
    pub(super) async fn original_of(&self, job: &Job) -> Result<Option<Exchange>, Trouble> {
        Ok(self
            .journal
            .read(Read::ByOriginal(cancelled(&job.request)))
            .await?
            .exchange()?)
    }

    async fn cancel_executed(&self, job: &mut Job, original: &Exchange) -> Result<(), Trouble> {
        let end_to_end = original.end_to_end_id.as_deref().unwrap_or(&original.msg_id);
        let mut request = job.request.clone();
        request.set_text(Attribute::OriginalOperation, &*original.operation);
        request.set_text(Attribute::OriginalEndToEndId, end_to_end);
        if let Some(link) = original.link_out.as_deref().and_then(|name| self.links.get(name)) {
            Self::name_original(original, link, &mut request);
        }
        self.forward_over(job, request, original.link_out.as_deref()).await
    }

    /// The original is still in work: "processing" once, and the cancel is taken up again when there may be an outcome.
    pub(super) async fn cancel_later(&self, job: &Job) -> Result<(), Trouble> {
        let cancel = self.exchange(job.id).await?;
        let now = millis(self.clock.now());
        let wait = now.saturating_sub(cancel.accepted_at).clamp(500, 60_000);
        let step = Move {
            from: vec![State::Accepted],
            due: now.saturating_add(wait),
            ..self.step(job.id, job.epoch, State::Accepted)
        };
        if self.reply_to(&job.key).await?.is_some() {
            return self.advance(step).await;
        }
        self.answer_processing(job, step).await
    }
}

fn is_dated_otherwise(job: &Job, original: &Exchange) -> bool {
    match (job.request.date(Attribute::SettlementDate), &original.settlement_date) {
        (Some(date), Some(original)) => date.to_string() != *original,
        (Some(_) | None, _) => false,
    }
}
