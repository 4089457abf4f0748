//! Gateways with a planted bug, each of which a named scenario must catch: the testers' checks, checked.
//!
//! The bug stands between the gateway and its queues, and holds both sides' keys: to the centre, the two together are a gateway
//! that has it.

use super::stage::{self, FIRST_MOMENT, Place};
use super::{embedded, folder};
use crate::cli::output::Failure;
use crate::cli::parties;
use async_trait::async_trait;
use codecs::payment::{Attribute, Date, Operation, Outcome, Payment, Role};
use codecs::wire::{Start, Wire};
use hangu::clock::Random;
use hangu::mq::{Consumer, Delivery, Mq, MqError, MqState, Publication, Published, QueueState, SharedMq};
use hangu::shell::SystemEntropy;
use simulators::counterparty::{Party, Step};
use simulators::scenario::Verdict;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_gateway_that_skips_verification_is_caught() {
    let verdict = played("bad-signature-debit", |mq, keys| {
        Planted::over(mq, keys, Bug::SkipsVerification)
    })
    .await;
    assert!(why(&verdict).contains("reason signature_invalid"), "{}", why(&verdict));
}

#[tokio::test]
async fn a_gateway_that_answers_a_repeat_anew_is_caught() {
    let verdict = played("repeat-debit", |mq, keys| Planted::over(mq, keys, Bug::AnswersRepeatsAnew)).await;
    assert!(
        why(&verdict).contains("its bytes are not those of first"),
        "{}",
        why(&verdict)
    );
}

#[tokio::test]
async fn a_gateway_that_loses_a_late_reply_is_caught() {
    let verdict = played("platform-answer-late-debit", |mq, keys| {
        Planted::over(mq, keys, Bug::LosesLateReplies)
    })
    .await;
    assert!(
        why(&verdict).contains("to request, outcome success, after interim"),
        "{}",
        why(&verdict)
    );
}

#[tokio::test]
async fn a_gateway_that_redates_what_is_in_flight_is_caught() {
    let verdict = played("date-change-in-flight-debit", |mq, keys| {
        Planted::over(mq, keys, Bug::Redates)
    })
    .await;
    assert!(why(&verdict).contains("settlement_date is 2030-01-16"), "{}", why(&verdict));
}

/// Without a bug between them nothing is caught, so it is the bug that is.
#[tokio::test]
async fn the_same_scenarios_hold_where_nothing_is_planted() {
    for name in [
        "bad-signature-debit",
        "repeat-debit",
        "platform-answer-late-debit",
        "date-change-in-flight-debit",
    ] {
        let verdict = played(name, |mq, keys| Planted::over(mq, keys, Bug::None)).await;
        assert!(verdict.passed, "{}", why(&verdict));
    }
}

async fn played(name: &str, between: stage::Between) -> Verdict {
    let folder = folder().ok().unwrap();
    stage::make_keys(folder.path(), 1).ok().unwrap();
    let all = embedded().ok().unwrap();
    let scenario = all.into_iter().find(|scenario| scenario.name == name).unwrap();
    let place = Place {
        folder: folder.path(),
        name,
        broker: None,
        between,
    };
    stage::play(
        place,
        &scenario,
        1,
        Arc::default(),
        &tokio_util::sync::CancellationToken::new(),
    )
    .await
}

/// What was expected and what came at the step that failed.
fn why(verdict: &Verdict) -> String {
    verdict.failed_step().map_or_else(
        || format!("no step failed; {:?}", verdict.checks),
        |step| format!("expected {}; came {}", step.expected.join("; "), step.came.join("; ")),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    SkipsVerification,
    AnswersRepeatsAnew,
    LosesLateReplies,
    Redates,
}

struct Planted {
    mq: SharedMq,
    shared: Arc<Shared>,
}

struct Shared {
    bug: Bug,
    gateway: Party,
    centre: Party,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    sent: BTreeSet<Vec<u8>>,
    /// Message ids of requests that were answered "processing".
    interim: BTreeSet<String>,
    announced: Option<Date>,
}

impl Planted {
    fn over(mq: SharedMq, keys: &Path, bug: Bug) -> Result<SharedMq, Failure> {
        let shared = Shared {
            bug,
            gateway: parties::party("nps", "centre", &keys.join("gateway"))?,
            centre: parties::party("nps", "centre", &keys.join("centre"))?,
            memory: Mutex::default(),
        };
        Ok(Arc::new(Self {
            mq,
            shared: Arc::new(shared),
        }))
    }
}

impl Shared {
    /// What the centre gets in place of a body; `None` for nothing.
    fn outgoing(&self, body: &[u8]) -> Option<Vec<u8>> {
        let whole = Some(body.to_vec());
        let Ok(mut payment) = self.centre.receive(&wire(body), FIRST_MOMENT) else {
            return whole;
        };
        if payment.role != Role::Reply {
            return whole;
        }
        let mut memory = self.memory.lock().unwrap();
        let answered = payment.text(Attribute::OriginalMsgId).unwrap_or_default().to_owned();
        match self.bug {
            Bug::None | Bug::SkipsVerification => whole,
            Bug::AnswersRepeatsAnew if memory.sent.insert(body.to_vec()) => whole,
            Bug::AnswersRepeatsAnew => Some(written(&self.gateway, &payment)),
            Bug::LosesLateReplies if memory.interim.contains(&answered) => None,
            Bug::LosesLateReplies => {
                if payment.outcome == Some(Outcome::Unknown) {
                    memory.interim.insert(answered);
                }
                whole
            }
            Bug::Redates => {
                let date = memory.announced?;
                payment.set_date(Attribute::SettlementDate, date);
                Some(written(&self.gateway, &payment))
            }
        }
    }

    /// What the gateway gets in place of a body.
    fn incoming(&self, body: &[u8]) -> Vec<u8> {
        let read = self.gateway.receive(&wire(body), FIRST_MOMENT);
        if let Ok(notice) = read.as_ref()
            && notice.operation == Operation::Status
        {
            self.memory.lock().unwrap().announced = notice.date(Attribute::SystemDate);
        }
        let is_forged = read.is_err_and(|refusal| refusal.step == Step::Verify);
        if self.bug == Bug::SkipsVerification && is_forged {
            let payment = self.gateway.receive_unverified(&wire(body), FIRST_MOMENT).unwrap();
            return written(&self.centre, &payment);
        }
        body.to_vec()
    }
}

fn written(party: &Party, payment: &Payment) -> Vec<u8> {
    let code = payment.text(Attribute::MessageCode).unwrap();
    let written = party.emit(code, payment, FIRST_MOMENT, &mut Random(&SystemEntropy));
    written.map_err(|refusal| refusal.to_string()).unwrap().body
}

fn wire(body: &[u8]) -> Wire {
    Wire {
        start: Start::Queue,
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

#[async_trait]
impl Mq for Planted {
    async fn publish(&self, publication: Publication) -> Published {
        match self.shared.outgoing(&publication.body) {
            None => Published::Confirmed,
            Some(body) => {
                let publication = Publication {
                    body: body.into(),
                    ..publication
                };
                self.mq.publish(publication).await
            }
        }
    }

    fn consume(&self, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
        Box::new(Taking {
            consumer: self.mq.consume(queue, prefetch),
            shared: self.shared.clone(),
        })
    }

    async fn check(&self, queues: &[String]) -> Result<Vec<QueueState>, MqError> {
        self.mq.check(queues).await
    }

    async fn declare(&self, queues: &[String]) -> Result<(), MqError> {
        self.mq.declare(queues).await
    }

    fn state(&self) -> MqState {
        self.mq.state()
    }

    async fn close(&self) {
        self.mq.close().await;
    }
}

struct Taking {
    consumer: Box<dyn Consumer>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Consumer for Taking {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.consumer.next().await?;
        let body = self.shared.incoming(&delivery.body).into();
        Some(Delivery { body, ..delivery })
    }
}
