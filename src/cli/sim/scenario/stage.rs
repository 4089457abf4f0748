//! The stage of one scenario: a gateway, a centre and a platform in this process, with a clock and a journal of their own.

use super::guest::Guest;
use super::rotate::Keys;
use super::storm::Storms;
use crate::cli::institutions::{Addresses, Member};
use crate::cli::output::{Exit, Failure};
use crate::cli::parties;
use crate::cli::queues::MqQueues;
use async_trait::async_trait;
use hangu::clock::{Clock, Entropy, Random, SeededEntropy};
use hangu::config::{Config, MqConfig};
use hangu::exchange::Gateway;
use hangu::journal::{SharedJournal, State};
use hangu::mq::SharedMq;
use hangu::mq::memory::MemoryBroker;
use hangu::shell::Running;
use hangu::start::{Assembled, Surroundings, assemble};
use simulators::centre::{CentreConfig, CentreHandle, Desk, OPEN};
use simulators::counterparty::Party;
use simulators::platform::{PlatformClient, PlatformClientConfig, PlatformHandle};
use simulators::report::Book;
use simulators::scenario::rotate::Rotate;
use simulators::scenario::tape::Tape;
use simulators::scenario::{self, Scenario, Verdict};
use simulators::traffic::replay::Replayed;
use simulators::traffic::{self, Line};
use simulators::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The keys of all parties, for every scenario of a run.
pub(in crate::cli::sim) fn make_keys(folder: &Path, seed: u64) -> Result<(), Failure> {
    let entropy = SeededEntropy::new(seed);
    keys::store::generate_demo(&folder.join("keys"), &mut Random(&entropy))
        .map_err(|error| Failure::new(Exit::Unavailable, "keys", error))
}

/// Sets a stage, plays a scenario on it, and takes it down. `tape` sees every message; a run that is stopped says so.
pub(in crate::cli::sim) async fn play(
    place: Place<'_>,
    scenario: &Scenario,
    seed: u64,
    tape: Arc<Tape>,
    stop: &CancellationToken,
) -> Verdict {
    let verdict = match Stage::set(place, &scenario.institution, seed, tape).await {
        Ok(stage) => {
            let verdict = tokio::select! {
                verdict = stage.conduct(scenario, seed) => verdict,
                () = stop.cancelled() => Verdict::new(scenario, seed).unset("stopped"),
            };
            stage.end().await;
            verdict
        }
        Err(failure) => Verdict::new(scenario, seed).unset(format!("{}: {}", failure.place, failure.detail)),
    };
    // The whole folder goes at the end of the run; this only keeps it small meanwhile.
    drop(std::fs::remove_dir_all(place.folder.join(place.name)));
    verdict
}

/// Where a stage lies: the folder with the keys of all, and a name of its own in it.
#[derive(Clone, Copy)]
pub(in crate::cli::sim) struct Place<'a> {
    pub(in crate::cli::sim) folder: &'a Path,
    pub(in crate::cli::sim) name: &'a str,
    /// A real broker instead of the embedded one, with what its queues' names begin with.
    pub(in crate::cli::sim) broker: Option<&'a Broker>,
    /// What stands between the gateway and its queues, given all parties' keys: nothing, but for tests of the checks.
    pub(in crate::cli::sim) between: Between,
}

pub(in crate::cli::sim) type Between = fn(SharedMq, &Path) -> Result<SharedMq, Failure>;

pub(in crate::cli::sim) fn nothing(mq: SharedMq, _keys: &Path) -> Result<SharedMq, Failure> {
    Ok(mq)
}

/// A broker of the tester's.
pub(in crate::cli::sim) struct Broker {
    pub(in crate::cli::sim) config: MqConfig,
    /// So that no two runs share a queue.
    pub(in crate::cli::sim) prefix: String,
}

/// The queue services of one stage: each party connects for itself.
enum Queues {
    Memory(MemoryBroker),
    Amqp(Box<MqConfig>),
}

impl Queues {
    async fn open(place: Place<'_>) -> Result<(Self, [String; 3]), Failure> {
        let (queues, names) = match place.broker {
            None => (Self::Memory(MemoryBroker::default()), QUEUES.map(str::to_owned)),
            Some(broker) => {
                let named = |queue| format!("{}.{}.{queue}", broker.prefix, place.name);
                (Self::Amqp(Box::new(broker.config.clone())), QUEUES.map(named))
            }
        };
        let mq = queues.connected().await?;
        let declared = mq.declare(&names).await;
        declared.map_err(|error| Failure::new(Exit::Unavailable, "queues", error))?;
        mq.close().await;
        Ok((queues, names))
    }

    /// A party says its first word when it is connected: nobody repeats it.
    async fn connected(&self) -> Result<SharedMq, Failure> {
        let mq = self.connect()?;
        let reached = tokio::time::timeout(BROKER_PATIENCE, async {
            while !mq.state().connected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match reached.await {
            Ok(()) => Ok(mq),
            Err(_) => Err(Failure::new(Exit::Unavailable, "queues", "the broker is not reachable")),
        }
    }

    fn connect(&self) -> Result<SharedMq, Failure> {
        match self {
            Self::Memory(broker) => Ok(Arc::new(broker.mq())),
            Self::Amqp(config) => Ok(hangu::start::connect("centre", config)?),
        }
    }
}

pub(in crate::cli::sim) struct Stage {
    running: Running,
    journal: SharedJournal,
    pub(in crate::cli::sim) centre: CentreHandle,
    pub(in crate::cli::sim) platform: PlatformHandle,
    /// The institution that the scenario is about, where it has a link of its own.
    institution: Option<Member>,
    client: PlatformClient,
    pub(in crate::cli::sim) tape: Arc<Tape>,
    world: World,
    keys: Arc<Keys>,
}

impl Stage {
    pub(in crate::cli::sim) async fn set(
        place: Place<'_>,
        institution: &str,
        seed: u64,
        tape: Arc<Tape>,
    ) -> Result<Self, Failure> {
        let Place { folder, name, .. } = place;
        let guest = Guest::invite(institution, folder, seed).await?;
        let own = folder.join(name);
        std::fs::create_dir_all(&own).map_err(|error| Failure::new(Exit::Unavailable, name, error))?;
        let surroundings = Ground {
            clock: Arc::new(RunClock { started: Instant::now() }),
            entropy: Arc::new(SeededEntropy::new(seed)),
        };
        let world = surroundings.world().watched(tape.clone());
        let (keys, (queues, names)) = (guest.keys.clone(), Queues::open(place).await?);
        let parties = Keys {
            shared: keys.clone(),
            own: own.join("keys"),
            centre: parties::party("nps", "centre", &keys.join("centre"))?,
            platform: parties::party("platform", "platform", &keys.join("platform"))?,
            seed,
        };
        let platform = start_platform(parties.platform.clone(), &world).await?;
        let storms = Storms::default();
        let wiring = Wiring {
            mq: storms.over((place.between)(queues.connect()?, &keys)?),
            queues: &names,
            platform: platform.address(),
            guest: guest.links(&platform.address().to_string())?,
        };
        let (running, addresses, journal) = surroundings.start_gateway(&own, &keys, wiring).await?;
        let centre = simulators::centre::start(
            storms.begun_by(MqQueues::new(queues.connected().await?)),
            parties.centre.clone(),
            world.clone(),
            centre_config(names),
        );
        let client_config = PlatformClientConfig {
            pause_ms: 150,
            attempt_ms: 20_000,
            ..PlatformClientConfig::new(&addresses.url("platform")?, FIRST_MOMENT.date())
        };
        let client = PlatformClient::new(client_config, parties.platform.clone(), world.clone(), platform.ledger());
        Ok(Self {
            institution: guest.start(&addresses, &platform.ledger(), world.clone(), (seed, tape.clone()))?,
            running,
            journal,
            centre,
            platform,
            client,
            tape,
            world,
            keys: Arc::new(parties),
        })
    }

    pub(in crate::cli::sim) async fn conduct(&self, scenario: &Scenario, seed: u64) -> Verdict {
        let stage = scenario::Stage {
            centre: &self.centre,
            platform: &self.platform,
            client: &self.client,
            institution: self.institution.as_ref().map(|member| scenario::Institution {
                direct: &member.direct,
                client: member.platform.as_ref(),
            }),
            gateway: &self.view(),
            tape: self.tape.clone(),
            world: self.world.clone(),
            first_day: FIRST_MOMENT.date(),
        };
        scenario::run(scenario, seed, &stage).await
    }

    /// Plays recorded traffic; the platform keeps no books, for what it executes is what was recorded.
    pub(in crate::cli::sim) async fn replay(&self, lines: &[Line], speed: f64) -> Result<Replayed, Failure> {
        self.platform.keep_no_books();
        let announced = self.centre.desk().announce(OPEN).await;
        announced.map_err(|refusal| Failure::new(Exit::Unavailable, "centre", refusal))?;
        let stage = traffic::replay::Stage {
            centre: &self.centre,
            platform: &self.platform,
            client: &self.client,
            world: self.world.clone(),
            day: FIRST_MOMENT.date(),
        };
        Ok(traffic::replay::replay(lines, speed, &stage).await)
    }

    /// The gateway as a run asks it.
    pub(in crate::cli::sim) fn view(&self) -> View {
        View {
            gateway: self.running.gateway().clone(),
            journal: self.journal.clone(),
            keys: self.keys.clone(),
            world: self.world.clone(),
            desk: self.centre.desk(),
        }
    }

    pub(in crate::cli::sim) async fn end(self) {
        self.running.stop(Duration::from_secs(2)).await;
        self.centre.stop().await;
        // A connection that a script holds must not hold up the others' runs.
        if let Some(member) = self.institution {
            drop(tokio::time::timeout(Duration::from_secs(2), member.direct.stop()).await);
        }
        drop(tokio::time::timeout(Duration::from_secs(2), self.platform.stop()).await);
    }
}

/// What the gateway is given by a run.
struct Ground {
    clock: Arc<RunClock>,
    entropy: Arc<SeededEntropy>,
}

impl Ground {
    fn world(&self) -> World {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        World::new(
            Arc::new(move || clock.now()),
            Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes)),
        )
    }

    async fn start_gateway(
        self,
        own: &Path,
        keys: &Path,
        wiring: Wiring<'_>,
    ) -> Result<(Running, Addresses, SharedJournal), Failure> {
        let unavailable = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, "gateway", error);
        let mut config = Config::parse(&wiring.config())?;
        config.journal.file = Some(own.join("journal.db"));
        let keyring = keys::store::load(&keys.join("gateway")).map_err(|error| Failure::config("keys", error))?;
        let keyring = Arc::new(config.reusing(keyring));
        let journal = hangu::journal::open::open(&config, keyring.clone()).await;
        let journal = journal.map_err(|error| unavailable(&error))?;
        let surroundings = Surroundings {
            keyring,
            journal: journal.clone(),
            clock: self.clock,
            entropy: self.entropy,
            mqs: BTreeMap::from([("centre".to_owned(), wiring.mq)]),
        };
        let assembled = assemble(config, surroundings).await?;
        let addresses = Addresses::of(&assembled);
        let Assembled { gateway, queues, https } = assembled;
        let running = Running::start(gateway, queues, https)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok((running, addresses, journal))
    }
}

/// Where the gateway finds its counterparties.
struct Wiring<'a> {
    mq: SharedMq,
    queues: &'a [String; 3],
    platform: SocketAddr,
    /// What it is told of an institution with a link of its own.
    guest: String,
}

impl Wiring<'_> {
    fn config(&self) -> String {
        let named = QUEUES.iter().zip(self.queues);
        let config = CONFIG.replace("PLATFORM", &self.platform.to_string());
        named.fold(config, |config, (plain, own)| {
            config.replace(&format!("\"{plain}\""), &format!("\"{own}\""))
        }) + &self.guest
    }
}

fn centre_config(queues: [String; 3]) -> CentreConfig {
    let [queue_requests, queue_replies, queue_in] = queues;
    CentreConfig {
        queue_requests,
        queue_replies,
        queue_in,
        ..CentreConfig::new(FIRST_MOMENT.date())
    }
}

async fn start_platform(party: Party, world: &World) -> Result<PlatformHandle, Failure> {
    let unavailable = |error| Failure::new(Exit::Unavailable, "platform", error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unavailable)?;
    simulators::platform::start(listener, party, world.clone(), ACCOUNTS).map_err(unavailable)
}

/// A clock that starts at the same moment in every run, so that the same seed gives the same dates and ids.
struct RunClock {
    started: Instant,
}

impl Clock for RunClock {
    fn now(&self) -> OffsetDateTime {
        FIRST_MOMENT + self.started.elapsed()
    }
}

/// The gateway under test, looked into.
pub(in crate::cli::sim) struct View {
    gateway: Arc<Gateway>,
    journal: SharedJournal,
    keys: Arc<Keys>,
    world: World,
    desk: Desk,
}

#[async_trait]
impl scenario::Gateway for View {
    async fn book(&self) -> Result<Book, String> {
        let exchanges = parties::exchanges(&self.journal).await.map_err(|failure| failure.detail)?;
        Ok(parties::book(&exchanges))
    }

    async fn open(&self) -> Result<usize, String> {
        let exchanges = parties::exchanges(&self.journal).await.map_err(|failure| failure.detail)?;
        Ok(exchanges.iter().filter(|exchange| exchange.state != State::Delivered).count())
    }

    async fn rotate(&self, rotate: Rotate) -> Result<(), String> {
        self.keys.rotate(rotate, &self.gateway, &self.desk, self.world.now()).await
    }

    fn refused(&self) -> BTreeMap<String, u64> {
        let counts = self.gateway.counters().rejections();
        counts
            .into_iter()
            .map(|(step, count)| (step.name().to_owned(), count))
            .collect()
    }
}

pub(super) const FIRST_MOMENT: OffsetDateTime = datetime!(2030-01-15 10:00 +8);
const ACCOUNTS: u64 = 1_000_000;
const BROKER_PATIENCE: Duration = Duration::from_secs(10);
/// Requests to the bank, replies to it, and what it sends.
const QUEUES: [&str; 3] = ["nps.B.req", "nps.B.rsp", "nps.centre.B"];

/// Waits are short, so that what a scenario delays takes no time.
const CONFIG: &str = r#"
instance = "sim"
journal.file = "journal.db"
keys.folder = "keys/gateway"
settle = { query_after_ms = [300, 700], resend_after_ms = 1500, wait_ms = 800 }

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
announce_keys = true
answer_ms = 2500
mq = { addresses = ["memory"], request_queue = "nps.B.req", reply_queue = "nps.B.rsp", outbound_queue = "nps.centre.B" }

[link.platform]
codec = "platform"
answer_ms = 2500
http = { base_url = "http://PLATFORM", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
