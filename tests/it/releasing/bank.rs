//! A gateway in this process between a simulated platform and a queue that the test itself fills, life after life on one
//! journal.

use bytes::Bytes;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use hangu::clock::{BEIJING, Clock, Entropy, millis};
use hangu::config::Config;
use hangu::exchange::{Caller, Gateway};
use hangu::journal::{Exchange, ExchangeId, Park, Parked, Read, Resolution, SharedJournal, Write, Written, open};
use hangu::link::http::HttpCaller;
use hangu::mq::memory::MemoryBroker;
use hangu::mq::{Mq, Publication, Published, SharedMq};
use hangu::record::{parked_digest, seal_wire};
use hangu::shell::{Running, SystemClock, SystemEntropy};
use hangu::start::{Assembled, Surroundings, assemble};
use keys::keyring::Keyring;
use simulators::counterparty::Party;
use simulators::ids::Numbering;
use simulators::institution::{INSTITUTIONS, Order, Sending};
use simulators::people::Person;
use simulators::platform::PlatformHandle;
use simulators::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;

pub(super) const REQUESTS: &str = "nps.B.req";
pub(super) const REPLIES: &str = "nps.B.rsp";
pub(super) const CENTRE: &str = "nps.centre.B";

/// What outlives a gateway.
pub(super) struct Bank {
    folder: TempDir,
    broker: MemoryBroker,
    pub(super) platform: PlatformHandle,
    centre: Party,
    payer: Party,
}

/// One life of the gateway.
pub(super) struct Life {
    pub(super) running: Running,
    pub(super) journal: SharedJournal,
    http: SocketAddr,
}

impl Bank {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        keys::store::generate_demo(&keys, &mut hangu::clock::Random(&SystemEntropy)).unwrap();
        without_the_centres_key(&keys);
        let broker = MemoryBroker::default();
        let queues = [REQUESTS, REPLIES, CENTRE].map(str::to_owned);
        broker.mq().declare(&queues).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = simulators::platform::start(listener, party("platform", &keys, "platform"), world(), 1_000).unwrap();
        Self {
            centre: party("nps", &keys, "centre"),
            payer: party("platform", &keys, "platform"),
            folder,
            broker,
            platform,
        }
    }

    /// The gateway's keys: all of them, or those from before the centre's signing key was imported.
    pub(super) fn keyring(&self, is_imported: bool) -> Arc<Keyring> {
        let folder = if is_imported { "keys/gateway" } else { "keys/before" };
        Arc::new(keys::store::load(&self.folder.path().join(folder)).unwrap())
    }

    pub(super) fn config(&self) -> Config {
        let mut config = Config::parse(&CONFIG.replace("PLATFORM", &self.platform.address().to_string())).unwrap();
        config.journal.file = Some(self.folder.path().join("journal.db"));
        config
    }

    pub(super) async fn live(&self, keyring: Arc<Keyring>) -> Life {
        let config = self.config();
        let journal = open::open(&config, keyring.clone()).await.unwrap();
        let mq: SharedMq = Arc::new(self.broker.mq());
        let surroundings = Surroundings {
            keyring,
            journal: journal.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            mqs: BTreeMap::from([("centre".to_owned(), mq)]),
        };
        let Assembled { gateway, queues, https } = assemble(config, surroundings).await.unwrap();
        let http = https[0].listener.local_addr().unwrap();
        let running = Running::start(gateway, queues, https).await.unwrap();
        Life { running, journal, http }
    }

    /// The journal in no gateway's hands.
    pub(super) async fn journal(&self) -> SharedJournal {
        open::open(&self.config(), self.keyring(true)).await.unwrap()
    }

    /// A debit of one yuan as the centre asks for it, and its bytes.
    pub(super) fn debit(&self, serial: u64) -> (Payment, Bytes) {
        let request = sending().request(Operation::Debit, &order(serial), None, now());
        self.signed(request)
    }

    /// The same debit with another amount, validly signed.
    pub(super) fn altered(&self, request: &Payment) -> Bytes {
        let mut altered = request.clone();
        altered.set_money(Attribute::Amount, Money::from_fen(7));
        self.signed(altered).1
    }

    /// The centre tells settlement date and status.
    pub(super) fn announcement(&self) -> Bytes {
        let mut notice = Payment::new(Operation::Status, Role::Notice);
        sending().address(&mut notice, 900, now());
        notice
            .set_text(Attribute::SystemStatus, "ST01")
            .set_date(Attribute::SystemDate, today());
        self.signed(notice).1
    }

    /// The centre's success for a request of ours.
    pub(super) fn reply_to(&self, request: &Bytes) -> Bytes {
        let request = self.centre.receive(&Wire::queue(request.to_vec()), now()).unwrap();
        let mut reply = sending().reply(&request, Outcome::Success, 901, now());
        reply.role = Role::Reply;
        self.signed(reply).1
    }

    /// A payout that the bank asks for, signed so long ago.
    pub(super) fn payout(&self, serial: u64, ago: time::Duration) -> Wire {
        let mut request = Payment::new(Operation::Credit, Role::Request);
        let mut like = sending().request(Operation::Credit, &order(serial), None, now());
        like.set_text(Attribute::Serial, format!("payout-{serial}"));
        let names: Vec<Attribute> = like.present().map(|(attribute, _)| attribute).collect();
        request.copy(&like, &names);
        request.set_text(Attribute::MessageCode, "credit");
        let code = self.payer.code(Operation::Credit, Role::Request).unwrap();
        self.payer.emit(&code, &request, now() - ago, &mut world().rng()).unwrap()
    }

    fn signed(&self, mut message: Payment) -> (Payment, Bytes) {
        let code = self.centre.code(message.operation, message.role).unwrap();
        message.set_text(Attribute::MessageCode, code.clone());
        let wire = self.centre.emit(&code, &message, now(), &mut world().rng()).unwrap();
        (message, wire.body.into())
    }

    pub(super) async fn post(&self, queue: &str, body: Bytes) {
        let publication = Publication {
            queue: queue.to_owned(),
            message_id: "1".to_owned(),
            correlation_id: None,
            content_type: "application/xml",
            body,
        };
        assert_eq!(self.broker.mq().publish(publication).await, Published::Confirmed);
    }

    /// The next message that the gateway sends to the centre.
    pub(super) async fn sent(&self) -> Bytes {
        let mq = self.broker.mq();
        let mut consumer = mq.consume(CENTRE, 1);
        let next = tokio::time::timeout(LIMIT, consumer.next()).await;
        let delivery = next.expect("a message to the centre in time").unwrap();
        delivery.settle.ack().await;
        delivery.body
    }

    /// Parks a message as if it had been refused so long ago.
    pub(super) async fn park(&self, journal: &SharedJournal, wire: &Wire, from: [&str; 3], ago: time::Duration) -> i64 {
        let [link, source, step] = from.map(str::to_owned);
        let (keyring, at) = (self.keyring(true), now() - ago);
        let park = Park {
            record: seal_wire(&keyring, &SystemEntropy, &link, wire, at).unwrap(),
            digest: parked_digest(&keyring, &wire.body).unwrap(),
            code: "test".to_owned(),
            field: None,
            reason: "refused for the test".to_owned(),
            at: millis(at),
            link,
            source,
            step,
        };
        journal.write(Write::Park(Box::new(park))).await.unwrap().parked().unwrap()
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("journal.db")
    }
}

impl Life {
    pub(super) async fn end(self) {
        assert!(
            self.running.stop(Duration::from_secs(20)).await,
            "everything in flight finished"
        );
        self.journal.close().await;
    }

    pub(super) fn gateway(&self) -> &Arc<Gateway> {
        self.running.gateway()
    }

    pub(super) async fn call(&self, wire: &Wire) -> Wire {
        let caller = HttpCaller::new(&format!("http://{}", self.http));
        caller.call(wire, LIMIT).await.unwrap()
    }

    /// Waits until a parked message has this status.
    pub(super) async fn parked(&self, id: i64, status: &str) -> Parked {
        for _ in 0..LOOKS {
            let found = parked(&self.journal, id).await;
            if found.as_ref().is_some_and(|parked| parked.status == status) {
                return found.unwrap();
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("not {status} in time: {:?}", parked(&self.journal, id).await)
    }

    pub(super) async fn exchange(&self, id: ExchangeId) -> Exchange {
        self.journal
            .read(Read::Exchange(id))
            .await
            .unwrap()
            .exchange()
            .unwrap()
            .unwrap()
    }
}

pub(super) async fn parked(journal: &SharedJournal, id: i64) -> Option<Parked> {
    let read = Read::Parked {
        id: Some(id),
        status: None,
        limit: 1,
    };
    journal.read(read).await.unwrap().parked().unwrap().pop()
}

pub(super) async fn resolve(journal: &SharedJournal, id: i64, to: Resolution) -> Written {
    let write = Write::Resolve {
        id,
        to,
        note: Some("decided by Li".to_owned()),
        at: millis(now()),
    };
    journal.write(write).await.unwrap()
}

/// A copy of the gateway's folder that knows the centre's signing key under another serial only.
fn without_the_centres_key(keys: &Path) {
    let (from, to) = (keys.join("gateway"), keys.join("before"));
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let file = to.join("keyring.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"5000000001\""));
    std::fs::write(file, text.replace("\"5000000001\"", "\"5999999999\"")).unwrap();
}

fn party(codec: &str, keys: &Path, folder: &str) -> Party {
    let specs = Arc::new(codecs::spec::Specs::embedded().unwrap());
    let keyring = Arc::new(keys::store::load(&keys.join(folder)).unwrap());
    Party::new(specs, codec, keyring, folder)
}

fn world() -> World {
    World::new(
        Arc::new(|| SystemClock.now()),
        Arc::new(|bytes: &mut [u8]| SystemEntropy.fill(bytes)),
    )
}

fn sending() -> Sending {
    Sending {
        member: "900584099999".to_owned(),
        application: "NPS".to_owned(),
        counter_member: "402100088888".to_owned(),
        counter_application: "MPS".to_owned(),
        numbering: Numbering {
            mfe: 'B',
            settlement_date: today(),
        },
    }
}

fn order(serial: u64) -> Order {
    Order {
        serial,
        institution: INSTITUTIONS[0],
        person: Person::at(serial),
        amount: Money::from_fen(100),
    }
}

pub(super) fn now() -> OffsetDateTime {
    SystemClock.now()
}

fn today() -> time::Date {
    now().to_offset(BEIJING).date()
}

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;

const CONFIG: &str = r#"
instance = "release"
journal.file = "journal.db"
keys.folder = "keys/gateway"
settle = { query_after_ms = [60000], resend_after_ms = 60000, wait_ms = 500 }

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
answer_ms = 1000
mq = { addresses = ["memory"], request_queue = "nps.B.req", reply_queue = "nps.B.rsp", outbound_queue = "nps.centre.B" }

[link.platform]
codec = "platform"
answer_ms = 5000
http = { base_url = "http://PLATFORM", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
