//! The torture: broker, journal, gateways and both counterparties as processes under load, and a seeded schedule of
//! everything that goes wrong in a bank. After each minute the load pauses, what is open is settled, and the three books
//! are compared; so each minute's comparison is exact.
//!
//! `tests/torture` runs it for as long as one likes; the gate runs two minutes of it.

#![expect(
    clippy::disallowed_methods,
    reason = "the test waits for other processes, and reads how long it is to run"
)]

mod account;
mod actors;
mod books;
mod deck;
mod disk;
mod gateway;
mod lanes;
mod links;
mod party;
mod serials;
mod stage;
mod strike;
mod summary;
mod watch;

use account::{Account, Minute};
use lanes::Lanes;
use stage::Stage;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use strike::Strike;
use summary::Summary;
use watch::Watch;

/// Two minutes, unless the environment asks for more (`tests/torture --help`).
#[test]
fn two_minutes() {
    let order = Order::asked();
    let folder = tempfile::tempdir().unwrap();
    let place = order.folder.clone().unwrap_or_else(|| folder.path().to_owned());
    let summary = run(&order, &place);
    say(&summary.text());
    std::fs::write(place.join("summary.json"), summary.json()).unwrap();
    if order.folder.is_some() {
        say(&summary.json());
    } else if summary.holds() {
        assert!(
            summary.faults_total >= FAULTS_MIN,
            "{} faults: {}",
            summary.faults_total,
            summary.json()
        );
    }
    assert!(
        summary.holds(),
        "seed {}: {}\n{}",
        order.seed,
        summary.json(),
        stage::logs(&place)
    );
}

/// What is asked for.
struct Order {
    minutes: u64,
    seed: u64,
    /// Nothing but kills of gateways, so many of them.
    kills: Option<u64>,
    /// Payments that arrive in a second.
    rate: u64,
    /// Several gateways on one database; else one on the embedded journal.
    shares: bool,
    /// Where everything is kept; a temporary folder when absent.
    folder: Option<PathBuf>,
}

impl Order {
    fn asked() -> Self {
        let text = |name: &str| {
            std::env::var(format!("HANGU_TORTURE_{name}"))
                .ok()
                .filter(|text| !text.is_empty())
        };
        let number = |name: &str| text(name).map(|text| text.parse::<u64>().expect("a number"));
        let kills = number("KILLS");
        Self {
            minutes: number("MINUTES").unwrap_or_else(|| if kills.is_some() { u64::MAX } else { 2 }),
            seed: number("SEED").unwrap_or(7),
            kills,
            rate: number("RATE").unwrap_or(40),
            shares: text("JOURNAL").is_none_or(|journal| journal != "sqlite"),
            folder: text("FOLDER").map(PathBuf::from),
        }
    }

    /// The books are compared after every minute. The proof reads the whole journal, which grows: in a long run it comes after
    /// every fifth minute, and after the last.
    fn proves_after(&self, minute: u64) -> bool {
        self.minutes <= 10 || self.kills.is_some() || minute.is_multiple_of(5) || minute >= self.minutes
    }

    fn is_done(&self, account: &Account) -> bool {
        account.count >= self.minutes || self.kills.is_some_and(|kills| account.kills() >= kills)
    }
}

/// Runs minute after minute until all are done, or one does not hold.
fn run(order: &Order, folder: &Path) -> Summary {
    let mut account = Account::read(folder);
    let mut stage = Stage::start(order, folder, &account);
    while !order.is_done(&account) && account.holds() {
        let minute = run_minute(order, &mut stage, &account);
        account.append(folder, minute);
    }
    stage.end();
    Summary::of(order, &account)
}

fn run_minute(order: &Order, stage: &mut Stage, account: &Account) -> Minute {
    let watch = Watch::start(stage.links.parties.clone());
    let lanes = Lanes::new(order, account, Instant::now() + MINUTE);
    stage.resume();
    let loaded = Instant::now();
    let strikes = std::thread::scope(|scope| {
        scope.spawn(|| progress(order, account, &lanes, &watch));
        let links = scope.spawn(|| lanes.links(&stage.links));
        let mut strikes = lanes.actors(&mut stage.actors);
        strikes.extend(links.join().expect("the lane of the links"));
        strikes
    });
    let paused = Instant::now();
    stage.pause();
    let left_open = stage.settle();
    let samples = watch.end();
    let number = account.count + 1;
    let mut minute = stage.compare(left_open, order.proves_after(number));
    minute.number = number;
    minute.outage_ms = samples.outage_ms(loaded, paused);
    minute.recoveries = strikes
        .iter()
        .map(|strike| samples.recovery(strike, paused, order.rate))
        .collect();
    minute.faults = counted(&strikes);
    minute
}

fn counted(strikes: &[Strike]) -> BTreeMap<String, u64> {
    let mut faults = BTreeMap::new();
    for strike in strikes {
        *faults.entry(strike.kind.to_owned()).or_default() += 1;
    }
    faults
}

/// A line every ten seconds, until the minute's faults are over.
fn progress(order: &Order, account: &Account, lanes: &Lanes, watch: &Watch) {
    let mut next = Instant::now();
    while !lanes.are_over() {
        if Instant::now() >= next {
            next += LINE_EVERY;
            let of = order
                .kills
                .map_or_else(|| order.minutes.to_string(), |kills| format!("{kills} kills"));
            say(&format!(
                "torture: minute {} of {of}, seed {}, {} payments, {} faults, lost {}, twice {}",
                account.count + 1,
                order.seed,
                summary::grouped(account.payments.max(account.payments_before + watch.played())),
                account.faults.values().sum::<u64>() + lanes.count(),
                account.lost,
                account.twice,
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// To be seen while the test runs, also where what it prints is captured.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

const MINUTE: Duration = Duration::from_mins(1);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The gate's run has at least so many faults.
const FAULTS_MIN: u64 = 30;
