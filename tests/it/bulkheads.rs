//! One institution hangs and another goes on: what is under way for the first holds its share of a link and no more. The times
//! of the other one are printed with and without the bulkhead; what is judged is that everybody's payments end well.

use crate::stand::{Stand, debits, until};
use codecs::payment::Money;
use hangu::config::Config;
use hangu::journal::State;
use hangu::journal::sqlite::SqliteJournal;
use simulators::institution::INSTITUTIONS;
use simulators::load::{Finished, Load, drive};
use simulators::mix::Planned;
use simulators::play::Played;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_that_hangs_does_not_slow_another() {
    for is_shared_out in [true, false] {
        let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
        let one = stand.start("one", |config| narrow(config, is_shared_out)).await;
        stand.open_the_day(&[&one]).await;
        stand.hang_on(HANGS);
        let alone = play(&stand, quick(1, 100), 50).await;
        let hanging = play(&stand, slow(1_000, 50), 10);
        let beside = play(&stand, quick(2_000, 250), 50);
        let (hanging, beside) = tokio::join!(hanging, beside);
        for finished in [&alone, &hanging, &beside] {
            let wrong: Vec<_> = finished.iter().filter(|one| !one.result.as_expected).collect();
            assert!(wrong.is_empty(), "{wrong:?}");
        }
        println!(
            "bulkhead {is_shared_out}: another institution's p99 is {} ms alone, {} ms beside one that hangs",
            p99(&alone),
            p99(&beside)
        );
        stand.settle_down().await;
        assert_eq!(stand.compare().await, 400);
        assert!(one.running.stop(Duration::from_secs(10)).await);
    }
}

/// A line that is full and does not move sends payments away, as certainly failed; none of them reaches the platform.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_that_stands_still_sends_away() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand
        .start("one", |config| {
            narrow(config, true);
            config.link.get_mut("platform").unwrap().answer_ms = 5_000;
            let bulkhead = &mut config.link.get_mut("platform").unwrap().bulkhead;
            (bulkhead.institution_max, bulkhead.line_max) = (Some(2), 3);
        })
        .await;
    stand.open_the_day(&[&one]).await;
    stand.hang_on(HANGS);
    let finished = play(&stand, slow(1, 12), 1_000).await;
    let of = |outcome: &str| {
        let is = |one: &&Finished<Played>| one.result.messages[0].outcome == outcome;
        finished.iter().filter(is).count()
    };
    println!("{} went through, {} were sent away", of("success"), of("failed"));
    assert_eq!(of("success") + of("failed"), 12);
    assert!(of("success") >= 5, "two places and three in line: {finished:?}");
    for one in finished.iter().filter(|one| one.result.messages[0].outcome == "failed") {
        let message = &one.result.messages[0];
        assert!(message.detail.starts_with("busy"), "{message:?}");
        assert_eq!(stand.platform.executions(&message.end_to_end_id), 0, "{message:?}");
    }
    assert_eq!(
        one.running.gateway().counters().counts().get("shed").copied(),
        Some(of("failed") as u64)
    );
    stand.settle_down().await;
    stand.compare().await;
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

/// What waits in line when an instance ends goes on at the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_line_outlives_its_instance() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand.start("one", |config| narrow(config, true)).await;
    stand.open_the_day(&[&one]).await;
    stand.hang_on(HANGS);
    let playing = play(&stand, slow(1, 20), 1_000);
    let restarted = async {
        until("a line has formed", async || {
            one.running.gateway().lined_up()["platform"] >= 10
        })
        .await;
        assert!(one.running.stop(Duration::from_secs(10)).await, "calls in hand were finished");
        let found = stand.exchanges().await;
        let left = found.iter().filter(|exchange| exchange.state == State::Accepted).count();
        assert!(left >= 10, "{left} are accepted and not begun");
        stand.start("two", |config| narrow(config, true)).await
    };
    let (finished, two) = tokio::join!(playing, restarted);
    assert!(finished.iter().all(|one| one.result.as_expected), "{finished:?}");
    stand.settle_down().await;
    assert_eq!(stand.compare().await, 20);
    assert!(two.running.stop(Duration::from_secs(10)).await);
}

/// A gateway with few places, so that few requests fill it.
fn narrow(config: &mut Config, is_shared_out: bool) {
    for link in config.link.values_mut() {
        link.in_flight_max = 16;
        link.bulkhead.institution_max = Some(if is_shared_out { 8 } else { 16 });
        link.bulkhead.operation_max = Some(16);
    }
    config.link.get_mut("platform").unwrap().answer_ms = 2_000;
}

/// Debits of an institution whose payments the platform does not answer, though it executes them.
fn slow(first: u64, count: usize) -> Vec<Planned> {
    let slow = |planned| Planned {
        institution: INSTITUTIONS[0],
        amount: Money::from_fen(HANGS),
        ..planned
    };
    debits(first).map(slow).take(count).collect()
}

fn quick(first: u64, count: usize) -> Vec<Planned> {
    let quick = |planned| Planned {
        institution: INSTITUTIONS[1],
        ..planned
    };
    debits(first).map(quick).take(count).collect()
}

async fn play(stand: &Stand, planned: Vec<Planned>, rate_per_s: u32) -> Vec<Finished<Played>> {
    let load = Load {
        rate_per_s,
        concurrency_max: 10_000,
    };
    let desk = stand.centre.desk();
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    drive(planned, load, work, |_| {}).await
}

fn p99(finished: &[Finished<Played>]) -> u128 {
    let mut all: Vec<_> = finished.iter().map(|one| one.latency.as_millis()).collect();
    all.sort_unstable();
    all[all.len() * 99 / 100]
}

/// More than any other debit draws.
const HANGS: i64 = 10_001;
