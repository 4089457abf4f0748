//! The two lanes of a minute's faults, side by side: processes and disks in one, connections and counterparties in the
//! other. In a lane one fault follows the other, each drawn from the seed.

use super::Order;
use super::account::Account;
use super::actors::Actors;
use super::deck::{BLOWS, Blow, Deck, Kind, STRAINS, Strain};
use super::links::Links;
use super::party::tell;
use super::strike::Strike;
use crate::process::wait;
use crate::proxy::Fault;
use simulators::world::Dice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) struct Lanes {
    until: Instant,
    seed: u64,
    minute: u64,
    /// Only kills, and so many.
    kills: Option<u64>,
    struck: AtomicU64,
    over: AtomicU64,
}

impl Lanes {
    pub(super) fn new(order: &Order, account: &Account, until: Instant) -> Self {
        let killed = account.kills();
        Self {
            until,
            seed: order.seed,
            minute: account.count,
            kills: order.kills.map(|kills| kills.saturating_sub(killed)),
            struck: AtomicU64::new(0),
            over: AtomicU64::new(0),
        }
    }

    /// Faults so far.
    pub(super) fn count(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }

    pub(super) fn are_over(&self) -> bool {
        self.over.load(Ordering::SeqCst) == 2
    }

    pub(super) fn actors(&self, actors: &mut Actors) -> Vec<Strike> {
        let is_possible = |blow: &Blow| {
            let needs_disk = matches!(blow, Blow::DiskFull | Blow::DiskStalled);
            let needs_database = matches!(blow, Blow::DatabaseRestarted | Blow::DatabaseKilled);
            (actors.disk.is_mounted() || !needs_disk) && (actors.database.is_some() || !needs_database)
        };
        let mut deck = if self.kills.is_some() {
            Deck::new([Blow::GatewayKilled])
        } else {
            Deck::new(BLOWS.iter().copied().filter(is_possible))
        };
        self.lane(0, &mut deck, |blow, dice| {
            actors.supervise();
            let strike = Strike::of(blow, || act(blow, actors, dice));
            if self.kills.is_some() {
                wait(READY, "the gateways are ready after a kill", || actors.are_ready());
            }
            strike
        })
    }

    pub(super) fn links(&self, links: &Links) -> Vec<Strike> {
        if self.kills.is_some() {
            self.over.fetch_add(1, Ordering::SeqCst);
            return Vec::new();
        }
        let of_database = [
            Strain::DatabaseLinkCut,
            Strain::DatabaseLinkFrozen,
            Strain::DatabaseLinkHalfOpen,
        ];
        let is_possible = |strain: &Strain| !links.database.is_empty() || !of_database.contains(strain);
        let mut deck = Deck::new(STRAINS.iter().copied().filter(is_possible));
        self.lane(1, &mut deck, |strain, dice| {
            Strike::of(strain, || put_under(strain, links, dice))
        })
    }

    /// Draws and inflicts until the time is over, or enough were killed.
    fn lane<K: Kind>(&self, lane: u64, deck: &mut Deck<K>, mut strike: impl FnMut(K, &mut Dice) -> Strike) -> Vec<Strike> {
        let _over = Over(&self.over);
        let mut dice = Dice::new(self.seed, self.minute * 2 + lane);
        let mut strikes = Vec::new();
        let rest_ms_max = if self.kills.is_some() { 300 } else { 1_500 };
        let is_enough = |count: usize| self.kills.is_some_and(|kills| count as u64 >= kills);
        while Instant::now() < self.until && !is_enough(strikes.len()) {
            pause(&mut dice, 50, rest_ms_max);
            let kind = deck.draw(&mut dice);
            strikes.push(strike(kind, &mut dice));
            self.struck.fetch_add(1, Ordering::SeqCst);
        }
        strikes
    }
}

/// Counts a lane as over however it ends.
struct Over<'a>(&'a AtomicU64);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Does something to a process or a disk, and makes it good again.
fn act(blow: Blow, actors: &mut Actors, dice: &mut Dice) {
    let n = chosen(dice, actors.gateways.len());
    match blow {
        Blow::GatewayKilled => actors.kill(n, || {}),
        Blow::GatewayAway => actors.kill(n, || pause(dice, 1_000, 6_000)),
        Blow::RollingRestart => actors.roll(),
        Blow::GatewayPaused => {
            // One in three outlives its lease.
            let (low, high) = if dice.below(3) == 0 {
                (11_000, 25_000)
            } else {
                (1_000, 4_000)
            };
            actors.pause(n, || pause(dice, low, high));
        }
        Blow::BrokerRestarted => {
            actors.broker.stop();
            pause(dice, 0, 2_000);
            actors.broker.restart();
        }
        Blow::BrokerKilled => {
            actors.broker.kill();
            pause(dice, 0, 2_000);
            actors.broker.restart();
        }
        Blow::DatabaseRestarted | Blow::DatabaseKilled => {
            let Some(database) = &actors.database else { return };
            if blow == Blow::DatabaseKilled {
                database.kill();
            } else {
                database.stop();
            }
            pause(dice, 0, 2_000);
            database.restart();
        }
        Blow::DiskFull => {
            actors.disk.fill();
            pause(dice, 1_000, 4_000);
            actors.disk.free();
            actors.revive_database();
        }
        Blow::DiskStalled => {
            actors.disk.freeze();
            pause(dice, 300, 3_000);
            actors.disk.thaw();
        }
    }
}

/// Harms connections, or lets a counterparty do wrong for a while, and makes it good again.
fn put_under(strain: Strain, links: &Links, dice: &mut Dice) {
    let n = chosen(dice, links.broker.len());
    let [centre, bank] = &links.parties;
    let (broker, platform, database) = (&links.broker[n], &links.platform[n], links.database.get(n));
    let (late_ms, wrong) = (1_500 + dice.below(6_000), WRONG[chosen(dice, WRONG.len())]);
    let awhile = || pause(dice, 1_000, 5_000);
    match strain {
        Strain::BrokerLinkCut => links.inflict(broker, &Fault::Cut),
        Strain::BrokerLinkFrozen => links.suffer(broker, &Fault::Freeze, awhile),
        Strain::BrokerLinkHalfOpen => links.suffer(broker, &Fault::HalfOpen, awhile),
        Strain::DatabaseLinkCut => links.inflict(database.unwrap(), &Fault::Cut),
        Strain::DatabaseLinkFrozen => links.suffer(database.unwrap(), &Fault::Freeze, awhile),
        Strain::DatabaseLinkHalfOpen => links.suffer(database.unwrap(), &Fault::HalfOpen, awhile),
        Strain::PlatformLinkCut => links.inflict(platform, &Fault::Cut),
        Strain::PlatformLinkFrozen => links.suffer(platform, &Fault::Freeze, awhile),
        Strain::PlatformLinkHalfOpen => links.suffer(platform, &Fault::HalfOpen, awhile),
        Strain::PlatformTwice => links.inflict(platform, &Fault::Twice),
        Strain::PlatformLate => misbehave(bank, &format!("{{\"delay\":{late_ms}}}"), awhile),
        Strain::PlatformNever => misbehave(bank, "\"never\"", awhile),
        Strain::PlatformProcessing => misbehave(bank, "\"processing\"", awhile),
        Strain::PlatformWrong => misbehave(bank, wrong, awhile),
        Strain::CentreTwice => misbehave(centre, r#"{"reply":"repeat"}"#, awhile),
        Strain::CentreLate => misbehave(centre, r#"{"reply":"delay"}"#, awhile),
        Strain::CentreNever => misbehave(centre, r#"{"reply":"drop"}"#, awhile),
        Strain::CentreProcessing => misbehave(centre, r#"{"processing":2000}"#, awhile),
    }
}

/// Lets a counterparty do wrong on every second request for a while.
fn misbehave(admin: &str, fault: &str, awhile: impl FnOnce()) {
    tell(admin, "/faults", &format!("[{{\"fault\":{fault},\"when\":{{\"nth\":2}}}}]"));
    awhile();
    tell(admin, "/faults", "[]");
}

fn chosen(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.below(count as u64)).unwrap()
}

fn pause(dice: &mut Dice, low_ms: i64, high_ms: i64) {
    std::thread::sleep(Duration::from_millis(dice.between(low_ms, high_ms).unsigned_abs()));
}

/// Answers of the platform that are none.
const WRONG: [&str; 3] = ["\"status500\"", "\"garbage\"", "\"bad_mac\""];
const READY: Duration = Duration::from_mins(1);
