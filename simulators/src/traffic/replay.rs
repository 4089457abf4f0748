//! Playing a recording against a gateway: the same order and pauses, at any speed, and every outcome compared.

use super::{By, Line};
use crate::centre::{self, CentreHandle};
use crate::institution::{Institution, Order};
use crate::people::Person;
use crate::platform::{self, PlatformClient, PlatformFault, PlatformHandle};
use crate::world::World;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::Date;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The parties that play it.
pub struct Stage<'a> {
    pub centre: &'a CentreHandle,
    pub platform: &'a PlatformHandle,
    pub client: &'a PlatformClient,
    pub world: World,
    pub day: Date,
}

/// What a replay came to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Replayed {
    pub exchanges: usize,
    pub same: usize,
    /// By how much the latest one left after its time.
    pub late_ms_max: u64,
    pub took_ms: u64,
    pub differences: Vec<Difference>,
}

/// One exchange that ended otherwise than it was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// Place among the recording's lines, from 0.
    pub place: usize,
    pub operation: String,
    pub recorded: String,
    pub replayed: String,
}

/// Plays all lines; `speed` 2 halves every pause.
pub async fn replay(lines: &[Line], speed: f64, stage: &Stage<'_>) -> Replayed {
    let answers = Arc::new(Answers::default());
    answers.say_through(stage);
    let start = Instant::now();
    let mut replayed = Replayed::default();
    let mut begun: Vec<Begun> = Vec::new();
    let mut playing = JoinSet::new();
    for (place, line) in lines.iter().enumerate() {
        let due = start + Duration::from_millis(line.at_ms).div_f64(speed);
        tokio::time::sleep_until(due).await;
        let original = line.of.and_then(|of| begun.get(of));
        if let Some(original) = original.filter(|_| line.after_answer) {
            original.ended().await;
        }
        let late = u64::try_from(due.elapsed().as_millis()).unwrap_or(u64::MAX);
        replayed.late_ms_max = replayed.late_ms_max.max(late);
        let request = request(place, line, original.map(|original| &original.request), stage);
        answers.add(&request, line, speed);
        let (is_over, ended) = watch::channel(false);
        begun.push(Begun {
            request: request.clone(),
            ended,
        });
        let play = play(line.by, request, stage);
        playing.spawn(async move {
            let outcome = play.await;
            is_over.send_replace(true);
            (place, outcome)
        });
    }
    let outcomes: BTreeMap<usize, String> = playing.join_all().await.into_iter().collect();
    replayed.took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    replayed.compare(lines, &outcomes);
    replayed
}

impl Replayed {
    fn compare(&mut self, lines: &[Line], outcomes: &BTreeMap<usize, String>) {
        self.exchanges = lines.len();
        for (place, line) in lines.iter().enumerate() {
            let recorded = said(&line.outcome, line.reason.as_deref());
            let replayed = outcomes.get(&place).cloned().unwrap_or_default();
            if recorded == replayed {
                self.same += 1;
                continue;
            }
            self.differences.push(Difference {
                place,
                operation: line.operation.clone(),
                recorded,
                replayed,
            });
        }
    }
}

/// A request on its way or answered.
struct Begun {
    request: Payment,
    ended: watch::Receiver<bool>,
}

impl Begun {
    async fn ended(&self) {
        // Whoever tells it is dropped only when it has ended.
        drop(self.ended.clone().wait_for(|is_over| *is_over).await);
    }
}

/// How the other side answers each request, by its end-to-end id or its message id.
#[derive(Default)]
struct Answers(Mutex<BTreeMap<String, Answer>>);

#[derive(Clone, Copy)]
struct Answer {
    refusal: Option<Reason>,
    is_unknown: bool,
    after_ms: u64,
}

impl Answers {
    fn add(&self, request: &Payment, line: &Line, speed: f64) {
        let reason = line.reason.as_deref().and_then(Reason::parse);
        let answer = Answer {
            refusal: (line.outcome == "failed").then_some(reason.unwrap_or(Reason::Other)),
            is_unknown: line.outcome == "unknown",
            after_ms: u64::try_from(Duration::from_millis(line.answer_ms.unwrap_or(0)).div_f64(speed).as_millis()).unwrap_or(0),
        };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(key(request), answer);
    }

    fn of(&self, request: &Payment) -> Option<Answer> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key(request))
            .copied()
    }

    fn say_through(self: &Arc<Self>, stage: &Stage<'_>) {
        let (at_centre, at_platform) = (self.clone(), self.clone());
        stage.centre.set_script(Some(Arc::new(move |request: &Payment| {
            let answer = at_centre.of(request)?;
            Some(centre::Conduct {
                refusal: answer.refusal,
                late_ms: answer.after_ms,
                ..centre::Conduct::default()
            })
        })));
        stage.platform.set_script(Some(Arc::new(move |request: &Payment| {
            let answer = at_platform.of(request)?;
            let fault = if answer.is_unknown {
                PlatformFault::Never
            } else {
                PlatformFault::Delay(answer.after_ms)
            };
            Some(platform::Conduct {
                fault: Some(fault),
                refusal: answer.refusal,
                dies: false,
            })
        })));
    }
}

/// What names a request on both sides of the gateway.
fn key(request: &Payment) -> String {
    let text = |attribute| request.text(attribute).unwrap_or_default();
    format!(
        "{}|{}|{}",
        request.operation,
        text(Attribute::EndToEndId),
        text(Attribute::MsgId)
    )
}

fn request(place: usize, line: &Line, original: Option<&Payment>, stage: &Stage<'_>) -> Payment {
    // A file's lines were checked when they were read.
    let operation = Operation::parse(&line.operation).unwrap_or(Operation::Echo);
    let serial = place as u64 + 1;
    let order = |base: u64| Order {
        serial: base + serial,
        institution: Institution::numbered(line.institution),
        person: Person::at(line.person),
        amount: Money::from_fen(line.amount_fen),
    };
    let now = stage.world.now();
    match line.by {
        By::Centre => {
            let desk = stage.centre.desk();
            let mut request = desk.sending_on(stage.day).request(operation, &order(0), original, now);
            // What cancels it names its code; one that has none is refused when it is sent.
            if let Ok(code) = desk.shared.party.code(operation, request.role) {
                request.set_text(Attribute::MessageCode, code);
            }
            request
        }
        By::Platform => {
            let order = order(PLATFORM_SERIAL);
            let mut request = stage.client.sending_on(stage.day).request(operation, &order, original, now);
            if operation == Operation::Credit {
                stage.client.pay_out(&mut request, &order);
            }
            request
        }
    }
}

/// Sends it and waits for its final outcome; says why where none can come.
fn play(by: By, request: Payment, stage: &Stage<'_>) -> impl Future<Output = String> + use<> {
    let (desk, client) = (stage.centre.desk(), stage.client.clone());
    async move {
        let outcome = match by {
            By::Centre => desk.send(request).await.map(|sent| sent.outcome),
            By::Platform => client.send(&request).await.map(|exchanged| exchanged.outcome),
        };
        match outcome {
            Ok(Outcome::Failed { reason, .. }) => said("failed", Some(reason.name())),
            Ok(outcome) => said(outcome.name(), None),
            Err(refusal) => format!("not sent: {refusal}"),
        }
    }
}

fn said(outcome: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome} ({reason})"))
}

/// Serials of what the platform starts, apart from the centre's.
const PLATFORM_SERIAL: u64 = 60_000_000;
