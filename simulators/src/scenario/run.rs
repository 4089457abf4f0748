//! The runner: one step after the other on a stage that somebody else has set.

use super::books::Gateway;
use super::kept::Store;
use super::reply::Rules;
use super::span::spans;
use super::tape::Tape;
use super::{Act, Announce, Done, Scenario, Shown, Verdict};
use crate::centre::{CentreHandle, OPEN, STOPPED};
use crate::counterparty::Refusal;
use crate::ids::{communication_key, reference_key};
use crate::institution::direct::Direct;
use crate::platform::{PlatformClient, PlatformHandle};
use crate::world::{Dice, World};
use codecs::payment::{Payment, Role};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::Date;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The parties of one run, and what is seen of them.
pub struct Stage<'a> {
    pub centre: &'a CentreHandle,
    pub platform: &'a PlatformHandle,
    pub client: &'a PlatformClient,
    pub institution: Option<Institution<'a>>,
    pub gateway: &'a dyn Gateway,
    /// Watches the world of centre, platform and client.
    pub tape: Arc<Tape>,
    pub world: World,
    /// The settlement date on which the run begins.
    pub first_day: Date,
}

/// An institution with a link of its own.
#[derive(Clone, Copy)]
pub struct Institution<'a> {
    pub direct: &'a Direct,
    /// What the platform asks of it goes by this one, if it is an institution that the bank calls.
    pub client: Option<&'a PlatformClient>,
}

/// Plays a scenario. The same seed gives the same ids, amounts, customers and faults.
pub async fn run(scenario: &Scenario, seed: u64, stage: &Stage<'_>) -> Verdict {
    let mut verdict = Verdict::new(scenario, seed);
    let mut run = Run::new(scenario, seed, stage);
    let opened = run.open_the_day().await;
    let is_open = opened.is_ok();
    if let Err(miss) = opened {
        verdict = verdict.unset(miss.came.join("; "));
    }
    for (number, step) in (1..).zip(&scenario.steps).take_while(|_| is_open) {
        let at_ms = stage.tape.elapsed_ms();
        let miss = run.act(&step.act).await.err();
        let is_over = miss.is_some();
        let Miss { expected, came } = miss.unwrap_or_default();
        verdict.steps.push(Done {
            number,
            line: step.line,
            text: step.text.clone(),
            at_ms,
            ok: !is_over,
            expected,
            came,
        });
        if is_over {
            break;
        }
    }
    let is_done = is_open && verdict.failed_step().is_none();
    if is_done {
        verdict.checks = run.final_checks().await;
    }
    verdict.passed = is_done && verdict.checks.iter().all(|check| check.ok);
    let events = stage.tape.events();
    verdict.timeline = events.iter().map(Shown::of).collect();
    verdict.spans = spans(&events);
    verdict.took_ms = stage.tape.elapsed_ms();
    verdict
}

/// Why a step did not hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Miss {
    pub(super) expected: Vec<String>,
    pub(super) came: Vec<String>,
}

impl Miss {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            expected: Vec::new(),
            came: vec![text.into()],
        }
    }

    pub(super) fn unwritable(refusal: &Refusal) -> Self {
        Self::plain(format!("the message could not be written: {refusal}"))
    }
}

/// A scenario on its way.
pub(super) struct Run<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) store: Store,
    pub(super) rules: Rules,
    pub(super) dice: Dice,
    /// Counts the messages made; ids come from it.
    pub(super) serial: u64,
    /// The block of two hundred customers that the scenario lives in, and its plain one.
    pub(super) customers: u64,
    pub(super) plain: u64,
    /// The settlement date that stands.
    pub(super) day: Date,
    is_stopped: bool,
    /// Requests of the platform that wait for their answers.
    pub(super) puts: JoinSet<Result<(), Refusal>>,
}

impl<'a> Run<'a> {
    fn new(scenario: &Scenario, seed: u64, stage: &'a Stage<'a>) -> Self {
        let place = scenario
            .name
            .bytes()
            .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut dice = Dice::new(seed, place);
        Self {
            stage,
            store: Store {
                kept: BTreeMap::new(),
                first_day: stage.first_day,
            },
            rules: Rules::default(),
            serial: dice.below(SERIALS) * SERIALS_EACH,
            customers: dice.below(BLOCKS) * 200,
            plain: dice.below(198),
            dice,
            day: stage.first_day,
            is_stopped: false,
            puts: JoinSet::new(),
        }
    }

    async fn open_the_day(&mut self) -> Result<(), Miss> {
        self.script();
        let today = Announce {
            days: Some(0),
            stops: Some(false),
            is_stale: false,
        };
        self.announce(today).await
    }

    async fn act(&mut self, act: &Act) -> Result<(), Miss> {
        match act {
            Act::Send(send) => self.send(send).await,
            Act::Expect(expect) => self.expect(expect).await,
            Act::Reply(reply) => self.reply(reply),
            Act::Wait { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                Ok(())
            }
            Act::Announce(announce) => self.announce(*announce).await,
            Act::Rotate(rotate) => self.stage.gateway.rotate(*rotate).await.map_err(Miss::plain),
            Act::Books(books) => self.books(books).await,
        }
    }

    /// Announces, and waits for the acknowledgement: after it the gateway has taken the announcement or ignored it.
    async fn announce(&mut self, announce: Announce) -> Result<(), Miss> {
        let date = self.day + time::Duration::days(announce.days.unwrap_or(0));
        let stops = announce.stops.unwrap_or(self.is_stopped);
        let age = if announce.is_stale { STALE } else { time::Duration::ZERO };
        let as_of = self.stage.world.now() - age;
        let desk = self.stage.centre.desk();
        let status = if stops { STOPPED } else { OPEN };
        let notice = desk
            .announce_day(status, date, as_of)
            .await
            .map_err(|refusal| Miss::unwritable(&refusal))?;
        self.acknowledged(&notice).await?;
        if !announce.is_stale {
            (self.day, self.is_stopped) = (date, stops);
        }
        Ok(())
    }

    async fn acknowledged(&self, notice: &Payment) -> Result<(), Miss> {
        let (tape, key) = (&self.stage.tape, communication_key(notice));
        let deadline = Instant::now() + ACKNOWLEDGED;
        let is_it = |message: &Payment| message.role == Role::Ack && reference_key(message).as_ref() == Some(&key);
        loop {
            let seen = tape.length();
            if tape.take(|_, event| event.seen.message.as_ref().is_some_and(is_it)).is_some() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Miss {
                    expected: vec!["an acknowledgement (NPS.990) of the announcement".to_owned()],
                    came: vec!["none came".to_owned()],
                });
            }
            tape.more_than(seen, deadline).await;
        }
    }
}

const STALE: time::Duration = time::Duration::hours(1);
const ACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Ids of runs with different seeds rarely meet.
const SERIALS: u64 = 40_000;
const SERIALS_EACH: u64 = 1_000;
/// Blocks of two hundred among the platform's million customers.
const BLOCKS: u64 = 5_000;
