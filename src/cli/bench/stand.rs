//! Everything that a gateway under measurement needs: keys, queues, journal, and both counterparties in this process.

mod start;

use super::inside::Inside;
use super::process::{self, Memory};
use super::refused;
use super::services::{Child, Guard, get};
use super::settings::{OUTBOUND, REPLIES, REQUESTS, Setting, Transport};
use crate::cli::output::{Exit, Failure};
use crate::cli::parties::{party, world};
use crate::cli::queues::MqQueues;
use hangu::clock::{BEIJING, Clock, Random};
use hangu::config::Config;
use hangu::exchange::Gateway;
use hangu::journal::SharedJournal;
use hangu::mq::SharedMq;
use hangu::shell::{Running, SystemClock, SystemEntropy};
use keys::keyring::Keyring;
use simulators::centre::{CentreConfig, CentreHandle, Desk, OPEN, OnTimeout};
use simulators::platform::PlatformHandle;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// Everything that runs. Fields are dropped in this order: the guard ends the processes last.
pub(super) struct Stand {
    gateways: Gateways,
    centre: CentreHandle,
    platform: PlatformHandle,
    /// Of the first gateway; the others differ in name and ports.
    config: Config,
    keyring: Arc<Keyring>,
    /// Servers by name, with their processes.
    servers: BTreeMap<&'static str, u32>,
    _guard: Guard,
}

enum Gateways {
    /// In this process, on threads apart from the load's.
    Here(Running, SharedJournal),
    Children(Vec<Child>),
}

/// What can be told of the processes at a moment.
pub(super) struct Account {
    /// Processor time so far in microseconds.
    pub(super) cpu_us: BTreeMap<String, u64>,
    pub(super) memory: BTreeMap<String, Memory>,
    pub(super) inside: Inside,
}

impl Account {
    /// Names of gateways begin so.
    pub(super) const GATEWAY: &'static str = "gateway";
}

impl Stand {
    pub(super) async fn set(setting: &Setting, folder: &Path, gateway_on: &Handle) -> Result<Self, Failure> {
        setting.check()?;
        let mut guard = Guard::new(folder)?;
        let keys = folder.join("keys");
        keys::store::generate_demo(&keys, &mut Random(&SystemEntropy)).map_err(|error| refused("keys")(&error))?;
        let (broker, database, servers) = start::services(setting, folder, &mut guard)?;
        for (name, endpoint) in [("rabbitmq", &broker), ("postgres", &database)] {
            if let Some(endpoint) = endpoint {
                write_secret(&folder.join(format!("{name}.password")), &endpoint.password)?;
            }
        }
        let platform = start_platform(&keys).await?;
        let configs = start::configs(
            setting,
            folder,
            broker.as_ref(),
            database.as_ref(),
            &platform.address().to_string(),
        )?;
        let config = configs.first().cloned().ok_or_else(|| refused("bench")(&"no gateway"))?;
        let keyring =
            keys::store::load_for(&config.keys.folder, setting.engine).map_err(|error| Failure::config("keys", error))?;
        let keyring = Arc::new(keyring);
        let (mq, gateways) = match setting.transport {
            Transport::Memory => start::here(config.clone(), keyring.clone(), gateway_on).await?,
            Transport::Rabbitmq => start::children(&configs, folder, &mut guard).await?,
        };
        let centre = start_centre(mq, &keys, setting)?;
        let stand = Self {
            gateways,
            centre,
            platform,
            config,
            keyring,
            servers,
            _guard: guard,
        };
        stand.open_the_day().await?;
        Ok(stand)
    }

    pub(super) fn desk(&self) -> Desk {
        self.centre.desk()
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// The journal, for a look at what was kept.
    pub(super) async fn journal(&self) -> Result<SharedJournal, Failure> {
        match &self.gateways {
            Gateways::Here(_, journal) => Ok(journal.clone()),
            Gateways::Children(_) => {
                let opened = hangu::journal::open::open_read_only(&self.config).await;
                opened.map_err(|error| refused("journal")(&error))
            }
        }
    }

    /// Messages that the platform refused, which none of ours may be.
    pub(super) fn rejected(&self) -> u64 {
        self.platform.rejected()
    }

    /// Asks the operating system and the gateways.
    pub(super) async fn account(&self) -> Result<Account, Failure> {
        let (mut cpu_us, mut memory) = (BTreeMap::new(), BTreeMap::new());
        let failed = |error: &std::io::Error| refused("/proc")(error);
        let ours = process::cpu(LOAD_THREAD).map_err(|error| failed(&error))?;
        let own_memory = process::memory(std::process::id()).map_err(|error| failed(&error))?;
        let inside = match &self.gateways {
            Gateways::Here(running, _) => {
                cpu_us.insert("simulators".to_owned(), ours.named_us);
                cpu_us.insert(Account::GATEWAY.to_owned(), ours.process_us.saturating_sub(ours.named_us));
                memory.insert("gateway and simulators".to_owned(), own_memory);
                of_counters(running.gateway())
            }
            Gateways::Children(children) => {
                cpu_us.insert("simulators".to_owned(), ours.process_us);
                memory.insert("simulators".to_owned(), own_memory);
                for child in children {
                    let used = process::tree_us(child.process).map_err(|error| failed(&error))?;
                    cpu_us.insert(child.name.clone(), used);
                    memory.insert(
                        child.name.clone(),
                        process::memory(child.process).map_err(|error| failed(&error))?,
                    );
                }
                scraped(children).await?
            }
        };
        for (name, root) in &self.servers {
            cpu_us.insert((*name).to_owned(), process::tree_us(*root).map_err(|error| failed(&error))?);
        }
        Ok(Account { cpu_us, memory, inside })
    }

    /// Resident memory of the gateways together; with one in this process, of the whole process.
    pub(super) fn gateways_rss_mib(&self) -> std::io::Result<f64> {
        match &self.gateways {
            Gateways::Here(..) => Ok(process::memory(std::process::id())?.rss_mib),
            Gateways::Children(children) => {
                let each = children.iter().map(|child| Ok(process::memory(child.process)?.rss_mib));
                each.sum()
            }
        }
    }

    pub(super) async fn stop(self) {
        if let Gateways::Here(running, journal) = self.gateways {
            running.stop(Duration::from_secs(5)).await;
            journal.close().await;
        }
        self.centre.stop().await;
        self.platform.stop().await;
    }

    /// The centre announces the settlement date; a moment lets every gateway take it in.
    async fn open_the_day(&self) -> Result<(), Failure> {
        let announced = self.centre.desk().announce(OPEN).await;
        announced.map_err(|refusal| refused("centre")(&format!("{refusal}")))?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

async fn start_platform(keys: &Path) -> Result<PlatformHandle, Failure> {
    let unavailable = |error: &std::io::Error| refused("platform")(error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| unavailable(&error))?;
    let party = party("platform", "platform", &keys.join("platform"))?;
    let platform = simulators::platform::start(listener, party, world(), 1).map_err(|error| unavailable(&error))?;
    platform.keep_no_books();
    Ok(platform)
}

fn start_centre(mq: SharedMq, keys: &Path, setting: &Setting) -> Result<CentreHandle, Failure> {
    let date = SystemClock.now().to_offset(BEIJING).date();
    let config = CentreConfig {
        queue_requests: REQUESTS.to_owned(),
        queue_replies: REPLIES.to_owned(),
        queue_in: OUTBOUND.to_owned(),
        reply_ms: PATIENCE_MS,
        final_ms: PATIENCE_MS,
        on_timeout: OnTimeout::Wait,
        workers: WORKERS,
        keeps_books: false,
        request_bytes_min: usize::try_from(setting.message_bytes).unwrap_or(0),
        ..CentreConfig::new(date)
    };
    let party = party("nps", "centre", &keys.join("centre"))?;
    Ok(simulators::centre::start(Arc::new(MqQueues::new(mq)), party, world(), config))
}

fn of_counters(gateway: &Gateway) -> Inside {
    let mut inside = Inside::default();
    for times in gateway.counters().operations().values() {
        inside.add(&times.inside_us);
    }
    inside
}

async fn scraped(children: &[Child]) -> Result<Inside, Failure> {
    let mut inside = Inside::default();
    for child in children {
        let admin = child.admin.clone();
        let asked = tokio::task::spawn_blocking(move || get(&admin, "/metrics")).await;
        let answered = asked.map_err(|error| refused("metrics")(&error))?;
        let (_, page) = answered.map_err(|error| Failure::new(Exit::Unavailable, &*child.name, error))?;
        inside.add_page(&page);
    }
    Ok(inside)
}

/// A file that only its owner may read.
fn write_secret(path: &PathBuf, secret: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(secret.as_bytes()));
    written.map_err(|error| refused("password")(&error))
}

/// The kernel keeps 15 bytes of a thread's name.
pub(super) const LOAD_THREAD: &str = "bench-load";
/// Whoever waits longer counts as unanswered.
const PATIENCE_MS: u64 = 60_000;
/// Takers of replies; each waits for its acknowledgement.
const WORKERS: usize = 16;
