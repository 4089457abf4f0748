//! Frames that are no good, and good ones in unusual segments: what is whole is answered and executed once, the rest is neither,
//! and holds up nobody.

use super::play::{DirectPlayed, judged};
use super::{Direct, held};
use crate::counterparty::{Refusal, Twist};
use crate::frames::Shape;
use codecs::payment::{Operation, Outcome, Payment};
use std::time::Duration;
use tokio::time::Instant;

impl Direct {
    /// A debit in an odd shape; one that cannot arrive so is sent again as it should be, and must then succeed.
    pub(super) async fn ask_in(&self, shape: Shape, n: u64) -> Result<Vec<DirectPlayed>, Refusal> {
        let count = if shape == Shape::Joined { 2 } else { 1 };
        let requests: Vec<Payment> = (0..count)
            .map(|step| self.request(Operation::Debit, n, step, None))
            .collect::<Result<_, _>>()?;
        if shape.is_good() {
            return self.answered_in(shape, &requests).await;
        }
        let mut played = Vec::new();
        for request in &requests {
            let wire = self.written(request, Twist::None)?;
            let answers = self.inner.line.call_in(shape, &[&wire.body], SILENCE).await;
            let sent = self.send(request).await?;
            let mut one = judged(Operation::Debit, &sent.outcome, "success", sent.latency);
            if answers.is_ok() {
                one.complaint = Some(format!("a frame was answered that was {}", shape.name()));
            }
            played.push(one);
        }
        Ok(played)
    }

    /// All are answered, in whatever order.
    async fn answered_in(&self, shape: Shape, requests: &[Payment]) -> Result<Vec<DirectPlayed>, Refusal> {
        let start = Instant::now();
        let mut wires = Vec::new();
        for request in requests {
            held(&self.inner.books).begin(request);
            wires.push(self.written(request, Twist::None)?);
        }
        let bodies: Vec<&[u8]> = wires.iter().map(|wire| wire.body.as_slice()).collect();
        let limit = Duration::from_millis(self.inner.config.attempt_ms);
        let answers = self.inner.line.call_in(shape, &bodies, limit).await.unwrap_or_default();
        let read = |request: &Payment| answers.iter().find_map(|answer| self.read(answer, request));
        let judge = |request: &Payment| {
            let outcome = read(request).unwrap_or(Outcome::Unknown);
            held(&self.inner.books).end(request, &outcome);
            judged(Operation::Debit, &outcome, "success", Some(start.elapsed()))
        };
        Ok(requests.iter().map(judge).collect())
    }
}

/// An answer would have come within this.
const SILENCE: Duration = Duration::from_millis(1_500);
