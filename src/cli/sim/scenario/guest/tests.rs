//! Scenarios about institutions: each fails where nothing is wrong, and the same seed gives the same bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use super::super::stage::{self, Place};
use super::super::{embedded, folder};
use simulators::scenario::conduct::How;
use simulators::scenario::tape::Tape;
use simulators::scenario::{Act, Scenario, Verdict};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// One scenario of every family that plants something wrong, with that taken away: what it expects must be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_what_is_wrong_they_fail() {
    let folder = folder().ok().unwrap();
    stage::make_keys(folder.path(), 1).ok().unwrap();
    let (mut families, mut plays) = (BTreeSet::new(), Vec::new());
    for scenario in about_institutions() {
        let sound = sound(&scenario);
        let is_first = sound != scenario && families.insert(scenario.file_name.clone());
        if !is_first || BY_ORDER_ALONE.contains(&scenario.file_name.as_str()) {
            continue;
        }
        let folder = folder.clone();
        plays.push(tokio::spawn(async move { play(folder.path(), &hasty(sound), 1).await.0 }));
    }
    assert!(plays.len() >= 20, "{}", plays.len());
    let mut held = Vec::new();
    for one in plays {
        let verdict = one.await.unwrap();
        held.extend(verdict.passed.then_some(verdict.name));
    }
    assert!(held.is_empty(), "they hold without what is wrong: {held:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_gives_the_same_bytes() {
    for name in [
        "from-good-epcc-sign",
        "to-notice-alipay-success",
        "to-good-jdpay-debit",
        "pos-bad-signature",
    ] {
        let scenario = about_institutions()
            .into_iter()
            .find(|scenario| scenario.name == name)
            .unwrap();
        let mut runs = Vec::new();
        for seed in [7, 7, 8] {
            let folder = folder().ok().unwrap();
            stage::make_keys(folder.path(), seed).ok().unwrap();
            let (verdict, tape) = play(folder.path(), &scenario, seed).await;
            assert!(verdict.passed, "{name}: {:?}", verdict.failed_step());
            runs.push(sent(&tape));
        }
        assert!(!runs[0].is_empty(), "{name}");
        assert_eq!(runs[0], runs[1], "{name}");
        assert_ne!(runs[0], runs[2], "{name}");
    }
}

/// What the institution sent: as a set, for how often it asks again is up to the time.
fn sent(tape: &Tape) -> BTreeSet<Vec<u8>> {
    let events = tape.events().into_iter().map(|event| event.seen);
    events
        .filter(|seen| seen.party == "institution" && seen.is_sent)
        .map(|seen| seen.body)
        .collect()
}

async fn play(folder: &Path, scenario: &Scenario, seed: u64) -> (Verdict, Arc<Tape>) {
    let place = Place {
        folder,
        name: &scenario.name,
        broker: None,
        between: stage::nothing,
    };
    let tape = Arc::<Tape>::default();
    let verdict = stage::play(place, scenario, seed, tape.clone(), &CancellationToken::new()).await;
    (verdict, tape)
}

fn about_institutions() -> Vec<Scenario> {
    let ours = |scenario: &Scenario| !["nps", "platform"].contains(&scenario.institution.as_str());
    embedded().ok().unwrap().into_iter().filter(ours).collect()
}

/// The same steps, with nothing wrong in what is sent and answered.
fn sound(scenario: &Scenario) -> Scenario {
    let mut sound = scenario.clone();
    for step in &mut sound.steps {
        match &mut step.act {
            Act::Send(send) => (send.fault, send.corrupt) = (None, None),
            Act::Reply(reply) => (reply.how, reply.dies) = (How::Normal, false),
            Act::Expect(_) | Act::Wait { .. } | Act::Announce(_) | Act::Rotate(_) | Act::Books(_) => {}
        }
    }
    sound
}

/// It is known soon that something does not come.
fn hasty(mut scenario: Scenario) -> Scenario {
    for step in &mut scenario.steps {
        if let Act::Expect(expect) = &mut step.act {
            expect.within_ms = expect.within_ms.min(6_000);
        }
    }
    scenario
}

/// These are about the order of things: a late answer, or a message that is not sent, only makes room for it.
const BY_ORDER_ALONE: [&str; 7] = [
    "from-repeat-in-work",
    "pos-cancel-first",
    "pos-cancel-lost",
    "pos-date-change",
    "to-cancel-first",
    "to-late-after-cancel",
    "to-repeat-in-work",
];
