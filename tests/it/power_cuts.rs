//! The journal's promise against power cuts and failing disks, on a disk that is simulated below SQLite.
//!
//! Every power cut has a number; a seed and a number give the same cut again. By default the cuts of one short day are
//! made, with a fresh seed. More by command (docs/reliability.md):
//! `HANGU_POWER_CUTS=100000 cargo test --test it power_cuts::nothing -- --nocapture`,
//! with `HANGU_POWER_CUTS_FROM` and `HANGU_POWER_CUTS_SEED` to go on or to repeat.

mod beside;
mod cuts;
mod faults;
mod held;
mod place;
mod script;
mod upgrading;

use cuts::{Cutter, Day, Size};
use powercut::Random;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let run = Run::from_environment();
    println!("power cuts: seed {}", run.seed);
    let (mut first, mut size, mut days) = (0, Size::default(), 0);
    while first < run.numbers.end {
        let day = Day::new(Random::of(run.seed, days).next(), run.batches, None);
        let end = run.numbers.end.min(first + day.cuts());
        run.cut(&day, first, run.numbers.start.max(first)..end);
        size.batches += day.size().batches;
        size.writes += day.size().writes;
        size.syncs += day.size().syncs;
        (first, days) = (first + day.cuts(), days + 1);
        if run.only_one {
            break;
        }
    }
    println!(
        "power cuts: {} made of {days} days with {} batches, {} writes, {} syncs; {} different images; seed {}",
        grouped(run.done.load(Ordering::Relaxed)),
        size.batches,
        size.writes,
        size.syncs,
        grouped(run.distinct.load(Ordering::Relaxed)),
        run.seed
    );
}

/// A disk that lies about its syncs must be found out, or the test above could not fail.
#[test]
fn a_disk_that_lies_is_found_out() {
    let seed = seed();
    println!("seed {seed}");
    for lie in ["-wal", ".db"] {
        let day = Day::new(seed, 25, Some(lie));
        let mut cutter = Cutter::new(&day);
        let lost = |told: &String| told.starts_with(cuts::LOST);
        let told = (0..day.cuts()).find_map(|number| cutter.cut(number).err().filter(lost));
        println!("syncs of *{lie} not done: {told:?}");
        assert!(told.is_some(), "nobody noticed that syncs of *{lie} do nothing, seed {seed}");
    }
}

/// Which cuts to make.
struct Run {
    seed: u64,
    numbers: Range<u64>,
    batches: usize,
    /// All cuts of one day, however many it has.
    only_one: bool,
    done: AtomicU64,
    distinct: AtomicU64,
}

impl Run {
    fn from_environment() -> Self {
        let count = number("HANGU_POWER_CUTS");
        Self {
            seed: seed(),
            numbers: number("HANGU_POWER_CUTS_FROM").unwrap_or(0)..count.unwrap_or(u64::MAX),
            batches: BATCHES,
            only_one: count.is_none(),
            done: AtomicU64::new(0),
            distinct: AtomicU64::new(0),
        }
    }

    /// Makes cuts of one day, in as many threads as there are processors, each taking a piece at a time.
    fn cut(&self, day: &Day, first: u64, numbers: Range<u64>) {
        let next = AtomicU64::new(numbers.start);
        let wrong = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().unwrap().get() {
                scope.spawn(|| {
                    let mut cutter = Cutter::new(day);
                    while wrong.lock().unwrap().is_empty() {
                        let start = next.fetch_add(PIECE, Ordering::Relaxed);
                        if start >= numbers.end {
                            break;
                        }
                        let told = (start..numbers.end.min(start + PIECE)).find_map(|number| {
                            self.say_how_far(number);
                            cutter.cut(number - first).err().map(|told| (number, told))
                        });
                        wrong.lock().unwrap().extend(told);
                    }
                    self.distinct.fetch_add(cutter.distinct, Ordering::Relaxed);
                });
            }
        });
        if let Some((number, told)) = wrong.into_inner().unwrap().into_iter().min() {
            panic!("{}", self.failure(number, &told));
        }
    }

    fn say_how_far(&self, number: u64) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if !self.only_one && number.is_multiple_of(1_000) {
            println!(
                "power cuts: {} of {}, seed {}",
                grouped(number),
                grouped(self.numbers.end),
                self.seed
            );
        }
    }

    fn failure(&self, number: u64, told: &str) -> String {
        let count = if self.only_one {
            String::new()
        } else {
            format!("HANGU_POWER_CUTS={} ", number + 1)
        };
        format!(
            "power cut {number} of seed {}: {told}; again: {count}HANGU_POWER_CUTS_FROM={number} HANGU_POWER_CUTS_SEED={} \
             cargo test --test it power_cuts::nothing -- --nocapture",
            self.seed, self.seed
        )
    }
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    if number < 1_000 {
        return number.to_string();
    }
    format!("{},{:03}", grouped(number / 1_000), number % 1_000)
}

/// Batches of a day.
const BATCHES: usize = 60;

/// Cuts that one thread makes before it takes others.
const PIECE: u64 = 120;

/// A fresh one, or the one to repeat.
fn seed() -> u64 {
    number("HANGU_POWER_CUTS_SEED").unwrap_or_else(|| getrandom::u64().unwrap())
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var_os(name)?.into_string().unwrap();
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}
