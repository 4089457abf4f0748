//! Several instances on one journal and one broker: replies handed off, one instance ending while another goes on, and two
//! processes under one name.

use crate::stand::{Instance, Stand, debits, payouts, until};
use hangu::config::Config;
use hangu::exchange::{Life, Phase, Trouble};
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{Read, SharedJournal, State, Write};
use simulators::load::{Load, drive};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_another_instance_received_reaches_its_requester() {
    for is_handed_off in [true, false] {
        let stand = Stand::set(journal()).await;
        let change = |config: &mut Config| {
            let mq = config.link.get_mut("centre").unwrap().mq.as_mut().unwrap();
            mq.hand_off_prefix = mq.hand_off_prefix.take().filter(|_| is_handed_off);
            config.journal.file = None;
        };
        // The first one never gets a reply itself.
        let one = stand
            .start("one", |config| {
                change(config);
                let mq = config.link.get_mut("centre").unwrap().mq.as_mut().unwrap();
                mq.reply_queue = "nobody".to_owned();
            })
            .await;
        let two = stand.start("two", change).await;
        stand.open_the_day(&[&one, &two]).await;
        let bank = stand.bank(one.address, |config| config.attempt_ms = 20_000);
        let (started, payments) = (Instant::now(), 8);
        for planned in payouts(0).take(payments) {
            let played = bank.play(&planned).await;
            assert!(played.as_expected, "{played:?}");
            assert_eq!(played.messages[0].sends, 1, "the first answer was the outcome: {played:?}");
        }
        println!(
            "hand-off {is_handed_off}: {} ms a payout",
            started.elapsed().as_millis() / payments as u128
        );
        let told = two.running.gateway().counters().counts().remove("hand_offs");
        assert_eq!(told.unwrap_or(0), if is_handed_off { payments as u64 } else { 0 });
        stand.settle_down().await;
        stand.compare().await;
        end([one, two]).await;
    }
}

/// What is forged wakes nobody who exists, and who is woken for nothing goes on waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_hand_off_does_no_harm() {
    let stand = Stand::set(journal()).await;
    let one = stand.start("one", |_| {}).await;
    stand.open_the_day(&[&one]).await;
    stand.centre.go_silent(true);
    let bank = stand.bank(one.address, |config| config.attempt_ms = 20_000);
    let planned = payouts(1).next().unwrap();
    let waiting = tokio::spawn(async move { bank.play(&planned).await });
    until("the payout is sent", async || {
        stand.exchanges().await.iter().any(|exchange| exchange.state == State::Sent)
    })
    .await;
    let gateway = one.running.gateway();
    let ids = (0..50).map(|id| id.to_string()).collect::<Vec<_>>().join("\n");
    for body in [
        format!("hangu hand-off 1\n{ids}").into_bytes(),
        vec![b'9'; 100_000],
        vec![0xff; 40],
    ] {
        for _ in 0..5 {
            gateway.take_hand_off(&body);
            tokio::task::yield_now().await;
        }
    }
    stand.centre.go_silent(false);
    let played = waiting.await.unwrap();
    assert!(played.as_expected && played.messages[0].sends == 1, "{played:?}");
    end([one]).await;
}

/// Instances end and begin one after the other under load; nobody's payment fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_payment() {
    let stand = Stand::set(journal()).await;
    let mut one = stand.start("one", |_| {}).await;
    let mut two = stand.start("two", |_| {}).await;
    stand.open_the_day(&[&one, &two]).await;
    let desk = stand.centre.desk();
    let load = Load {
        rate_per_s: 40,
        concurrency_max: 200,
    };
    let play = move |planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    let load = tokio::spawn(drive(debits(1).take(240).collect(), load, play, |_| {}));
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let gateway = one.running.gateway().clone();
        assert!(
            one.running.stop(Duration::from_secs(10)).await,
            "everything in hand was finished"
        );
        assert_eq!(gateway.phase(), Phase::Stopping);
        one = stand.start("one", |_| {}).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(
            two.running.stop(Duration::from_secs(10)).await,
            "everything in hand was finished"
        );
        two = stand.start("two", |_| {}).await;
    }
    let played = load.await.unwrap();
    let failed: Vec<_> = played.iter().filter(|one| !one.result.as_expected).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let slowest = played.iter().map(|one| one.latency).max().unwrap();
    println!(
        "rolling restart: {} payments, slowest {} ms",
        played.len(),
        slowest.as_millis()
    );
    stand.settle_down().await;
    assert_eq!(stand.compare().await, 240);
    end([one, two]).await;
}

/// What an instance gives up at its end is another one's at its next look, and not only when a lease ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_is_taken_over_at_once() {
    let stand = Stand::set(journal()).await;
    let slow = |config: &mut Config| config.link.get_mut("platform").unwrap().answer_ms = 60_000;
    let one = stand.start("one", slow).await;
    let two = stand.start("two", |_| {}).await;
    stand.open_the_day(&[&one, &two]).await;
    assert!(two.running.stop(Duration::from_secs(10)).await);
    let planned = debits(1).next().unwrap();
    stand.hang_on(planned.amount.fen());
    let desk = stand.centre.desk();
    let playing = tokio::spawn(async move { desk.play(&planned).await });
    until("the debit is sent", async || {
        let found = stand.exchanges().await;
        found
            .iter()
            .any(|exchange| exchange.state == State::Sent && exchange.operation == "debit")
    })
    .await;
    assert!(!one.running.stop(Duration::from_millis(100)).await, "the call was cut off");
    let left = stand
        .exchanges()
        .await
        .into_iter()
        .find(|exchange| exchange.operation == "debit");
    assert_eq!(
        left.map(|exchange| (exchange.owner, exchange.lease_until)),
        Some(("one".to_owned(), 0))
    );
    let two = stand.start("two", |_| {}).await;
    let played = playing.await.unwrap();
    assert!(played.as_expected, "{played:?}");
    let settled = stand
        .exchanges()
        .await
        .into_iter()
        .find(|exchange| exchange.operation == "debit");
    assert_eq!(
        settled.map(|exchange| (exchange.owner, exchange.epoch)),
        Some(("two".to_owned(), 2))
    );
    stand.settle_down().await;
    stand.compare().await;
    end([two]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_borne_by_one_process() {
    let stand = Stand::set(journal()).await;
    // A journal in a file is held by a lock; this is about one that is shared.
    let shared = |config: &mut Config| config.journal.file = None;
    let first = stand.start("one", shared).await;
    let second = stand.try_start("one", shared).await;
    assert_eq!(second.err(), Some(Trouble::NameTaken("one".to_owned())));
    // Another name is free, and so is this one as soon as it was given up.
    let other = stand.start("two", shared).await;
    assert!(first.running.stop(Duration::from_secs(5)).await);
    let next = stand.start("one", shared).await;
    end([other, next]).await;
}

/// A process that stood still for longer than its lease finds its name in other hands: it stops, and frees nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_taken_for_dead_ends() {
    let stand = Stand::set(journal()).await;
    let shared = |config: &mut Config| config.journal.file = None;
    let first = stand.start("one", shared).await;
    let gateway = first.running.gateway().clone();
    let life = Life {
        run: "another".to_owned(),
        place: String::new(),
    };
    assert!(
        gateway.claim_name(&life, |_| false).await.unwrap().is_some(),
        "the first one lives"
    );
    let name = || Read::Setting("instance:one".to_owned());
    let held = stand.journal.read(name()).await.unwrap().setting().unwrap();
    let taken = Write::Set {
        name: "instance:one".to_owned(),
        expect: held,
        value: format!("another|{}|", i64::MAX),
        at: 1,
    };
    assert!(stand.journal.write(taken).await.unwrap().stored().unwrap());
    assert_eq!(gateway.renew_leases().await, Err(Trouble::NameTaken("one".to_owned())));
    gateway.displaced().await;
    first.running.stop(Duration::from_secs(5)).await;
    let stands = stand.journal.read(name()).await.unwrap().setting().unwrap();
    assert_eq!(stands, Some(format!("another|{}|", i64::MAX)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_journal_repeats_no_key() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let stand = Stand::set(journal()).await;
        let one = stand.start("one", |_| {}).await;
        let two = stand.start("two", |_| {}).await;
        let id = one.running.gateway().journal_id().await.unwrap().to_owned();
        assert_eq!(two.running.gateway().journal_id().await.unwrap(), id, "one journal, one id");
        assert_eq!((id.len(), id.bytes().all(|byte| byte.is_ascii_hexdigit())), (8, true));
        stand.open_the_day(&[&one]).await;
        let planned = debits(1).next().unwrap();
        assert!(stand.centre.desk().play(&planned).await.as_expected);
        let debit = stand
            .exchanges()
            .await
            .into_iter()
            .find(|exchange| exchange.operation == "debit");
        let key = debit.unwrap().out_key.unwrap();
        assert!(key.contains(&format!("-{id}-x")), "{key}");
        ids.push(id);
        end([one, two]).await;
    }
    assert_ne!(ids[0], ids[1]);
}

fn journal() -> SharedJournal {
    Arc::new(SqliteJournal::memory().unwrap())
}

async fn end<const N: usize>(instances: [Instance; N]) {
    for instance in instances {
        assert!(instance.running.stop(Duration::from_secs(10)).await, "ended in good order");
    }
}
