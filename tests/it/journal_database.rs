//! The journal's promise against a database that dies, hangs or is cut off: what was answered is there, what was refused is
//! not, and what is unknown is one of both; and nobody waits without end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests fail by panicking, and say what they counted"
)]

mod heard;

use crate::database::Database;
use crate::journal::data::{accept, fresh, key, step};
use crate::proxy::{Fault, Proxy};
use hangu::journal::postgres::{Options, PostgresJournal};
use hangu::journal::{Chain, Journal, JournalError, Read, State, Write, Written};
use heard::{Heard, Load};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const KILLS: u32 = 6;

async fn open(options: &Options) -> Arc<dyn Journal> {
    Arc::new(PostgresJournal::open(options.clone()).await.unwrap())
}

fn through(proxy: &Proxy, options: &Options) -> Options {
    Options {
        addresses: vec![proxy.address()],
        ..options.clone()
    }
}

/// The server dies under load, again and again; the journal connects anew by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_killed_server() {
    let mut seed = getrandom::u64().unwrap() | 1;
    println!("seed of the kill times: {seed}");
    let server = Arc::new(Database::start());
    let options = server.fresh();
    let journal = open(&options).await;
    let load = Load::start(&journal, 24);
    for round in 0..KILLS {
        let before = load.answered.load(Ordering::SeqCst);
        until(|| load.answered.load(Ordering::SeqCst) > before + 20).await;
        sleep(Duration::from_millis(random(&mut seed) % 60)).await;
        let killed = Arc::clone(&server);
        // Every third time it ends in good order, which also throws all connections out.
        let stopped = tokio::task::spawn_blocking(move || if round % 3 == 2 { killed.stop() } else { killed.kill() });
        stopped.await.unwrap();
        let restarted = Arc::clone(&server);
        tokio::task::spawn_blocking(move || restarted.restart()).await.unwrap();
    }
    let before = load.answered.load(Ordering::SeqCst);
    until(|| load.answered.load(Ordering::SeqCst) > before + 20).await;
    let heard = load.stop().await;
    println!("{KILLS} ends of the server: {heard}");
    assert!(heard.refused > 0, "no write met an end: {heard}");
    heard.check(&journal).await;
    heard.check(&open(&options).await).await;
}

/// The first connections are each reset after so many bytes: in the handshake, in the checks, in a transaction, in a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_at_any_byte_is_told_as_what_it_is() {
    let options = crate::database::shared().fresh();
    let direct = open(&options).await;
    let (mut all, mut cut, mut reset) = (Heard::default(), 0, 0);
    for budget in (1..=24).map(|number| number * number * 31) {
        let proxy = Proxy::doomed(&options.addresses[0], 4, budget).await;
        let behind = Options {
            connections: 1,
            ..through(&proxy, &options)
        };
        let journal = loop {
            match PostgresJournal::open(behind.clone()).await {
                Ok(journal) => break Arc::new(journal) as Arc<dyn Journal>,
                Err(JournalError::Refused(_)) if proxy.accepted() <= 4 => cut += 1,
                Err(error) => panic!("after {budget} bytes: {error}"),
            }
        };
        all.join(Load::some(&journal, &format!("byte-{budget}"), 4).await);
        journal.close().await;
        // One to look, two to read, one to write: whatever is above is a connection made anew.
        reset += u32::from(proxy.accepted() > 4);
    }
    all.check(&direct).await;
    println!("{cut} opens were cut, and {reset} journals; {all}");
    assert!(cut > 10 && reset > 10, "{cut} opens were cut, and {reset} journals");
}

/// Cuts under load: a connection that is gone is told at once, and the next one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_loses_nothing() {
    let mut seed = getrandom::u64().unwrap() | 1;
    println!("seed of the cuts: {seed}");
    let options = crate::database::shared().fresh();
    let proxy = Proxy::to(&options.addresses[0]).await;
    let journal = open(&through(&proxy, &options)).await;
    let load = Load::start(&journal, 24);
    for _ in 0..30 {
        let before = load.answered.load(Ordering::SeqCst);
        until(|| load.answered.load(Ordering::SeqCst) > before).await;
        sleep(Duration::from_micros(random(&mut seed) % 30_000)).await;
        proxy.inflict(&Fault::Cut).await;
    }
    let heard = load.stop().await;
    println!("30 cuts: {heard}");
    heard.check(&open(&options).await).await;
}

/// A network that swallows everything: no call waits much longer than its bounds, and new connections go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_in_an_error() {
    for fault in [Fault::Freeze, Fault::HalfOpen] {
        let options = crate::database::shared().fresh();
        let proxy = Proxy::to(&options.addresses[0]).await;
        let mut behind = through(&proxy, &options);
        behind.transaction_ms = 400;
        let journal = open(&behind).await;
        let id = fresh(&*journal, accept("1")).await;
        proxy.inflict(&fault).await;
        let started = Instant::now();
        let write = journal.write(Write::Accept(Box::new(accept("2")))).await;
        // Once over each of the two connections that read.
        let first = journal.read(Read::Exchange(id)).await;
        let read = journal.read(Read::Exchange(id)).await.and(first);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{fault:?}: {:?}",
            started.elapsed()
        );
        assert!(matches!(write, Err(JournalError::Refused(_))), "{fault:?}: {write:?}");
        assert!(matches!(read, Err(JournalError::Refused(_))), "{fault:?}: {read:?}");
        let sent = Write::Move(Box::new(step(id, &[State::Accepted], State::Sent, 2_000)));
        assert_eq!(soon(|| journal.write(sent.clone())).await, Written::Moved);
        let absent = soon(|| journal.read(Read::ByCommunicationKey(key("2")))).await;
        let absent = absent.exchange().unwrap();
        assert_eq!(absent, None, "{fault:?}: what was refused is not there");
    }
}

/// Every process of the server stands still for longer than a transaction may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_server_is_given_up_and_taken_up_again() {
    let server = Database::start();
    let mut options = server.fresh();
    (options.transaction_ms, options.connection_wait_ms) = (500, 300);
    let journal = open(&options).await;
    let load = Load::start(&journal, 16);
    until(|| load.answered.load(Ordering::SeqCst) > 50).await;
    server.pause();
    sleep(Duration::from_millis(700)).await;
    let started = Instant::now();
    let hung = journal.write(Write::Accept(Box::new(accept("hung")))).await;
    assert!(
        hung.is_err() && started.elapsed() < Duration::from_secs(5),
        "{hung:?} after {:?}",
        started.elapsed()
    );
    sleep(Duration::from_millis(500)).await;
    server.resume();
    let before = load.answered.load(Ordering::SeqCst);
    until(|| load.answered.load(Ordering::SeqCst) > before + 50).await;
    let heard = load.stop().await;
    println!("a pause: {heard}");
    assert!(heard.refused + heard.unknown > 0, "{heard}");
    // What was unknown while it hung is decided once its backends have ended.
    sleep(Duration::from_millis(500)).await;
    heard.check(&journal).await;
}

/// A commit that waits for a standby which never answers is unknown, never a success; the server's own limits come later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_its_standby_is_unknown() {
    let server = Database::start();
    let mut options = server.fresh();
    (options.transaction_ms, options.connection_wait_ms) = (300, 20_000);
    let journal = open(&options).await;
    let id = fresh(&*journal, accept("1")).await;
    server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.sql("postgres", "SELECT pg_reload_conf()");
    until(|| server.sql("postgres", "SHOW synchronous_standby_names") == "nobody").await;
    sleep(Duration::from_millis(200)).await;
    let written = journal.write(Write::Accept(Box::new(accept("2")))).await;
    assert!(matches!(written, Err(JournalError::Unknown(_))), "{written:?}");
    let moved = step(id, &[State::Accepted], State::Sent, 2_000);
    let moved = journal.write(Write::Move(Box::new(moved))).await;
    assert!(matches!(moved, Err(JournalError::Unknown(_))), "{moved:?}");
    server.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    server.sql("postgres", "SELECT pg_reload_conf()");
    // The server had committed both on its own disk.
    let known = async {
        loop {
            let found = journal.read(Read::ByCommunicationKey(key("2"))).await;
            if let Ok(found) = found
                && found.exchange().unwrap().is_some()
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), known).await.expect("the commit shows");
    let late = Write::Move(Box::new(step(id, &[State::Accepted], State::Sent, 2_000)));
    let late = soon(|| journal.write(late.clone())).await;
    assert!(matches!(late, Written::Stale(exchange) if exchange.state == State::Sent));
}

/// Slow commits are no failure: they share their wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_commits_are_shared() {
    let server = crate::database::shared();
    let options = server.fresh();
    let slow = "ALTER DATABASE DB SET commit_delay = 50000; ALTER DATABASE DB SET commit_siblings = 0";
    server.sql("postgres", &slow.replace("DB", &options.database));
    let journal = open(&options).await;
    let load = Load::some(&journal, "slow", 64).await;
    assert_eq!((load.refused, load.unknown), (0, 0), "{load}");
    load.check(&journal).await;
}

/// The first address is dead, then the second server is: the one that takes writes is found each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_address_takes_over() {
    let mut options = crate::database::shared().fresh();
    let target = options.addresses.remove(0);
    let (first, second) = (Proxy::to(&target).await, Proxy::to(&target).await);
    options.addresses = vec![first.address(), second.address()];
    let journal = open(&options).await;
    fresh(&*journal, accept("1")).await;
    assert_eq!(second.accepted(), 0);
    first.inflict(&Fault::Cut).await;
    drop(first);
    let moved_on = async {
        let mut number = 2;
        while second.accepted() == 0
            || journal
                .write(Write::Accept(Box::new(accept(&number.to_string()))))
                .await
                .is_err()
        {
            number += 1;
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), moved_on)
        .await
        .expect("the second address is used");
}

/// While there is no server at all, writes are refused in about a second, and close does not wait for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_writes_are_refused_soon() {
    let server = Database::start();
    let options = Options {
        chain: Chain::unkeyed("one"),
        ..server.fresh()
    };
    let journal = open(&options).await;
    fresh(&*journal, accept("1")).await;
    server.stop();
    let started = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..300 {
        let journal = Arc::clone(&journal);
        asked.spawn(async move {
            journal
                .write(Write::Accept(Box::new(accept(&format!("away-{number}")))))
                .await
        });
    }
    for result in asked.join_all().await {
        let Err(JournalError::Refused(reason)) = result else {
            panic!("{result:?}")
        };
        assert!(reason.contains("not reachable") || reason.contains("lost"), "{reason}");
    }
    let read = journal.read(Read::Exchange(1)).await;
    assert!(matches!(read, Err(JournalError::Refused(_))), "{read:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    timeout(Duration::from_secs(5), journal.close()).await.expect("close ends");
}

/// Asks again while it is refused: on a busy machine a new connection may take its time.
async fn soon<T, F: Future<Output = Result<T, JournalError>>>(ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(JournalError::Refused(_)) => sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(Duration::from_mins(1), asking)
        .await
        .expect("it goes on within a minute")
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), waiting)
        .await
        .expect("it goes on within a minute");
}

/// Xorshift: enough to vary when a server dies.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
