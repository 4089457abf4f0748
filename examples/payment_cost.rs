//! What a gateway does for a payment beside its journal: debits from a centre to a platform over queues in memory and HTTP, on a
//! journal that keeps nothing. Not a clock: it is to be run under a counter of instructions that tells threads apart, as
//! `docs/performance.md` shows. The gateway has one thread, the counterparties and the queues' other end have another.

use async_trait::async_trait;
use codecs::payment::Operation;
use hangu::clock::{BEIJING, Clock, Entropy, Random};
use hangu::config::Config;
use hangu::journal::{Accepted, Found, Journal, JournalError, Read, Write, Written};
use hangu::mq::memory::MemoryBroker;
use hangu::mq::{Consumer, Mq, Publication, Published, Settle, SharedMq};
use hangu::shell::{Running, SystemClock, SystemEntropy};
use hangu::start::{Assembled, Surroundings, assemble};
use simulators::centre::{CentreConfig, CentreHandle, Desk, OPEN};
use simulators::counterparty::Party;
use simulators::load::{Load, Tap, drive_through};
use simulators::mix::{Planned, chosen};
use simulators::platform::PlatformHandle;
use simulators::queues::{Acknowledge, Queues, Taken};
use simulators::world::World;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, number] = arguments.as_slice() else {
        return Err("payment_cost FOLDER NUMBER".into());
    };
    let (folder, number) = (Path::new(folder), number.parse()?);
    let gateway_on = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("gateway")
        .enable_all()
        .build()?;
    let load_on = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let succeeded = load_on.block_on(played(folder, number, gateway_on.handle()))?;
    writeln!(stdout(), "{succeeded} of {number} debits succeeded")?;
    Ok(())
}

async fn played(folder: &Path, number: u64, gateway_on: &tokio::runtime::Handle) -> Outcome<u64> {
    keys::store::generate_demo(folder, &mut Random(&SystemEntropy))?;
    let platform = platform(folder).await?;
    let broker = MemoryBroker::default();
    broker.mq().declare(&QUEUES.map(str::to_owned)).await?;
    let config = configuration(folder, &platform.address().to_string())?;
    let running = gateway_on
        .spawn(gateway(config, folder.join("gateway"), Arc::new(broker.mq())))
        .await??;
    let centre = centre(folder, Arc::new(broker.mq()))?;
    let desk = centre.desk();
    desk.announce(OPEN).await.map_err(|refusal| refusal.to_string())?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let succeeded = debits(&desk, number).await;
    running.stop(Duration::from_secs(5)).await;
    centre.stop().await;
    platform.stop().await;
    Ok(succeeded)
}

/// Each answered before the next takes its place.
async fn debits(desk: &Desk, number: u64) -> u64 {
    let desk = desk.clone();
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await.as_expected }
    };
    let load = Load {
        rate_per_s: 0,
        concurrency_max: UNDER_WAY,
    };
    let mut succeeded = 0;
    let items = (0..number).filter_map(|n| {
        let drawn = |seed| chosen(seed, n, Operation::Debit, None);
        (1..=SEEDS_MAX).map(drawn).find(|planned| planned.refusal.is_none())
    });
    drive_through(&Tap::default(), items, load, work, |one| succeeded += u64::from(one.result)).await;
    succeeded
}

async fn gateway(config: Config, keys: std::path::PathBuf, mq: SharedMq) -> Outcome<Running> {
    let surroundings = Surroundings {
        keyring: Arc::new(keys::store::load(&keys)?),
        journal: Arc::new(Forgetful::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        mqs: BTreeMap::from([("centre".to_owned(), mq)]),
    };
    let Assembled { gateway, queues, https } = assemble(config, surroundings).await?;
    Ok(Running::start(gateway, queues, https).await?)
}

fn configuration(folder: &Path, platform: &str) -> Outcome<Config> {
    let [requests, replies, outbound] = QUEUES;
    let text = format!(
        r#"instance = "cost"
journal = {{ file = "none.db" }}
keys = {{ folder = "gateway" }}

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
mq = {{ addresses = ["memory"], request_queue = "{requests}", reply_queue = "{replies}", outbound_queue = "{outbound}" }}

[link.platform]
codec = "platform"
http = {{ base_url = "http://{platform}", listen = "127.0.0.1:0" }}

[[route]]
from = "centre"
to = "platform"
"#
    );
    let file = folder.join("hangu.toml");
    std::fs::write(&file, text)?;
    Ok(Config::load(&file)?)
}

async fn platform(folder: &Path) -> Outcome<PlatformHandle> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let started = simulators::platform::start(listener, party("platform", "platform", folder)?, world(), 1)?;
    started.keep_no_books();
    Ok(started)
}

fn centre(folder: &Path, mq: SharedMq) -> Outcome<CentreHandle> {
    let [requests, replies, outbound] = QUEUES.map(str::to_owned);
    let config = CentreConfig {
        queue_requests: requests,
        queue_replies: replies,
        queue_in: outbound,
        workers: UNDER_WAY,
        keeps_books: false,
        ..CentreConfig::new(SystemClock.now().to_offset(BEIJING).date())
    };
    let queues = Arc::new(OverMq {
        mq,
        consumers: Mutex::default(),
    });
    Ok(simulators::centre::start(
        queues,
        party("nps", "centre", folder)?,
        world(),
        config,
    ))
}

fn party(codec: &str, link: &str, folder: &Path) -> Outcome<Party> {
    let (specs, keyring) = (codecs::spec::Specs::embedded()?, keys::store::load(&folder.join(link))?);
    Ok(Party::new(Arc::new(specs), codec, Arc::new(keyring), link))
}

fn world() -> World {
    let fill = |bytes: &mut [u8]| SystemEntropy.fill(bytes);
    World::new(Arc::new(|| SystemClock.now()), Arc::new(fill))
}

/// The centre's end of the queues.
struct OverMq {
    mq: SharedMq,
    consumers: Mutex<BTreeMap<String, Shared>>,
}

type Shared = Arc<tokio::sync::Mutex<Box<dyn Consumer>>>;

#[async_trait]
impl Queues for OverMq {
    async fn put(&self, queue: &str, message_id: &str, body: Vec<u8>) -> Result<(), String> {
        let publication = Publication {
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            correlation_id: None,
            content_type: "application/xml",
            body: body.into(),
        };
        match self.mq.publish(publication).await {
            Published::Confirmed => Ok(()),
            Published::Refused(reason) | Published::Unknown(reason) => Err(reason),
        }
    }

    async fn take(&self, queue: &str) -> Option<Taken> {
        let consumer = {
            let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
            let opened = || Arc::new(tokio::sync::Mutex::new(self.mq.consume(queue, PREFETCH)));
            consumers.entry(queue.to_owned()).or_insert_with(opened).clone()
        };
        let delivery = consumer.lock().await.next().await?;
        Some(Taken::new(delivery.body.to_vec(), Box::new(Ticket(delivery.settle))))
    }
}

struct Ticket(Box<dyn Settle>);

#[async_trait]
impl Acknowledge for Ticket {
    async fn acknowledge(self: Box<Self>) {
        self.0.ack().await;
    }
}

/// Says yes to every new payment and every move, and keeps nothing but settings and counts.
#[derive(Default)]
struct Forgetful {
    exchanges: AtomicI64,
    serials: AtomicU64,
    settings: Mutex<BTreeMap<String, String>>,
}

#[async_trait]
impl Journal for Forgetful {
    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        match write {
            Write::Accept(_) => {
                let id = self.exchanges.fetch_add(1, Ordering::Relaxed) + 1;
                Ok(Written::Accepted(Box::new(Accepted::New { id, original: None })))
            }
            Write::Move(_) => Ok(Written::Moved),
            Write::Reserve { count, .. } => Ok(Written::Reserved(
                self.serials.fetch_add(u64::from(count), Ordering::Relaxed) + 1,
            )),
            Write::Set { name, value, .. } => {
                self.settings
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(name, value);
                Ok(Written::Stored)
            }
            Write::Renew { .. } | Write::Release { .. } => Ok(Written::Stored),
            Write::TakeOver { .. } => Ok(Written::Taken(Vec::new())),
            Write::Prune { .. } => Ok(Written::Pruned(0)),
            Write::Reply { .. } | Write::Park(_) | Write::Resolve { .. } | Write::Rewrap(_) => {
                Err(JournalError::Refused("not a debit that succeeds".to_owned()))
            }
        }
    }

    async fn read(&self, read: Read) -> Result<Found, JournalError> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Read::Setting(name) = &read {
            return Ok(Found::Setting(settings.get(name).cloned()));
        }
        if let Read::Settings(prefix) = &read {
            let named = settings.iter().filter(|(name, _)| name.starts_with(prefix));
            return Ok(Found::Settings(
                named.map(|(name, value)| (name.clone(), value.clone())).collect(),
            ));
        }
        if matches!(read, Read::Due { .. }) {
            return Ok(Found::Exchanges(Vec::new()));
        }
        if matches!(read, Read::Parked { .. }) {
            return Ok(Found::Parked(Vec::new()));
        }
        Err(JournalError::Refused("nothing is kept that could be read".to_owned()))
    }

    async fn close(&self) {}
}

const QUEUES: [&str; 3] = ["cost.request", "cost.reply", "cost.outbound"];
/// Payments under way at a time.
const UNDER_WAY: usize = 16;
const PREFETCH: u16 = 64;
/// Most customers pay: one is found long before.
const SEEDS_MAX: u64 = 10_000;
