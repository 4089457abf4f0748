#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod bookless;
mod way;

use super::{CentreConfig, CentreFault, CentreHandle, CentreRule, OnTimeout, start};
use crate::counterparty::{Party, Twist};
use crate::fault::{Fault, When};
use crate::ids::{Numbering, communication_key};
use crate::institution::Sending;
use crate::load::{Load, drive};
use crate::mix::{Flow, Planned, Shape, chosen, plan};
use crate::platform::{PlatformClient, PlatformHandle};
use crate::queues::{MemoryQueues, Queues};
use crate::report::compare;
use crate::testing::{NOW, Parties, caller, parties, platform, request, world};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::macros::date;

/// The smallest bank that can be tested against: it reads the centre's messages, asks the platform, replies; it keeps
/// its replies in memory and knows no deadline.
struct Bank {
    queues: Arc<MemoryQueues>,
    party: Party,
    platform: PlatformClient,
    replies: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    serial: AtomicU64,
    /// Answers "processing" before each final reply.
    interim: bool,
    delay: Duration,
}

fn as_bank() -> Sending {
    Sending {
        member: "402100088888".to_owned(),
        application: "MPS".to_owned(),
        counter_member: "900584099999".to_owned(),
        counter_application: "NPS".to_owned(),
        numbering: Numbering {
            mfe: 'B',
            settlement_date: date!(2030 - 01 - 02),
        },
    }
}

impl Bank {
    async fn run(self: Arc<Self>) {
        while let Some(taken) = self.queues.take("nps.B.req").await {
            let bank = Arc::clone(&self);
            tokio::spawn(async move { bank.handle(Wire::queue(taken.body)).await });
        }
    }

    async fn handle(&self, wire: Wire) {
        let request = match self.party.receive(&wire, NOW) {
            Ok(request) if request.role == Role::Request => request,
            Ok(_) => return,
            Err(refusal) => {
                let Some(header) = self.party.spec().unwrap().peek(&wire) else {
                    return;
                };
                return self
                    .put("NPS.900.001.01", &header, Outcome::failed(refusal.reason(), refusal.text))
                    .await;
            }
        };
        let (key, content) = (communication_key(&request), request.business_text());
        let known = self.replies.lock().unwrap().get(&key).cloned();
        match known {
            Some((same, body)) if same == content => return self.queues.put("nps.centre.B", "", body).await.unwrap(),
            Some(_) => return self.reply(&request, Outcome::failed(Reason::Altered, "altered")).await,
            None => {}
        }
        if self.interim {
            self.reply(&request, Outcome::Unknown).await;
        }
        tokio::time::sleep(self.delay).await;
        let outcome = if request.operation == Operation::Echo {
            Outcome::Success
        } else {
            self.platform.exchange(&request).await.unwrap()
        };
        self.reply(&request, outcome).await;
    }

    async fn reply(&self, request: &Payment, outcome: Outcome) {
        let asked = request.text(Attribute::MessageCode).unwrap();
        let code = self.party.spec().unwrap().message(asked).unwrap().reply.clone().unwrap();
        self.put(&code, request, outcome).await;
    }

    async fn put(&self, code: &str, request: &Payment, outcome: Outcome) {
        let mut reply = as_bank().reply(request, outcome, self.serial.fetch_add(1, Ordering::SeqCst), NOW);
        let kind = self.party.spec().unwrap().message(code).unwrap();
        let confirms = kind.operation == Operation::Notice;
        if confirms {
            (reply.operation, reply.role) = (kind.operation, kind.role);
        }
        let wire = self
            .party
            .emit(code, &reply, NOW, &mut world(self.serial.load(Ordering::SeqCst)).rng())
            .unwrap();
        if reply.outcome != Some(Outcome::Unknown) && !confirms {
            let stored = (request.business_text(), wire.body.clone());
            self.replies
                .lock()
                .unwrap()
                .entry(communication_key(request))
                .or_insert(stored);
        }
        self.queues.put("nps.centre.B", "", wire.body).await.unwrap();
    }
}

struct Scene {
    queues: Arc<MemoryQueues>,
    parties: Parties,
    platform: PlatformHandle,
    centre: CentreHandle,
}

#[derive(Clone, Copy, Default)]
struct Habits {
    interim: bool,
    delay_ms: u64,
}

async fn scene(seed: u64, config: CentreConfig, habits: Habits) -> Scene {
    let (queues, parties) = (Arc::new(MemoryQueues::default()), parties(seed));
    let platform = platform(&parties).await;
    let bank = Bank {
        queues: Arc::clone(&queues),
        party: parties.bank.clone(),
        platform: caller(&parties, &platform, 500, 3_000),
        replies: Mutex::default(),
        serial: AtomicU64::new(1),
        interim: habits.interim,
        delay: Duration::from_millis(habits.delay_ms),
    };
    tokio::spawn(Arc::new(bank).run());
    let centre = start(
        Arc::clone(&queues) as Arc<dyn Queues>,
        parties.centre.clone(),
        world(seed + 100),
        config,
    );
    Scene {
        queues,
        parties,
        platform,
        centre,
    }
}

fn config() -> CentreConfig {
    CentreConfig {
        reply_ms: 4_000,
        final_ms: 8_000,
        ..CentreConfig::new(date!(2030 - 01 - 02))
    }
}

impl Scene {
    /// Puts a request of the bank and returns what the centre puts in answer.
    async fn ask(&self, request: &Payment, twist: Twist) -> Payment {
        let party = &self.parties.bank;
        let code = party.code(request.operation, Role::Request).unwrap();
        let wire = party.emit_twisted(&code, request, NOW, &mut world(77).rng(), twist).unwrap();
        self.queues.put("nps.centre.B", "", wire.body).await.unwrap();
        self.answer().await
    }

    async fn answer(&self) -> Payment {
        let taken = tokio::time::timeout(Duration::from_secs(5), self.queues.take("nps.B.rsp"))
            .await
            .unwrap()
            .unwrap();
        self.parties.bank.receive(&Wire::queue(taken.body), NOW).unwrap()
    }

    async fn stop(self) {
        self.centre.stop().await;
        self.platform.stop().await;
        self.queues.close();
    }
}

#[tokio::test]
async fn a_run_of_every_course_ends_as_planned_and_the_books_agree() {
    let scene = scene(
        1,
        CentreConfig {
            reply_ms: 1_500,
            ..config()
        },
        Habits::default(),
    )
    .await;
    // A time-out needs a gateway that settles it; here the platform answers.
    let planned: Vec<_> = plan(3, 120)
        .into_iter()
        .filter(|planned| planned.flow == Flow::CentreToPlatform)
        .collect();
    let desk = scene.centre.desk();
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    let load = Load {
        rate_per_s: 0,
        concurrency_max: 16,
    };
    for finished in drive(planned, load, work, |_| {}).await {
        assert!(
            finished.result.as_expected,
            "{}: {:?}",
            finished.result.shape, finished.result.complaint
        );
    }
    let (centre, platform) = (scene.centre.books(), scene.platform.books());
    let comparison = compare(&centre, &centre, &platform);
    assert!(comparison.equal, "{:#?}", comparison.differences);
    assert!(comparison.payments > 60 && comparison.totals["platform"]["debit"].count > 30);
    let figures = scene.centre.figures();
    assert_eq!(
        (figures.bad_signature, figures.unmatched, figures.contradicted),
        (0, 0, 0),
        "{figures:?}"
    );
    scene.stop().await;
}

#[tokio::test]
async fn every_fault_is_refused_and_leaves_nothing_in_the_books() {
    let scene = scene(
        2,
        CentreConfig {
            reply_ms: 600,
            ..config()
        },
        Habits::default(),
    )
    .await;
    for (n, fault) in (0..).zip(Fault::ALL) {
        let played = scene.centre.desk().play(&chosen(1, n, Operation::Sign, Some(fault))).await;
        assert!(played.as_expected, "{}: {:?}", played.shape, played.complaint);
        let outcome = played.messages.last().unwrap().outcome.as_str();
        assert_eq!(
            outcome == "success",
            fault.is_harmless() || fault == Fault::AlteredRepeat,
            "{}",
            fault.name()
        );
    }
    // What is put back comes while the first is in work; the platform knows it again.
    let executed = scene.platform.received(Operation::Sign) - scene.platform.repeated();
    assert_eq!(executed, 5);
    scene.stop().await;
}

#[tokio::test]
async fn a_final_reply_replaces_processing_in_the_books() {
    let scene = scene(
        3,
        config(),
        Habits {
            interim: true,
            delay_ms: 20,
        },
    )
    .await;
    let sent = scene
        .centre
        .desk()
        .send(request(Operation::Debit, 1, 7, 500, None))
        .await
        .unwrap();
    assert_eq!((sent.outcome, sent.exchanged.interim), (Outcome::Success, true));
    assert!(sent.exchanged.first < sent.exchanged.last);
    assert_eq!(scene.centre.books().entries.values().next().unwrap().outcome, "success");
    let figures = scene.centre.figures();
    assert_eq!((figures.processing, figures.final_after_processing), (1, 1));
    scene.stop().await;
}

#[tokio::test]
async fn a_late_reply_is_counted_and_booked() {
    let config = CentreConfig {
        reply_ms: 20,
        final_ms: 30,
        ..config()
    };
    let scene = scene(
        4,
        config,
        Habits {
            interim: false,
            delay_ms: 300,
        },
    )
    .await;
    let sent = scene
        .centre
        .desk()
        .send(request(Operation::Debit, 1, 7, 500, None))
        .await
        .unwrap();
    assert_eq!(sent.outcome, Outcome::Unknown);
    for _ in 0..200 {
        if scene.centre.figures().late == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(scene.centre.figures().late, 1);
    assert_eq!(scene.centre.books().entries.values().next().unwrap().outcome, "success");
    scene.stop().await;
}

#[tokio::test]
async fn each_policy_settles_a_missing_reply() {
    for (policy, booked) in [
        (OnTimeout::Repeat, "success"),
        (OnTimeout::Query, "success"),
        (OnTimeout::Cancel, "failed"),
    ] {
        let config = CentreConfig {
            on_timeout: policy,
            reply_ms: 300,
            final_ms: 6_000,
            ..config()
        };
        let scene = scene(5, config, Habits::default()).await;
        let debit = request(Operation::Debit, 1, 7, 500, None);
        // The first request is executed; its reply is lost on the way.
        scene.centre.go_silent(true);
        let desk = scene.centre.desk();
        let sending = tokio::spawn(async move { desk.send(debit).await.unwrap() });
        while scene.platform.received(Operation::Debit) == 0 || scene.queues.length("nps.centre.B") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            // A silent centre still takes as many messages into its hands as it has workers.
            if scene.platform.received(Operation::Debit) == 1 {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        scene.centre.go_silent(false);
        let sent = tokio::time::timeout(Duration::from_secs(8), sending).await.unwrap().unwrap();
        assert!(sent.outcome.is_final(), "{policy:?}");
        let entries = scene.centre.books().entries;
        let outcome = entries
            .values()
            .find(|entry| entry.operation == "debit")
            .unwrap()
            .outcome
            .clone();
        assert!(outcome == booked || policy == OnTimeout::Cancel, "{policy:?}: {outcome}");
        let comparison = compare(&scene.centre.books(), &scene.centre.books(), &scene.platform.books());
        assert!(comparison.equal, "{policy:?}: {:?}", comparison.differences);
        scene.stop().await;
    }
}

/// A payout as the bank sends it.
fn payout(serial: u64, fen: i64) -> Payment {
    let mut payout = request(Operation::Credit, serial, 7, fen, None);
    as_bank().address(&mut payout, serial, NOW);
    payout
}

fn follow(operation: Operation, serial: u64, original: &Payment) -> Payment {
    let mut request = Payment::new(operation, Role::Request);
    as_bank().address(&mut request, serial, NOW);
    as_bank().refer(&mut request, original);
    request
}

#[tokio::test]
async fn the_banks_requests_are_answered_from_own_books_once() {
    let scene = scene(6, config(), Habits::default()).await;
    let mut first = payout(1, 500);
    let code = scene.parties.bank.code(Operation::Credit, Role::Request).unwrap();
    first.set_text(Attribute::MessageCode, code);
    let reply = scene.ask(&first, Twist::None).await;
    assert_eq!((reply.role, &reply.outcome), (Role::Reply, &Some(Outcome::Success)));
    assert_eq!(crate::ids::reference_key(&reply), Some(communication_key(&first)));
    let again = scene.ask(&first, Twist::None).await;
    assert_eq!(
        again.text(Attribute::MsgId),
        reply.text(Attribute::MsgId),
        "a repeat gets the stored reply"
    );
    let mut altered = first.clone();
    altered.set_money(Attribute::Amount, codecs::payment::Money::from_fen(501));
    let refused = scene.ask(&altered, Twist::None).await;
    assert!(matches!(refused.outcome, Some(Outcome::Failed { .. })));
    let large = scene.ask(&payout(2, 5_000_001), Twist::None).await;
    assert!(matches!(large.outcome, Some(Outcome::Failed { .. })));
    let told = scene.ask(&follow(Operation::Query, 3, &first), Twist::None).await;
    assert_eq!(told.outcome, Some(Outcome::Success));
    assert_eq!(
        scene.ask(&follow(Operation::Cancel, 4, &first), Twist::None).await.outcome,
        Some(Outcome::Success)
    );
    let mut never_came = payout(5, 500);
    never_came.set_text(Attribute::MessageCode, first.text(Attribute::MessageCode).unwrap());
    assert_eq!(
        scene
            .ask(&follow(Operation::Cancel, 6, &never_came), Twist::None)
            .await
            .outcome,
        Some(Outcome::Success)
    );
    assert!(
        matches!(
            scene.ask(&never_came, Twist::None).await.outcome,
            Some(Outcome::Failed { .. })
        ),
        "the cancel stands"
    );
    let books = scene.centre.books();
    assert_eq!(books.entries.values().filter(|entry| entry.executions > 1).count(), 0);
    assert_eq!(
        books
            .entries
            .values()
            .filter(|entry| entry.operation == "credit" && entry.outcome == "success")
            .count(),
        1
    );
    scene.stop().await;
}

#[tokio::test]
async fn a_bad_signature_of_the_bank_is_counted_and_refused() {
    let scene = scene(7, config(), Habits::default()).await;
    let answer = scene.ask(&payout(1, 500), Twist::BadSignature).await;
    assert!(matches!(answer.outcome, Some(Outcome::Failed { .. })), "{answer:?}");
    assert_eq!(
        (scene.centre.figures().bad_signature, scene.centre.books().entries.len()),
        (1, 0)
    );
    scene.queues.put("nps.centre.B", "", b"not a message".to_vec()).await.unwrap();
    assert_eq!(scene.ask(&payout(2, 500), Twist::None).await.outcome, Some(Outcome::Success));
    assert_eq!(scene.centre.figures().unreadable, 1);
    scene.stop().await;
}

#[tokio::test]
async fn faults_of_the_centre_are_in_its_replies() {
    let scene = scene(8, config(), Habits::default()).await;
    let rule = |fault| CentreRule {
        fault,
        when: When::default(),
    };
    scene.centre.set_faults(vec![rule(CentreFault::Processing(1))]);
    assert_eq!(scene.ask(&payout(1, 500), Twist::None).await.outcome, Some(Outcome::Unknown));
    assert_eq!(scene.answer().await.outcome, Some(Outcome::Success));
    scene.centre.set_faults(vec![rule(CentreFault::Reply(Fault::BadSignature))]);
    let wire = scene
        .parties
        .bank
        .emit("NPS.321.001.01", &payout(2, 500), NOW, &mut world(1).rng())
        .unwrap();
    scene.queues.put("nps.centre.B", "", wire.body).await.unwrap();
    let spoiled = scene.queues.take("nps.B.rsp").await.unwrap();
    assert!(scene.parties.bank.receive(&Wire::queue(spoiled.body), NOW).is_err());
    scene.stop().await;
}

#[tokio::test]
async fn the_settlement_date_and_an_echo_reach_the_bank() {
    let scene = scene(9, config(), Habits::default()).await;
    scene.centre.desk().announce(super::OPEN).await.unwrap();
    let planned = Planned {
        shape: Shape::Plain(Operation::Echo),
        ..chosen(1, 1, Operation::Refund, None)
    };
    let echo = scene.centre.desk().play(&planned).await;
    assert!(echo.as_expected, "{:?}", echo.complaint);
    scene.stop().await;
}
