//! Three gateways over RabbitMQ and PostgreSQL under load, their keys in a guarded store: our signing key and the centre's,
//! sealing keys both ways, the platform's MAC key and the journal's go through all stages by an officer's command and another
//! one's approval. In the middle of each stage a gateway is killed, and the command itself is killed at any moment. No
//! verification fails, nothing is lost, the books are equal, and the journal is proven.

mod parties;
mod vault;

use crate::broker::Broker;
use crate::database::{self, PASSWORD};
use crate::process::{Process, free, get, hangu_with, is_ready, tails, wait};
use crate::stand::{Stand, debits};
use hangu::journal::Read;
use hangu::journal::postgres::{Options, PostgresJournal};
use hangu::mq::SharedMq;
use hangu::mq::amqp::{AmqpConfig, AmqpMq};
use hangu::secret::Password;
use parties::{Counterparties, SHELVES, Shelf};
use serde_json::Value;
use simulators::centre::Desk;
use simulators::play::Played;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Payments a second, where `tests/rotation` asks for no other rate.
const RATE: u32 = 150;
const IN_FLIGHT_MAX: usize = 300;
const NAMES: [&str; 3] = ["one", "two", "three"];
/// Exit code of a command that finds a service away.
const UNAVAILABLE: i32 = 69;
/// For one step of one key.
const STEP: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_rotated_under_load_while_gateways_die() {
    let broker = tokio::task::spawn_blocking(Broker::start).await.unwrap();
    let options = tokio::task::spawn_blocking(|| database::shared().fresh()).await.unwrap();
    let stand = stand(broker.address(), &options).await;
    let mut fleet = Fleet::start(&stand, &broker.address(), &options).await;
    stand.centre.desk().announce("ST01").await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(play_until(done.clone(), stand.centre.desk()));
    tokio::time::sleep(Duration::from_secs(2)).await;

    let counterparties = Counterparties::of(&stand);
    let mut chance = SmallChance(fleet.seed);
    for (n, stage) in ["prepare", "accept", "promote", "drain", "retire"].into_iter().enumerate() {
        let (dies, begun) = (n % NAMES.len(), Instant::now());
        for (nth, shelf) in SHELVES.iter().enumerate() {
            if nth == 2 {
                fleet.kill(dies);
            }
            // In one stage it stays dead until its lease ends, which every step waits for; in the others it is back at once.
            if nth == 2 && stage != "drain" {
                fleet.revive(dies).await;
            }
            counterparties.before(shelf, stage);
            if stage == "prepare" {
                counterparties.announce(shelf, &stand.centre.desk()).await;
            }
            if nth % 2 == 1 {
                fleet.kill_command(shelf, stage, &counterparties, chance.next()).await;
            }
            fleet.step(shelf, stage, &counterparties).await;
            counterparties.after(shelf, stage);
        }
        if stage == "drain" {
            fleet.revive(dies).await;
        }
        println!("{stage}: {} s", begun.elapsed().as_secs());
    }
    fleet.check_page();
    done.store(true, Ordering::Relaxed);
    let played = load.await.unwrap();
    stand.settle_down().await;
    check_played(&stand, &played).await;
    fleet.check_journal();
    for shelf in &SHELVES {
        let report = fleet.step(shelf, "status", &counterparties).await;
        assert_eq!(report["stage"], "prepare", "{report}");
        assert_eq!(report["predecessor"]["serial"], shelf.next, "{report}");
    }
}

/// Simulators and queues on a broker, with every key as yet without a successor.
async fn stand(broker: String, options: &Options) -> Stand {
    let journal = Arc::new(PostgresJournal::open(options.clone()).await.unwrap());
    let connect = move || {
        let config = AmqpConfig {
            addresses: vec![broker.clone()],
            password: Password::new("guest"),
            ..AmqpConfig::default()
        };
        Arc::new(AmqpMq::open(config).unwrap()) as SharedMq
    };
    let stand = Stand::set_over(Box::new(connect), journal).await;
    for party in ["gateway", "centre"] {
        // A demo has one already.
        forget(&stand.folder.path().join(party), "centre-sign-next");
    }
    stand
}

/// Every payment ended as planned, everywhere alike, and no message of anybody was refused.
async fn check_played(stand: &Stand, played: &[Played]) {
    let failed: Vec<_> = played.iter().filter(|one| !one.as_expected).collect();
    let (figures, compared) = (stand.centre.figures(), stand.compare().await);
    let parked = Read::Parked {
        id: None,
        status: None,
        limit: 10,
    };
    let parked = stand.journal.read(parked).await.unwrap().parked().unwrap();
    println!(
        "{} payments, {} failed, {compared} compared, {figures:?}",
        played.len(),
        failed.len()
    );
    let logs = || tails(stand.folder.path(), &NAMES);
    assert!(failed.is_empty(), "{:?}\n{}", &failed[..failed.len().min(3)], logs());
    let refused = (
        figures.bad_signature,
        figures.unreadable,
        stand.platform.rejected(),
        parked.len(),
    );
    assert_eq!(refused, (0, 0, 0, 0), "{parked:?}\n{}", logs());
    assert_eq!(figures.contradicted, 0, "{}", logs());
}

/// Debits at their rate. A machine that cannot keep up plays fewer instead of more at a time.
async fn play_until(done: Arc<AtomicBool>, desk: Desk) -> Vec<Played> {
    let (mut plays, places) = (JoinSet::new(), Arc::new(Semaphore::new(IN_FLIGHT_MAX)));
    let mut beat = tokio::time::interval(Duration::from_secs(1) / asked("HANGU_ROTATION_RATE", RATE));
    for planned in debits(1) {
        beat.tick().await;
        let place = places.clone().acquire_owned().await.unwrap();
        if done.load(Ordering::Relaxed) {
            break;
        }
        let desk = desk.clone();
        plays.spawn(async move {
            let _place = place;
            desk.play(&planned).await
        });
    }
    plays.join_all().await
}

/// The gateways as processes that share one key folder.
struct Fleet {
    folder: PathBuf,
    /// Of the moments at which commands are killed.
    seed: u32,
    /// Of each instance, but for its ports.
    configs: Vec<String>,
    processes: Vec<Option<Process>>,
    admins: Vec<String>,
}

impl Fleet {
    async fn start(stand: &Stand, broker: &str, options: &Options) -> Self {
        let folder = stand.folder.path().to_owned();
        let password = folder.join("pw");
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        vault::found(&folder, &folder.join("gateway"));
        let seed = asked("HANGU_ROTATION_SEED", std::process::id());
        println!("seed {seed}; again by: tests/rotation --seed {seed}");
        let journal = format!(
            "journal.postgres = {{ addresses = [\"{}\"], database = \"{}\", user = \"{}\", password_file = \"pw\" }}",
            options.addresses[0], options.database, options.user
        );
        let configured = |name: &str| {
            stand
                .config()
                .replace(
                    "instance = \"one\"",
                    &format!("instance = \"{name}\"\nadmin.listen = \"ADMIN\""),
                )
                .replace("journal.file = \"journal.db\"", &journal)
                .replace("keys.folder = \"keys\"", VAULT)
                .replace("channel = \"B\"", "channel = \"B\"\nannounce_keys = true")
                .replace("[\"memory\"]", &format!("[\"{broker}\"]"))
                .replace("answer_ms = 3000", "answer_ms = 15000")
                .replace("127.0.0.1:0", "LISTEN")
        };
        let mut fleet = Self {
            folder,
            seed,
            configs: NAMES.map(configured).into(),
            processes: NAMES.map(|_| None).into(),
            admins: NAMES.map(|_| String::new()).into(),
        };
        for n in 0..NAMES.len() {
            fleet.revive(n).await;
        }
        fleet
    }

    fn kill(&mut self, n: usize) {
        self.processes[n].take().unwrap().kill();
    }

    /// Starts a gateway on ports that are free at this moment: while it was dead its own ones may have become anybody's.
    async fn revive(&mut self, n: usize) {
        let end = Instant::now() + STEP;
        loop {
            self.admins[n] = free();
            let text = self.configs[n].replace("ADMIN", &self.admins[n]).replace("LISTEN", &free());
            std::fs::write(self.folder.join(format!("{}.toml", NAMES[n])), text).unwrap();
            let command = hangu_with(&self.folder, &format!("{}.toml", NAMES[n]), &["run"]);
            let mut process = Process::of(command, &self.folder, NAMES[n]);
            while process.exited().is_none() {
                if is_ready(&self.admins[n]) {
                    self.processes[n] = Some(process);
                    return;
                }
                let said = || get(&self.admins[n], "/ready").unwrap_or_default();
                assert!(
                    Instant::now() < end,
                    "{} is not ready: {}\n{}",
                    NAMES[n],
                    said(),
                    tails(&self.folder, &NAMES)
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(
                Instant::now() < end,
                "{} ends again and again\n{}",
                NAMES[n],
                tails(&self.folder, &NAMES)
            );
        }
    }

    /// Takes a step as soon as nothing is waited for any more, and has it approved. A status is only shown.
    async fn step(&mut self, shelf: &Shelf, stage: &str, counterparties: &Counterparties) -> Value {
        let options = options(shelf, stage, counterparties);
        let end = Instant::now() + STEP;
        loop {
            let report = self.rotate(shelf, &options);
            if stage == "status" && !report["stage"].is_null() {
                return report;
            }
            if let Some(number) = proposed(&report)
                && self.approve(&number)
            {
                if stage == "prepare" {
                    counterparties.handed_over(shelf);
                }
                return report;
            }
            assert!(
                Instant::now() < end,
                "{stage} of {shelf:?} waits: {report}\n{}",
                tails(&self.folder, &NAMES)
            );
            self.check_alive();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Ends the command at any moment of it. Whatever it had done by then stands, or nothing does.
    async fn kill_command(&self, shelf: &Shelf, stage: &str, counterparties: &Counterparties, after: Duration) {
        let arguments = arguments(shelf, &options(shelf, stage, counterparties));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = hangu_with(&self.folder, "two.toml", &arguments);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(after).await;
        running.kill().unwrap();
        running.wait().unwrap();
    }

    /// Wang's word; false where the proposal cannot take effect any more, for its instant has come.
    fn approve(&self, number: &str) -> bool {
        let arguments = [
            "key",
            "approve",
            number,
            "--officer-key",
            "wang.officer",
            "--passphrase-file",
            "wang.pass",
        ];
        let done = hangu_with(&self.folder, "one.toml", &arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() || said.contains("the instant"), "{number}: {said}");
        done.status.success()
    }

    /// The chains hold, over two journal keys.
    fn check_journal(&self) {
        let done = hangu_with(&self.folder, "one.toml", &["journal", "verify", "-o", "json"])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        assert!(done.status.success(), "{report}\n{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The operator's command, with whichever gateway's configuration. While the journal does not answer it says just that.
    fn rotate(&self, shelf: &Shelf, options: &[String]) -> Value {
        let arguments = arguments(shelf, options);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = hangu_with(&self.folder, "one.toml", &arguments).output().unwrap();
        let said = if done.status.code() == Some(UNAVAILABLE) {
            &done.stderr
        } else {
            &done.stdout
        };
        let error = String::from_utf8_lossy(&done.stderr);
        serde_json::from_slice(said).unwrap_or_else(|_| panic!("{arguments:?}: {error}"))
    }

    fn check_alive(&mut self) {
        for (name, process) in NAMES.iter().zip(&mut self.processes) {
            let exited = process.as_mut().and_then(Process::exited);
            assert!(exited.is_none(), "{name} ended: {exited:?}\n{}", tails(&self.folder, &NAMES));
        }
    }

    /// One instance tells of all, as soon as each has taken the last change up.
    fn check_page(&self) {
        let told = || -> Value {
            let page = get(&self.admins[0], "/keys").unwrap_or_default();
            let body = page.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            serde_json::from_str(body).unwrap_or_default()
        };
        wait(STEP, "every instance uses one keyring", || {
            let told = told();
            let is_current = |one: &&Value| one["live"] == true && one["version"] == told["version"];
            let instances = told["instances"].as_array();
            instances.is_some_and(|all| all.iter().filter(is_current).count() == NAMES.len())
        });
        let told = told();
        for shelf in &SHELVES {
            let key = told["keys"]
                .as_array()
                .unwrap()
                .iter()
                .find(|key| key["serial"] == shelf.next)
                .unwrap();
            let seen = key["received"].as_u64().unwrap() + key["sent"].as_u64().unwrap();
            assert!(
                seen > 0 && key["status"] == "primary" && key["last_seen"].is_string(),
                "{key}"
            );
        }
    }
}

/// What `hangu key rotate` is asked.
fn arguments(shelf: &Shelf, options: &[String]) -> Vec<String> {
    let fixed = format!(
        "key rotate {} --usage {} --side {} -o json --officer-key li.officer --passphrase-file li.pass",
        shelf.link, shelf.usage, shelf.side
    );
    fixed.split(' ').map(str::to_owned).chain(options.iter().cloned()).collect()
}

fn options(shelf: &Shelf, stage: &str, counterparties: &Counterparties) -> Vec<String> {
    let mut options: Vec<String> = vec![stage.to_owned()];
    options.extend(["--lead-s", "10", "--quiet-s", "3"].map(str::to_owned));
    if stage == "prepare" {
        options.extend(counterparties.prepared(shelf));
    }
    options
}

/// Number of the proposal that a step became, or that an earlier, killed command left.
fn proposed(report: &Value) -> Option<String> {
    if let Some(number) = report["proposal"].as_u64() {
        return Some(number.to_string());
    }
    let waits = report["waits"].as_array()?;
    let wait = waits.iter().find(|wait| wait["for"] == "approval")?;
    let (number, _) = wait["detail"].as_str()?.split_once(',')?;
    Some(number.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "`tests/rotation` asks for another rate or seed by a variable"
)]
fn asked(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect(variable))
}

/// Moments within a command's life, from a seed.
struct SmallChance(u32);

impl SmallChance {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Duration::from_millis(u64::from(self.0 >> 16) % 1_500)
    }
}

/// Beside the load the journal goes under its next key, as fast as the rest leaves room for.
const VAULT: &str = "keys.folder = \"vault\"\nkeys.master.file = \"vault.key\"\njournal.rewrap_per_s = 5000";

pub(super) fn forget(folder: &Path, id: &str) {
    let list = folder.join("keyring.toml");
    let text = std::fs::read_to_string(&list).unwrap();
    let entries: Vec<&str> = text
        .split("[[key]]")
        .filter(|entry| !entry.contains(&format!("id = \"{id}\"")))
        .collect();
    std::fs::write(list, entries.join("[[key]]")).unwrap();
}
