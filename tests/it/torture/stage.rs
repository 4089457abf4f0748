//! Everything that runs, put together, and brought to rest for a comparison.

use super::account::{Account, Minute};
use super::actors::Actors;
use super::books::{BOOKS, Books, kept};
use super::disk::Disk;
use super::gateway::{Gateway, Surroundings};
use super::links::Links;
use super::party::{Party, figures};
use super::serials::{PLATFORM_SERIAL, Serials};
use super::{LINE_EVERY, Order, say};
use crate::broker::Broker;
use crate::database::{Database, PASSWORD, USER};
use crate::process::{free, hangu_with, holds_within, tails, wait};
use crate::proxy::Proxy;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) struct Stage {
    pub(super) actors: Actors,
    pub(super) links: Links,
    centre: Party,
    platform: Party,
    folder: PathBuf,
    serials: Serials,
    /// Answers that nobody will fetch: their requesters ended with an interrupted minute.
    unclaimed: u64,
}

impl Stage {
    /// Starts everything, with the load off.
    pub(super) fn start(order: &Order, folder: &Path, account: &Account) -> Self {
        let (broker, disk, bank) = (Broker::start(), Disk::open(folder), free());
        let database = order.shares.then(|| database(folder, &disk));
        init(folder, &broker.address(), &bank);
        let count = if order.shares { GATEWAYS } else { 1 };
        let mut links = Links::new(
            count,
            &broker.address(),
            &bank,
            database.as_ref().map(Database::address).as_deref(),
        );
        let gateway = |n: usize| {
            let surroundings = Surroundings {
                broker: &links.broker[n].address(),
                platform: &links.platform[n].address(),
                journal: &journal(&disk, links.database.get(n)),
            };
            Gateway::start(folder, n, &surroundings)
        };
        let gateways = (0..count).map(gateway).collect::<Vec<_>>();
        let serials = Serials::of(order, account);
        let centre = start_centre(order, folder, &serials);
        // The bank may start nothing of its own before the centre has told the settlement date.
        wait(STARTED, "the day is open", || gateways.iter().any(Gateway::knows_the_date));
        let platform = start_platform(order, folder, &serials, &gateways);
        for party in [&centre, &platform] {
            wait(STARTED, "a counterparty listens", || figures(&party.admin).is_some());
        }
        links.parties = [centre.admin.clone(), platform.admin.clone()];
        let actors = Actors {
            gateways,
            broker,
            database,
            disk,
            folder: folder.to_owned(),
            fell: Vec::new(),
        };
        let mut stage = Self {
            actors,
            links,
            centre,
            platform,
            folder: folder.to_owned(),
            serials,
            unclaimed: 0,
        };
        stage.pause();
        stage.unclaimed = stage.left_by_earlier_lives();
        stage
    }

    pub(super) fn resume(&self) {
        self.centre.tell("/resume");
        self.platform.tell("/resume");
    }

    pub(super) fn pause(&self) {
        self.centre.tell("/pause");
        self.platform.tell("/pause");
    }

    /// Waits until no payment is open anywhere; gives how many are left after a long time.
    pub(super) fn settle(&mut self) -> u64 {
        let mut open = u64::MAX;
        let mut next = Instant::now() + LINE_EVERY;
        holds_within(SETTLED, || {
            self.actors.supervise();
            let (played, journal) = (self.played(), self.actors.exchanges(&OPEN));
            open = journal.map_or(u64::MAX, |count| played + count.saturating_sub(self.unclaimed));
            if Instant::now() >= next {
                next += LINE_EVERY;
                let journal = journal.map_or_else(|| "?".to_owned(), |count| count.to_string());
                say(&format!(
                    "torture: settling, open: {played} at the counterparties, {journal} in the journal"
                ));
            }
            open == 0
        });
        open
    }

    /// Compares the three books as they stand.
    pub(super) fn compare(&mut self, left_open: u64, proves: bool) -> Minute {
        let books = Books {
            folder: &self.folder,
            serials: &self.serials,
            centre: &self.centre,
            platform: &self.platform,
            gateway: &self.actors.gateways[0],
        };
        let fell = std::mem::take(&mut self.actors.fell);
        Minute {
            fell,
            ..books.compare(left_open, proves)
        }
    }

    /// Ends everything in good order.
    pub(super) fn end(mut self) {
        self.actors.end();
        self.centre.end();
        self.platform.end();
    }

    /// Payments under way at the counterparties.
    fn played(&self) -> u64 {
        let open = |party: &Party| party.figures()["open"].as_u64().unwrap();
        open(&self.centre) + open(&self.platform)
    }

    /// Lets what an interrupted minute left come to its end, as far as that needs no requester.
    fn left_by_earlier_lives(&mut self) -> u64 {
        wait(SETTLED, "what was left is settled", || {
            self.actors.supervise();
            self.played() == 0 && self.actors.exchanges(&UNSETTLED) == Some(0)
        });
        if self.serials.interrupted.is_empty() {
            return 0;
        }
        self.actors.exchanges(&["answered"]).unwrap_or(0)
    }
}

fn start_centre(order: &Order, folder: &Path, serials: &Serials) -> Party {
    let own = ["--repeat-s", "5", "--copies-max", "3"].map(ToOwned::to_owned);
    let arguments = [&arguments(order, folder, serials, BOOKS[0], 0)[..], &own].concat();
    Party::start(folder, "centre", &arguments)
}

fn start_platform(order: &Order, folder: &Path, serials: &Serials, gateways: &[Gateway]) -> Party {
    let mut arguments = arguments(order, folder, serials, BOOKS[2], PLATFORM_SERIAL);
    for gateway in gateways {
        arguments.extend(["--gateway".to_owned(), format!("http://{}", gateway.listen)]);
    }
    Party::start(folder, "platform", &arguments)
}

/// What both counterparties are told.
fn arguments(order: &Order, folder: &Path, serials: &Serials, book: &str, base: u64) -> Vec<String> {
    // Each life plays payments of its own.
    let seed = order.seed * 1_000 + serials.interrupted.len() as u64;
    let numbers = [
        ("--rate", order.rate),
        ("--seed", seed),
        ("--first-serial", base + serials.first),
    ];
    let mut arguments = ["--patience-s", "900", "--log", "error"].map(ToOwned::to_owned).to_vec();
    for (name, number) in numbers {
        arguments.extend([name.to_owned(), number.to_string()]);
    }
    let book = kept(&folder.join(book));
    assert!(
        serials.interrupted.is_empty() || book.exists(),
        "the books of the last minute"
    );
    if book.exists() {
        arguments.extend(["--carry".to_owned(), book.display().to_string()]);
    }
    arguments
}

/// Writes keys, the configuration that is not a gateway's, and the queues.
fn init(folder: &Path, broker: &str, platform: &str) {
    let pristine = folder.join(PRISTINE);
    if !pristine.exists() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
        command.args(["config", "init", "--dir"]).arg(folder).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "a configuration is written");
        std::fs::rename(folder.join("hangu.toml"), &pristine).unwrap();
    }
    let text = std::fs::read_to_string(pristine).unwrap();
    let text = replaced(&replaced(&text, "127.0.0.1:5672", broker), "127.0.0.1:8200", platform);
    std::fs::write(folder.join("hangu.toml"), text).unwrap();
    declare(folder, "hangu.toml");
}

/// Makes the queues that a configuration names.
pub(super) fn declare(folder: &Path, config: &str) {
    let declared = hangu_with(folder, config, &["mq", "declare"]).stdout(Stdio::null()).status();
    assert!(declared.unwrap().success(), "the queues are declared");
}

/// A database on the journal's disk, with what an earlier run left there.
fn database(folder: &Path, disk: &Disk) -> Database {
    for above in [folder, &disk.place] {
        // The server runs as a user of its own.
        std::fs::set_permissions(above, Permissions::from_mode(0o711)).unwrap();
    }
    let database = Database::start_in(disk.place.join("postgres"));
    if database
        .sql("postgres", "SELECT 1 FROM pg_database WHERE datname = 'hangu'")
        .is_empty()
    {
        database.sql("postgres", "CREATE DATABASE hangu");
    }
    let secret = folder.join("pw");
    std::fs::write(&secret, PASSWORD).unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    database
}

/// The line of a gateway's configuration that says where its journal is.
fn journal(disk: &Disk, database: Option<&Proxy>) -> String {
    database.map_or_else(
        || format!("file = \"{}\"", disk.place.join("hangu.db").display()),
        |proxy| {
            let address = proxy.address();
            format!(
                "postgres = {{ addresses = [\"{address}\"], database = \"hangu\", user = \"{USER}\", password_file = \"pw\" }}"
            )
        },
    )
}

/// Replaces what must be there.
pub(super) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the configuration holds no {from}");
    text.replace(from, to)
}

/// The ends of all logs.
pub(super) fn logs(folder: &Path) -> String {
    tails(folder, &["gateway-1", "gateway-2", "gateway-3", "centre", "platform"])
}

/// Instances that share a database; the embedded journal belongs to one.
const GATEWAYS: usize = 3;
pub(super) const PRISTINE: &str = "pristine.toml";
const OPEN: [&str; 4] = ["accepted", "sent", "unknown", "answered"];
const UNSETTLED: [&str; 3] = ["accepted", "sent", "unknown"];
const STARTED: Duration = Duration::from_mins(1);
const SETTLED: Duration = Duration::from_mins(5);
