//! A stand to try gateways on: the simulators of centre and platform over the embedded broker, and any number of instances of
//! the real shell on one journal, all in this process. Time and ports are the machine's own.

#[path = "../../src/cli/queues.rs"]
mod queues;

use codecs::payment::{Operation, Payment};
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::clock::{BEIJING, Clock, Random};
use hangu::config::Config;
use hangu::journal::{Exchange, Read, SharedJournal, State};
use hangu::mq::memory::MemoryBroker;
use hangu::mq::{Mq, Publication, Published, SharedMq};
use hangu::shell::{Running, SystemClock, SystemEntropy};
use hangu::start::{Assembled, Surroundings, assemble};
use keys::sm2::Engine;
use queues::MqQueues;
use simulators::centre::{CentreConfig, CentreHandle};
use simulators::counterparty::Party;
use simulators::fault::When;
use simulators::mix::{Flow, Planned, Shape, chosen};
use simulators::people::Kind;
use simulators::platform::{PlatformClient, PlatformClientConfig, PlatformFault, PlatformHandle, PlatformRule};
use simulators::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) struct Stand {
    pub(crate) folder: TempDir,
    pub(crate) connect: Connect,
    pub(crate) journal: SharedJournal,
    pub(crate) centre: CentreHandle,
    pub(crate) platform: PlatformHandle,
    /// Whose keys the simulators use.
    pub(crate) parties: Parties,
}

pub(crate) struct Parties {
    pub(crate) centre: Party,
    pub(crate) platform: Party,
}

/// Opens a connection to the broker.
type Connect = Box<dyn Fn() -> SharedMq + Send + Sync>;

/// One instance of the gateway.
pub(crate) struct Instance {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// Where each link listens.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
}

impl Stand {
    /// Over a broker of its own in memory.
    pub(crate) async fn set(journal: SharedJournal) -> Self {
        let broker = MemoryBroker::default();
        Self::set_over(Box::new(move || Arc::new(broker.mq())), journal).await
    }

    pub(crate) async fn set_over(connect: Connect, journal: SharedJournal) -> Self {
        let folder = tempfile::tempdir().unwrap();
        keys::store::generate_demo(folder.path(), &mut Random(&SystemEntropy)).unwrap();
        declare(&*connect()).await;
        let centre_config = CentreConfig {
            reply_ms: 30_000,
            ..CentreConfig::new(today())
        };
        let mq = Arc::new(MqQueues::new(connect()));
        let parties = Parties {
            centre: party(folder.path(), "nps", "centre"),
            platform: party(folder.path(), "platform", "platform"),
        };
        let centre = simulators::centre::start(mq, parties.centre.clone(), world(), centre_config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = simulators::platform::start(listener, parties.platform.clone(), world(), ACCOUNTS).unwrap();
        Self {
            folder,
            connect,
            journal,
            centre,
            platform,
            parties,
        }
    }

    /// Starts an instance; `change` has the last word on its configuration.
    pub(crate) async fn start(&self, name: &str, change: impl FnOnce(&mut Config)) -> Instance {
        self.try_start(name, change).await.unwrap()
    }

    pub(crate) async fn try_start(
        &self,
        name: &str,
        change: impl FnOnce(&mut Config),
    ) -> Result<Instance, hangu::exchange::Trouble> {
        let mut config = Config::parse(&self.config()).unwrap();
        config.instance = name.to_owned();
        change(&mut config);
        let folder = self.folder.path().join("gateway");
        let keyring = keys::store::load_with(&folder, Engine::default(), config.keys.devices()).unwrap();
        let queued = config.link.iter().filter(|(_, link)| link.mq.is_some());
        let mqs = queued.map(|(name, _)| (name.clone(), (self.connect)())).collect();
        let surroundings = Surroundings {
            keyring: Arc::new(keyring),
            journal: self.journal.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            mqs,
        };
        let Assembled { gateway, queues, https } = assemble(config, surroundings).await.unwrap();
        let addresses: BTreeMap<String, SocketAddr> = https
            .iter()
            .map(|link| (link.name.clone(), link.listener.local_addr().unwrap()))
            .collect();
        let running = Running::start(gateway, queues, https).await?;
        Ok(Instance {
            running,
            address: addresses["platform"],
            addresses,
        })
    }

    /// What the instances are configured by, as it stands in a file.
    pub(crate) fn config(&self) -> String {
        CONFIG.replace("PLATFORM", &self.platform.address().to_string())
    }

    /// Puts bytes into a queue, as whoever is at its other end would.
    pub(crate) async fn put(&self, queue: &str, body: Vec<u8>) {
        let publication = Publication {
            queue: queue.to_owned(),
            message_id: String::new(),
            correlation_id: None,
            content_type: "application/xml",
            body: body.into(),
        };
        assert_eq!((self.connect)().publish(publication).await, Published::Confirmed);
    }

    /// The centre tells the date; before that the bank may start nothing.
    pub(crate) async fn open_the_day(&self, instances: &[&Instance]) {
        self.centre.desk().announce("ST01").await.unwrap();
        for instance in instances {
            until("the date is known", async || {
                instance.running.gateway().system().settlement_date.is_some()
            })
            .await;
        }
    }

    /// The platform as one who asks an instance.
    pub(crate) fn bank(&self, address: SocketAddr, change: impl FnOnce(&mut PlatformClientConfig)) -> PlatformClient {
        let mut config = PlatformClientConfig::new(&format!("http://{address}"), today());
        change(&mut config);
        let keys = party(self.folder.path(), "platform", "platform");
        PlatformClient::new(config, keys, world(), self.platform.ledger())
    }

    /// The platform answers an operation so much later.
    pub(crate) fn slow_down(&self, operation: Operation, ms: u64) {
        let when = When {
            operation: Some(operation),
            ..When::default()
        };
        let fault = PlatformFault::Delay(ms);
        self.platform.set_faults(vec![PlatformRule { fault, when }]);
    }

    /// The platform does not answer debits of this amount, though it executes them.
    pub(crate) fn hang_on(&self, amount_fen: i64) {
        let when = When {
            operation: Some(Operation::Debit),
            amount_fen: Some(amount_fen),
            nth: None,
        };
        let fault = PlatformFault::Never;
        self.platform.set_faults(vec![PlatformRule { fault, when }]);
    }

    /// A message of a counterparty as it goes over the wire.
    pub(crate) fn emit(&self, codec: &str, code: &str, payment: &Payment) -> Wire {
        let (party, world) = (party(self.folder.path(), codec, codec), world());
        party.emit(code, payment, world.now(), &mut world.rng()).unwrap()
    }

    pub(crate) async fn exchanges(&self) -> Vec<Exchange> {
        let all = Read::Scan {
            after: 0,
            limit: u32::MAX,
        };
        self.journal.read(all).await.unwrap().exchanges().unwrap()
    }

    /// Waits until nothing is open.
    pub(crate) async fn settle_down(&self) {
        until("nothing is open", async || {
            self.exchanges()
                .await
                .iter()
                .all(|exchange| exchange.state == State::Delivered)
        })
        .await;
    }

    /// Every payment that the centre or the bank knows of has one outcome everywhere, and one effect if it succeeded.
    pub(crate) async fn compare(&self) -> usize {
        let exchanges = self.exchanges().await;
        let (centre, platform) = (self.centre.books(), self.platform.books());
        for (key, entry) in &centre.entries {
            let there = platform.entries.get(key);
            let outcome = there.map_or("absent", |entry| entry.outcome.as_str());
            let agrees = outcome == entry.outcome || (outcome == "absent" && entry.outcome == "failed");
            assert!(agrees, "{key}: {} at the centre, {outcome} at the platform", entry.outcome);
            assert!(there.is_none_or(|there| there.executions <= 1), "{key}: executed twice");
        }
        for exchange in &exchanges {
            assert_eq!(exchange.state, State::Delivered, "{exchange:?}");
        }
        centre.entries.len()
    }
}

/// A real broker may not be up yet.
async fn declare(mq: &dyn Mq) {
    until("the queues are declared", async || {
        mq.declare(&QUEUES.map(str::to_owned)).await.is_ok()
    })
    .await;
    mq.close().await;
}

/// Payouts that the bank starts and that must succeed, from a number on.
pub(crate) fn payouts(first: u64) -> impl Iterator<Item = Planned> {
    (first..)
        .map(|n| chosen(1, n, Operation::Credit, None))
        .filter(|planned| planned.person.kind == Kind::Plain)
        .map(|planned| Planned {
            flow: Flow::PlatformToCentre,
            shape: Shape::Plain(Operation::Credit),
            refusal: None,
            ..planned
        })
}

/// Debits that must succeed, from a number on.
pub(crate) fn debits(first: u64) -> impl Iterator<Item = Planned> {
    (first..)
        .map(|n| chosen(1, n, Operation::Debit, None))
        .filter(|planned| planned.refusal.is_none())
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..6_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within a minute: {what}");
}

pub(crate) fn party(folder: &Path, codec: &str, name: &str) -> Party {
    let keyring = keys::store::load(&folder.join(name)).unwrap();
    Party::new(Arc::new(Specs::embedded().unwrap()), codec, Arc::new(keyring), name)
}

pub(crate) fn world() -> World {
    World::new(
        Arc::new(|| SystemClock.now()),
        Arc::new(|bytes: &mut [u8]| hangu::clock::Entropy::fill(&SystemEntropy, bytes)),
    )
}

fn today() -> time::Date {
    SystemClock.now().to_offset(BEIJING).date()
}

const ACCOUNTS: u64 = 1_000_000;
const QUEUES: [&str; 7] = [
    "nps.B.req",
    "nps.B.rsp",
    "nps.centre.B",
    "nobody",
    "hangu.hand-off.one",
    "hangu.hand-off.two",
    "hangu.hand-off.three",
];

const CONFIG: &str = r#"
instance = "one"
journal.file = "journal.db"
keys.folder = "keys"
settle = { query_after_ms = [300, 1000], resend_after_ms = 5000, wait_ms = 2000 }

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
answer_ms = 15000

[link.centre.mq]
addresses = ["memory"]
request_queue = "nps.B.req"
reply_queue = "nps.B.rsp"
outbound_queue = "nps.centre.B"
hand_off_prefix = "hangu.hand-off."

[link.platform]
codec = "platform"
answer_ms = 3000
http = { base_url = "http://PLATFORM", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
