//! The stage of a demo: queues, keys, gateway, centre and platform in one process, and what is left when it ends.

use super::institutions::{Cast, Company, Performance};
use crate::cli::institutions::Addresses;
use crate::cli::output::{self, Exit, Failure};
use crate::cli::parties::{self, party, world};
use crate::cli::queues::MqQueues;
use hangu::clock::{BEIJING, Clock, Random};
use hangu::config::Config;
use hangu::exchange::Gateway;
use hangu::journal::{Exchange, Parked, Read, SharedJournal, State};
use hangu::mq::memory::MemoryBroker;
use hangu::mq::{Mq, SharedMq};
use hangu::shell::{Running, SystemClock, SystemEntropy};
use hangu::start::{Assembled, Surroundings, assemble};
use simulators::centre::{CentreConfig, CentreHandle, Desk, Figures, OPEN, OnTimeout};
use simulators::institution::direct::Direct;
use simulators::people::ACCOUNTS_MAX;
use simulators::platform::{PlatformClient, PlatformClientConfig, PlatformHandle, SharedLedger};
use simulators::report::Book;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Everything that runs.
pub(crate) struct Stage {
    running: Running,
    journal: SharedJournal,
    centre: CentreHandle,
    platform: PlatformHandle,
    client: PlatformClient,
    company: Company,
    /// For looks at the queues.
    mq: SharedMq,
    /// The whole configuration, with the addresses of this run.
    configuration: String,
}

/// What is left at the end.
pub(crate) struct End {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) parked: Vec<Parked>,
    /// Of the centre and of every institution with a link of its own: whoever is at the other end of a payment.
    pub(crate) centre_book: Book,
    pub(crate) gateway_book: Book,
    pub(crate) platform_book: Book,
    pub(crate) centre: Figures,
    /// Messages of ours that the platform did not accept.
    pub(crate) platform_rejected: u64,
    /// Sum over all accounts of the platform's ledger; double entry keeps it at zero.
    pub(crate) ledger_sum: i128,
    /// Everything in flight finished within the grace period.
    pub(crate) stopped_clean: bool,
    pub(crate) performances: Vec<Performance>,
    /// By link: messages that came, were verified and are in the journal.
    pub(crate) received_by: BTreeMap<String, u64>,
    configuration: String,
}

impl Stage {
    /// The gateway runs on `gateway_on`, everything else on the caller's runtime; a demo has one runtime for both.
    pub(crate) async fn set(folder: &Path, gateway_on: &Handle) -> Result<Self, Failure> {
        keys::store::generate_demo(&folder.join("keys"), &mut Random(&SystemEntropy))
            .map_err(|error| Failure::new(Exit::Unavailable, "keys", error))?;
        let broker = MemoryBroker::default();
        let queues = QUEUES.map(str::to_owned);
        broker
            .mq()
            .declare(&queues)
            .await
            .map_err(|error| Failure::new(Exit::Unavailable, "queues", error))?;
        let cast = Cast::call(&folder.join("keys")).await?;
        let platform = start_platform(folder).await?;
        let bank = platform.address().to_string();
        let configuration = CONFIG.replace("PLATFORM", &bank) + &cast.configuration(&bank)?;
        let starting = gateway_on.spawn(start_gateway(folder.to_owned(), broker.clone(), configuration.clone()));
        let started = starting
            .await
            .map_err(|error| Failure::new(Exit::Unavailable, "gateway", error))?;
        let (running, addresses, journal) = started?;
        let date = SystemClock.now().to_offset(BEIJING).date();
        let config = CentreConfig {
            reply_ms: 30_000,
            final_ms: 60_000,
            on_timeout: OnTimeout::Wait,
            ..CentreConfig::new(date)
        };
        let centre_mq = Arc::new(MqQueues::new(Arc::new(broker.mq())));
        let centre = simulators::centre::start(
            centre_mq,
            party("nps", "centre", &folder.join("keys/centre"))?,
            world(),
            config,
        );
        let client_config = PlatformClientConfig::new(&addresses.url("platform")?, date);
        let keys = folder.join("keys/platform");
        let client = PlatformClient::new(
            client_config,
            party("platform", "platform", &keys)?,
            world(),
            platform.ledger(),
        );
        let stage = Self {
            company: cast.start(&folder.join("keys"), &addresses, &platform.ledger())?,
            running,
            journal,
            centre,
            platform,
            client,
            mq: Arc::new(broker.mq()),
            configuration,
        };
        stage.open_the_day().await?;
        Ok(stage)
    }

    pub(crate) fn desk(&self) -> Desk {
        self.centre.desk()
    }

    pub(crate) fn client(&self) -> PlatformClient {
        self.client.clone()
    }

    pub(crate) fn institution(&self, link: &str) -> Option<Direct> {
        self.company.direct(link)
    }

    pub(crate) fn ledger(&self) -> SharedLedger {
        self.platform.ledger()
    }

    /// The queues and how to look at them.
    pub(crate) fn queues(&self) -> (SharedMq, Vec<String>) {
        (Arc::clone(&self.mq), QUEUES.map(str::to_owned).to_vec())
    }

    /// Lets the institutions with links of their own play.
    pub(crate) async fn play_institutions(&self) -> Result<Vec<Performance>, Failure> {
        self.company.play().await
    }

    /// Waits until nothing is open, stops everything, and collects the books.
    pub(crate) async fn end(self, mut performances: Vec<Performance>) -> Result<End, Failure> {
        self.settle_down().await?;
        let gateway = self.running.gateway().clone();
        let stopped_clean = self.running.stop(Duration::from_secs(10)).await;
        let exchanges = parties::exchanges(&self.journal).await?;
        let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, "journal", error);
        let read = Read::Parked {
            id: None,
            status: None,
            limit: u32::MAX,
        };
        let parked = self
            .journal
            .read(read)
            .await
            .map_err(|error| failed(&error))?
            .parked()
            .map_err(|error| failed(&error))?;
        self.company.end(&mut performances).await;
        let mut centre_book = self.centre.books();
        for performance in &performances {
            let entries = performance.book.entries.iter();
            centre_book
                .entries
                .extend(entries.map(|(key, entry)| (key.clone(), entry.clone())));
        }
        let end = End {
            gateway,
            gateway_book: parties::book(&exchanges),
            received_by: received_by(&self.journal, &exchanges).await?,
            exchanges,
            parked,
            centre_book,
            platform_book: self.platform.books(),
            centre: self.centre.figures(),
            platform_rejected: self.platform.rejected(),
            ledger_sum: simulators::platform::lock(&self.platform.ledger()).sum(),
            stopped_clean,
            performances,
            configuration: self.configuration,
        };
        self.centre.stop().await;
        self.platform.stop().await;
        Ok(end)
    }

    /// The centre announces status and settlement date; before that the bank may start nothing of its own.
    async fn open_the_day(&self) -> Result<(), Failure> {
        let announced = self.centre.desk().announce(OPEN).await;
        announced.map_err(|refusal| Failure::new(Exit::Unavailable, "centre", format!("{refusal}")))?;
        let gateway = self.running.gateway();
        wait_until(Duration::from_secs(10), async || gateway.system().settlement_date.is_some()).await
    }

    async fn settle_down(&self) -> Result<(), Failure> {
        wait_until(Duration::from_mins(1), async || {
            parties::exchanges(&self.journal)
                .await
                .is_ok_and(|all| all.iter().all(|exchange| exchange.state == State::Delivered))
        })
        .await
        // What stays open is shown by the checks.
        .or(Ok(()))
    }
}

impl End {
    /// Writes what commands need to look at the run afterwards.
    pub(crate) fn keep(&self, folder: &Path) -> Result<(), Failure> {
        let write = |name: &str, text: String| {
            let written = std::fs::write(folder.join(name), text);
            written.map_err(|error| Failure::new(Exit::Unavailable, name, error))
        };
        write("hangu.toml", self.configuration.clone())?;
        write("centre.json", output::json(&self.centre_book))?;
        write("gateway.json", output::json(&self.gateway_book))?;
        write("platform.json", output::json(&self.platform_book))
    }
}

/// A folder that is removed at the end, unless it is to be kept.
pub(crate) enum Folder {
    Kept(PathBuf),
    Thrown(PathBuf),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Thrown(path) => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Self::Thrown(path) = self {
            // Nothing is lost if the system's temporary folder is cleaned later instead.
            drop(std::fs::remove_dir_all(path));
        }
    }
}

pub(crate) fn folder(keep: Option<&Path>) -> Result<Folder, Failure> {
    let path = match keep {
        Some(path) => path.to_owned(),
        None => std::env::temp_dir().join(format!("hangu-demo-{}", std::process::id())),
    };
    std::fs::create_dir(&path).map_err(|error| Failure::new(Exit::Usage, path.display().to_string(), error))?;
    Ok(if keep.is_some() {
        Folder::Kept(path)
    } else {
        Folder::Thrown(path)
    })
}

async fn start_platform(folder: &Path) -> Result<PlatformHandle, Failure> {
    let unavailable = |error| Failure::new(Exit::Unavailable, "platform", error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unavailable)?;
    let party = party("platform", "platform", &folder.join("keys/platform"))?;
    let platform = simulators::platform::start(listener, party, world(), ACCOUNTS_MAX).map_err(unavailable)?;
    platform.set_faults(simulators::mix::platform_rules());
    Ok(platform)
}

/// Every message that is in the journal was verified when it came.
async fn received_by(journal: &SharedJournal, exchanges: &[Exchange]) -> Result<BTreeMap<String, u64>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, "journal", error);
    let mut counts = BTreeMap::new();
    for exchange in exchanges {
        let read = journal
            .read(Read::Messages(exchange.id))
            .await
            .map_err(|error| failed(&error))?;
        let messages = read.messages().map_err(|error| failed(&error))?;
        for message in messages.into_iter().filter(|message| message.direction == "received") {
            *counts.entry(message.link).or_default() += 1;
        }
    }
    Ok(counts)
}

async fn start_gateway(
    folder: PathBuf,
    broker: MemoryBroker,
    configuration: String,
) -> Result<(Running, Addresses, SharedJournal), Failure> {
    let mut config = Config::parse(&configuration)?;
    config.journal.file = Some(folder.join("journal.db"));
    let unavailable = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, "journal", error);
    let keyring = keys::store::load(&folder.join("keys/gateway")).map_err(|error| Failure::config("keys", error))?;
    let keyring = Arc::new(config.reusing(keyring));
    let journal = hangu::journal::open::open(&config, keyring.clone())
        .await
        .map_err(|error| unavailable(&error))?;
    let mq: SharedMq = Arc::new(broker.mq());
    let surroundings = Surroundings {
        keyring,
        journal: journal.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        mqs: BTreeMap::from([("centre".to_owned(), mq)]),
    };
    let assembled = assemble(config, surroundings).await?;
    let addresses = Addresses::of(&assembled);
    let Assembled { gateway, queues, https } = assembled;
    let running = Running::start(gateway, queues, https)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok((running, addresses, journal))
}

/// Polls until something holds.
pub(crate) async fn wait_until(limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    while !holds().await {
        if Instant::now() >= end {
            return Err(Failure::new(
                Exit::CheckFailed,
                "demo",
                format!("not settled within {} s", limit.as_secs()),
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

const QUEUES: [&str; 3] = ["nps.B.req", "nps.B.rsp", "nps.centre.B"];

/// The demo's configuration; waits are short so that the timeouts it provokes take no time.
const CONFIG: &str = r#"
instance = "demo"
journal.file = "journal.db"
keys.folder = "keys/gateway"
settle = { query_after_ms = [300, 1000], resend_after_ms = 5000, wait_ms = 2000 }

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
answer_ms = 15000
in_flight_max = 512
mq = { addresses = ["memory"], request_queue = "nps.B.req", reply_queue = "nps.B.rsp", outbound_queue = "nps.centre.B" }

[link.platform]
codec = "platform"
answer_ms = 2000
in_flight_max = 512
http = { base_url = "http://PLATFORM", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
