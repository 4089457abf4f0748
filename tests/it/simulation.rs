//! The gateway against a hostile world, by seed: fakes of broker, journal, platform line and clock that lose, repeat, delay and
//! reorder, and crashes at any await. After each run the books of centre, gateway and platform must agree.
//!
//! `HANGU_SIM_SEED=123 cargo test --test it simulation -- --nocapture` tells what happens under one seed;
//! `HANGU_SIM_SEEDS=5000` runs more of them. It says nothing of the broker's and the database's own code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking, and tell what they did"
)]

mod bank;
mod broker;
mod centre;
mod journal;
mod life;
mod oracle;
mod platform;
mod plays;
mod stage;
mod world;

use bank::Bank;
use centre::Centre;
use codecs::spec::Specs;
use hangu::clock::{Random, SeededEntropy};
use journal::FakeJournal;
use keys::keyring::Keyring;
use oracle::End;
use platform::Platform;
use plays::{Cast, PLAYS};
use simulators::counterparty::Party;
use stage::Stage;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use world::{Complaint, Kind, World};

#[test]
fn every_seed_ends_with_equal_books() {
    let seeds: Vec<u64> = match number("HANGU_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("HANGU_SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let talks = seeds.len() == 1;
    if talks {
        hangu::telemetry::init_logs(tracing::Level::DEBUG, false);
    }
    let failed = run_all(&seeds, move |seed| Run {
        seed,
        dies: seed >= SEED_OF_DEATH,
        talks,
        ..Run::default()
    });
    expect_none(&failed, seeds.len());
}

/// The owner of what is under way dies and never returns; the other instance takes everything over, deadlines and queries
/// included, and brings each payment to its one end.
#[test]
fn what_a_dead_instance_left_ends_at_another() {
    let seeds: Vec<u64> = (0..SEEDS_OF_DEATH).map(|seed| SEED_OF_DEATH + seed).collect();
    let failed = run_all(&seeds, |seed| Run {
        seed,
        dies: true,
        ..Run::default()
    });
    expect_none(&failed, seeds.len());
}

fn expect_none(failed: &[(u64, Vec<Complaint>)], count: usize) {
    let mut report = String::new();
    for (seed, complaints) in failed {
        report.push_str(&format!(
            "\nHANGU_SIM_SEED={seed} cargo test --test it simulation -- --nocapture\n"
        ));
        for Complaint { kind, text } in complaints {
            report.push_str(&format!("    {kind:?}: {text}\n"));
        }
    }
    assert!(failed.is_empty(), "{} of {} seeds failed:{report}", failed.len(), count);
}

/// The test of the test: a journal that answers before it is durable loses what was acknowledged, and the oracle sees it.
#[test]
fn acknowledging_before_durable_is_caught() {
    let seeds: Vec<u64> = (0..SEEDS_OF_THE_LIE).collect();
    let failed = run_all(&seeds, |seed| Run {
        seed,
        lies: true,
        ..Run::default()
    });
    let lost = |complaint: &Complaint| complaint.kind == Kind::Lost && complaint.text.contains("no trace");
    let caught = failed.iter().filter(|(_, complaints)| complaints.iter().any(lost)).count();
    assert!(caught > 0, "no seed of {SEEDS_OF_THE_LIE} shows the lost message");
}

#[test]
fn a_seed_repeats_its_run() {
    let run = || {
        Run {
            seed: 5,
            lies: true,
            ..Run::default()
        }
        .play()
    };
    assert_eq!(run(), run());
}

/// One run.
#[derive(Clone, Copy, Default)]
struct Run {
    seed: u64,
    lies: bool,
    /// Of two instances one is gone for good.
    dies: bool,
    talks: bool,
}

impl Run {
    fn play(self) -> Vec<Complaint> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(self.to_the_end())
    }

    async fn to_the_end(self) -> Vec<Complaint> {
        let keys = keys();
        let world = Arc::new(World::new(self.seed, self.talks));
        let journal = Arc::new(FakeJournal::new(world.clone(), self.lies));
        let platform = Platform::new(world.clone(), keys.party("platform", &keys.platform, "platform"));
        let stage = Stage::new(world.clone(), journal, platform, keys.gateway.clone(), keys.specs.clone());
        let stage = Arc::new(stage);
        let centre = Centre::new(world.clone(), stage.broker.clone(), keys.party("nps", &keys.centre, "centre"));
        let bank = Bank::new(stage.clone(), keys.party("platform", &keys.platform, "platform"));
        let cast = Cast {
            world: world.clone(),
            centre: centre.clone(),
            bank: bank.clone(),
        };
        let mut background = JoinSet::new();
        background.spawn(centre.clone().receive());
        let crashes = if self.lies { 4 } else { world.below(5) };
        if self.dies {
            background.spawn(stage.clone().die(0));
            background.spawn(stage.clone().live(1, 0));
        } else {
            background.spawn(stage.clone().live(0, crashes));
        }
        // A journal that lies is one process's own file.
        if !self.lies && !self.dies && world.below(3) == 0 {
            background.spawn(stage.clone().live(1, world.below(3)));
        }
        self.act(&cast, &stage).await;
        End {
            stage: &stage,
            centre: &centre,
            bank: &bank,
        }
        .check();
        if !self.lies {
            oracle::prove(&stage).await;
        }
        background.shutdown().await;
        world.complaints()
    }

    /// Plays while things break, then in peace until nothing is open.
    async fn act(self, cast: &Cast, stage: &Stage) {
        let world = &cast.world;
        cast.centre.announce().await;
        let mut plays = JoinSet::new();
        for place in 0..3 + world.below(4) {
            let play = PLAYS[usize::try_from(world.below(PLAYS.len() as u64)).unwrap()];
            plays.spawn(cast.clone().play(play, place));
        }
        sleep(Duration::from_secs(8) + world.up_to(30_000)).await;
        world.quieten();
        let all = async { while plays.join_next().await.is_some() {} };
        timeout(LIMIT, all).await.ok();
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            if oracle::is_settled(stage) {
                break;
            }
        }
    }
}

/// Runs the seeds on two threads; those that failed, with what was wrong.
fn run_all(seeds: &[u64], run: impl Fn(u64) -> Run + Sync) -> Vec<(u64, Vec<Complaint>)> {
    let work = |seeds: &[u64]| -> Vec<(u64, Vec<Complaint>)> {
        let runs = seeds.iter().map(|&seed| (seed, run(seed).play()));
        runs.filter(|(_, complaints)| !complaints.is_empty()).collect()
    };
    let (left, right) = seeds.split_at(seeds.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(right));
        let mut failed = work(left);
        failed.extend(other.join().unwrap());
        failed
    })
}

/// Throw-away keys of the three parties, made once.
struct Keys {
    specs: Arc<Specs>,
    gateway: Arc<Keyring>,
    centre: Arc<Keyring>,
    platform: Arc<Keyring>,
}

impl Keys {
    fn party(&self, codec: &str, keyring: &Arc<Keyring>, link: &str) -> Party {
        Party::new(self.specs.clone(), codec, keyring.clone(), link)
    }
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        keys::store::generate_demo(folder.path(), &mut Random(&SeededEntropy::new(1))).unwrap();
        let load = |name: &str| Arc::new(keys::store::load(&folder.path().join(Path::new(name))).unwrap());
        Keys {
            specs: Arc::new(Specs::embedded().unwrap()),
            gateway: load("gateway"),
            centre: load("centre"),
            platform: load("platform"),
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often and from where a seed is run is the tester's choice"
)]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// Seeds of the gate.
const SEEDS: u64 = 200;
/// From this seed on an instance is gone for good.
const SEED_OF_DEATH: u64 = 1_000_000;
const SEEDS_OF_DEATH: u64 = 60;
const SEEDS_OF_THE_LIE: u64 = 12;
/// Virtual time after the last fault within which everything must be final.
const LIMIT: Duration = Duration::from_mins(10);
