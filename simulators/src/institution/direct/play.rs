//! One course from beginning to end, and whether it went as it must.

use super::client::Sent;
use super::course::{Course, Manner, called};
use super::request::Order;
use super::{Direct, held};
use crate::counterparty::Refusal;
use crate::people::{Kind, Person};
use crate::platform::PlatformClient;
use crate::world::Dice;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment};
use std::time::Duration;

/// One request of a course and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectPlayed {
    pub operation: Operation,
    /// `success`, `failed`, `unknown`.
    pub outcome: &'static str,
    /// Until the final answer.
    pub latency: Option<Duration>,
    /// What was not as it must be.
    pub complaint: Option<String>,
}

impl Direct {
    /// Plays the `n`-th course that the institution begins. A message that cannot be written is a complaint.
    pub async fn play(&self, n: u64) -> Vec<DirectPlayed> {
        let played = match self.open().await {
            Ok(()) => self.act(n).await,
            Err(refusal) => Err(refusal),
        };
        played.unwrap_or_else(unwritten)
    }

    /// Plays the `n`-th course that the bank's platform begins with it.
    pub async fn play_called(&self, platform: &PlatformClient, n: u64) -> Vec<DirectPlayed> {
        self.be_called(platform, n).await.unwrap_or_else(unwritten)
    }

    async fn act(&self, n: u64) -> Result<Vec<DirectPlayed>, Refusal> {
        let courses = self.courses()?;
        let Some(&course) = courses.get(place(n, courses.len())) else {
            return Ok(Vec::new());
        };
        match course {
            Course::Plain(operation) => Ok(vec![self.ask(operation, n, 0, None).await?.1]),
            Course::After(operation) => {
                let (debit, first) = self.ask(Operation::Debit, n, 0, None).await?;
                let (_, second) = self.ask(operation, n, 1, Some(&debit)).await?;
                Ok(vec![first, second])
            }
            Course::Refused => Ok(vec![self.ask_poor(n).await?]),
            Course::Repeat => Ok(vec![self.ask_twice(n).await?]),
            Course::Forged => {
                let forged = self.request(Operation::Debit, n, 0, None)?;
                let refused = self.forge_request(&forged).await?;
                Ok(complain(!refused, Operation::Notice, "a forged request was not refused"))
            }
            Course::Framed(shape) => self.ask_in(shape, n).await,
        }
    }

    async fn be_called(&self, platform: &PlatformClient, n: u64) -> Result<Vec<DirectPlayed>, Refusal> {
        let courses = called(self.spec()?);
        let Some(&(course, manner)) = courses.get(place(n, courses.len())) else {
            return Ok(Vec::new());
        };
        // Apart from the numbers of what the institution begins itself.
        let n = n + CALLED_FROM;
        match course {
            Course::Plain(operation) => Ok(vec![self.be_asked(platform, operation, manner, (n, 0), None).await?.1]),
            Course::After(operation) => {
                let debited = self
                    .be_asked(platform, Operation::Debit, Manner::Executes, (n, 0), None)
                    .await?;
                let (_, second) = self.be_asked(platform, operation, manner, (n, 1), Some(&debited.0)).await?;
                Ok(vec![debited.1, second])
            }
            Course::Forged => {
                let about = self.request(Operation::Debit, n, 0, None)?;
                let refused = self.forge_notice(&about).await?;
                Ok(complain(!refused, Operation::Notice, "a forged notice was not refused"))
            }
            Course::Refused | Course::Repeat | Course::Framed(_) => Ok(Vec::new()),
        }
    }

    async fn ask(
        &self,
        operation: Operation,
        n: u64,
        step: u64,
        original: Option<&Payment>,
    ) -> Result<(Payment, DirectPlayed), Refusal> {
        let request = self.request(operation, n, step, original)?;
        let sent = self.send(&request).await?;
        Ok((request, judged(operation, &sent.outcome, "success", sent.latency)))
    }

    /// A debit of somebody who has one fen.
    async fn ask_poor(&self, n: u64) -> Result<DirectPlayed, Refusal> {
        let mut request = self.request(Operation::Debit, n, 0, None)?;
        let poor = (0..1_000).map(Person::at).find(|person| person.kind == Kind::Poor);
        if let Some(poor) = poor {
            request
                .set_text(Attribute::Agreement, poor.agreement())
                .set_text(Attribute::PayerAccount, poor.account);
        }
        let sent = self.send(&request).await?;
        Ok(judged(Operation::Debit, &sent.outcome, "failed", sent.latency))
    }

    async fn ask_twice(&self, n: u64) -> Result<DirectPlayed, Refusal> {
        let request = self.request(Operation::Debit, n, 0, None)?;
        let Sent {
            outcome,
            latency,
            wire,
            answer,
        } = self.send(&request).await?;
        let again = self.attempt(&wire, &request).await?;
        let bytes = |answer: Option<codecs::wire::Wire>| answer.map(|wire| wire.body);
        let same = match again {
            Some((second, _)) if self.spec()?.authentication_ages() => second == outcome,
            Some((second, repeated)) => second == outcome && bytes(Some(repeated)) == bytes(answer),
            None => false,
        };
        let mut played = judged(Operation::Debit, &outcome, "success", latency);
        if !same {
            played.complaint = Some("the repeat got another answer".to_owned());
        }
        Ok(played)
    }

    async fn be_asked(
        &self,
        platform: &PlatformClient,
        operation: Operation,
        manner: Manner,
        (n, step): (u64, u64),
        original: Option<&Payment>,
    ) -> Result<(Payment, DirectPlayed), Refusal> {
        let mut request = self.request(operation, n, step, original)?;
        request = self.asked_of_it(request, plain_person(self.serial(n, step) + 1))?;
        let name = request.text(Attribute::EndToEndId).unwrap_or_default().to_owned();
        held(&self.inner.manners).insert(name, manner);
        let asked = platform.send(&request).await?;
        let expected = if manner == Manner::Refuses { "failed" } else { "success" };
        Ok((request, judged(operation, &asked.outcome, expected, asked.last)))
    }

    fn serial(&self, n: u64, step: u64) -> u64 {
        self.inner.config.first_serial + n * SERIALS_EACH + step
    }

    pub(super) fn request(
        &self,
        operation: Operation,
        n: u64,
        step: u64,
        original: Option<&Payment>,
    ) -> Result<Payment, Refusal> {
        let serial = self.serial(n, step);
        let amount = Dice::new(serial, 7).between(AMOUNT_FEN_MIN, AMOUNT_FEN_MAX);
        // A part of a debit is given back; what is cancelled is cancelled whole.
        let debited = original.and_then(|original| original.money(Attribute::Amount));
        let amount = match (debited, operation) {
            (Some(debited), Operation::Refund) => Money::from_fen(debited.fen() / 2),
            (Some(debited), _) => debited,
            (None, _) => Money::from_fen(amount),
        };
        let order = Order {
            serial,
            person: plain_person(serial),
            amount,
        };
        let order = match original.and_then(|original| original.text(Attribute::Agreement)) {
            Some(agreement) => Order {
                person: Person::of_any_agreement(agreement).unwrap_or_else(|| plain_person(serial)),
                ..order
            },
            None => order,
        };
        self.request_as(operation, &order, original, self.inner.world.now())
    }
}

pub(super) fn judged(operation: Operation, outcome: &Outcome, expected: &str, latency: Option<Duration>) -> DirectPlayed {
    let complaint = (outcome.name() != expected).then(|| match outcome {
        Outcome::Failed { reason, text } => format!("{operation}: expected {expected}, was failed ({reason}: {text})"),
        Outcome::Success | Outcome::Unknown => format!("{operation}: expected {expected}, was {}", outcome.name()),
    });
    DirectPlayed {
        operation,
        outcome: outcome.name(),
        latency,
        complaint,
    }
}

/// What was forged is no payment; it is told of only where it was taken.
fn complain(failed: bool, operation: Operation, complaint: &str) -> Vec<DirectPlayed> {
    let played = DirectPlayed {
        operation,
        outcome: Outcome::Unknown.name(),
        latency: None,
        complaint: Some(complaint.to_owned()),
    };
    Some(played).filter(|_| failed).into_iter().collect()
}

fn unwritten(refusal: Refusal) -> Vec<DirectPlayed> {
    complain(true, Operation::Notice, &refusal.to_string())
}

fn place(n: u64, courses: usize) -> usize {
    usize::try_from(n).unwrap_or_default() % courses.max(1)
}

/// Customers whom no other flow touches.
fn plain_person(serial: u64) -> Person {
    let index = FIRST_PERSON + serial % PEOPLE;
    let person = Person::at(index);
    if person.kind == Kind::Plain {
        person
    } else {
        Person::at(index - 100)
    }
}

const SERIALS_EACH: u64 = 4;
const CALLED_FROM: u64 = 1_000;
const FIRST_PERSON: u64 = 700_000;
const PEOPLE: u64 = 200_000;
const AMOUNT_FEN_MIN: i64 = 100;
const AMOUNT_FEN_MAX: i64 = 9_999;
