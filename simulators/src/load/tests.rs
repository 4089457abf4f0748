#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Load, Tap, drive, drive_through};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_stall_is_charged_to_all_who_waited() {
    let load = Load {
        rate_per_s: 100,
        concurrency_max: 1,
    };
    let work = |n: u64| async move { tokio::time::sleep(Duration::from_millis(if n == 0 { 1000 } else { 1 })).await };
    let finished = drive((0..50).collect(), load, work, |_| {}).await;
    assert_eq!(finished.len(), 50);
    // The 50th was due at 490 ms and could only start when the first was done.
    assert!(finished[49].latency >= Duration::from_millis(500), "{:?}", finished[49]);
    assert!(finished[49].lag >= Duration::from_millis(500), "{:?}", finished[49]);
}

#[tokio::test(start_paused = true)]
async fn arrivals_keep_their_rate_and_the_bound_holds() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(95)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    let mut ends = 0;
    let finished = drive(
        (0..40).collect::<Vec<_>>(),
        Load {
            rate_per_s: 100,
            concurrency_max: 20,
        },
        work,
        |count| ends = count,
    )
    .await;
    assert!(finished.iter().all(|one| one.lag < Duration::from_millis(5)));
    assert_eq!((finished.len(), ends), (40, 40));
    assert!((9..=20).contains(&most.load(Ordering::SeqCst)));
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_is_always_full_and_charges_nobody_for_the_bound() {
    let load = Load {
        rate_per_s: 0,
        concurrency_max: 10,
    };
    let started = tokio::time::Instant::now();
    let work = |_n: u64| tokio::time::sleep(Duration::from_millis(10));
    let finished = drive((0..100).collect(), load, work, |_| {}).await;
    // Ten rounds of ten milliseconds, each rounded up to the next one by the timer.
    assert!(started.elapsed() <= Duration::from_millis(110), "{:?}", started.elapsed());
    assert!(
        finished
            .iter()
            .all(|one| one.latency <= Duration::from_millis(11) && one.lag.is_zero())
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_tap_holds_arrivals_back_and_no_rush_follows() {
    let load = Load {
        rate_per_s: 10,
        concurrency_max: 100,
    };
    let tap = Tap::default();
    let arrivals = Arc::new(AtomicUsize::new(0));
    let counted = arrivals.clone();
    let work = move |_n: usize| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {}
    };
    let watched = async {
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        tap.open(false);
        // One arrival may have passed the tap and wait for its time.
        tokio::time::sleep(Duration::from_mins(1)).await;
        let before = arrivals.load(Ordering::SeqCst);
        assert!((11..=12).contains(&before), "{before}");
        tap.open(true);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = arrivals.load(Ordering::SeqCst) - before;
        assert!((9..=11).contains(&after), "{after}");
    };
    tokio::select! {
        () = drive_through(&tap, 0.., load, work, |_| {}) => panic!("it has no end"),
        () = watched => {}
    }
}
