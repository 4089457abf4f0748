//! The gateway under test, life after life on one journal and one broker; a small copy of `hangu::shell` whose tasks all end at
//! a crash.

use super::broker::{Broker, CENTRE, REPLIES, REQUESTS};
use super::journal::FakeJournal;
use super::platform::Platform;
use super::world::{World, lock};
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::config::Config;
use hangu::exchange::{Gateway, HttpAnswer, LinkParts, Parts, Transport};
use hangu::limits;
use hangu::mq::Mq;
use keys::keyring::Keyring;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What outlives the gateway, and its present life.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) broker: Broker,
    pub(crate) journal: Arc<FakeJournal>,
    pub(crate) platform: Platform,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) specs: Arc<Specs>,
    present: Mutex<Option<Life>>,
}

/// One life of the gateway.
#[derive(Clone)]
struct Life {
    gateway: Arc<Gateway>,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    pub(crate) fn new(
        world: Arc<World>,
        journal: Arc<FakeJournal>,
        platform: Platform,
        keyring: Arc<Keyring>,
        specs: Arc<Specs>,
    ) -> Self {
        Self {
            broker: Broker::new(world.clone()),
            world,
            journal,
            platform,
            keyring,
            specs,
            present: Mutex::default(),
        }
    }

    /// Lives, crashes so many times, and lives on until dropped.
    pub(crate) async fn live(self: Arc<Self>, crashes: u64) {
        for _ in 0..crashes {
            let near = if self.world.below(2) == 0 { 80 } else { 1_200 };
            self.world.crash_after(self.world.below(near));
            let life = self.begin();
            tokio::select! {
                biased;
                () = self.world.crashed() => {}
                () = self.run(&life) => {}
            }
            self.kill(life).await;
            let away = if self.world.below(6) == 0 { 20_000 } else { 800 };
            sleep(self.world.up_to(away)).await;
        }
        let life = self.begin();
        self.run(&life).await;
    }

    /// Sends an HTTP request to the present life; `None` when there is none, or it ends before it answers.
    pub(crate) async fn http(&self, wire: Wire) -> Option<HttpAnswer> {
        let life = lock(&self.present).clone()?;
        let gateway = life.gateway.clone();
        let asked = life
            .tasks
            .spawn(until(life.end.clone(), gateway.from_http("platform".to_owned(), wire)));
        asked.await.ok().flatten()
    }

    fn begin(&self) -> Life {
        let life = Life {
            gateway: Arc::new(self.gateway()),
            end: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        self.world.say(|| "a life begins".to_owned());
        life
    }

    /// Every task ends where it waits; what it had not made durable is gone.
    async fn kill(&self, life: Life) {
        *lock(&self.present) = None;
        life.end.cancel();
        life.tasks.close();
        life.tasks.wait().await;
        self.journal.crash();
        self.broker.disconnect();
    }

    async fn run(&self, life: &Life) {
        let gateway = &life.gateway;
        while gateway.load_system().await.is_err() || gateway.take_over(true).await.is_err() {
            sleep(Duration::from_millis(500)).await;
        }
        for queue in [REQUESTS, REPLIES] {
            life.spawn(life.clone().consume(self.broker.clone(), queue));
        }
        life.spawn(life.clone().sweep());
        life.spawn(life.clone().hold_leases());
        *lock(&self.present) = Some(life.clone());
        std::future::pending().await
    }

    fn gateway(&self) -> Gateway {
        let config = Config::parse(CONFIG).unwrap();
        let link = |name: &str, transport| LinkParts {
            name: name.to_owned(),
            config: config.link[name].clone(),
            spec: self.specs.spec(&config.link[name].codec).unwrap().clone(),
            transport,
        };
        let queue = Transport::Queue {
            mq: Arc::new(self.broker.clone()),
            outbound: CENTRE.to_owned(),
        };
        let call = Transport::Call(Arc::new(self.platform.clone()));
        let links = BTreeMap::from([
            ("centre".to_owned(), link("centre", queue)),
            ("platform".to_owned(), link("platform", call)),
        ]);
        Gateway::new(Parts {
            config,
            links,
            keyring: self.keyring.clone(),
            journal: self.journal.clone(),
            clock: self.world.clone(),
            entropy: self.world.clone(),
        })
    }
}

impl Life {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn(until(self.end.clone(), work)));
    }

    async fn consume(self, broker: Broker, queue: &'static str) {
        let permits = Arc::new(Semaphore::new(8));
        let mut consumer = broker.consume(queue, 8);
        loop {
            let permit = permits.clone().acquire_owned().await.unwrap();
            let Some(delivery) = consumer.next().await else { return };
            let gateway = self.gateway.clone();
            self.spawn(async move {
                let _permit = permit;
                gateway.from_queue("centre", delivery).await;
            });
        }
    }

    async fn sweep(self) {
        loop {
            sleep(Duration::from_millis(limits::SWEEP_MS)).await;
            for exchange in self.gateway.due().await.unwrap_or_default() {
                let gateway = self.gateway.clone();
                self.spawn(async move { gateway.revisit(exchange).await });
            }
        }
    }

    async fn hold_leases(self) {
        loop {
            sleep(Duration::from_millis(limits::LEASE_RENEW_MS)).await;
            // A lease that is not renewed in time is what an instance has to live with.
            drop(self.gateway.renew_leases().await);
            drop(self.gateway.take_over(false).await);
        }
    }
}

/// Runs to the end, or nowhere past the end of its life.
async fn until<T>(end: CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = end.cancelled() => None,
        done = work => Some(done),
    }
}

const CONFIG: &str = r#"
instance = "sim"
journal.file = "journal.db"
keys.folder = "keys"
settle = { query_after_ms = [300, 1000, 4000], resend_after_ms = 5000, wait_ms = 1500 }

[link.centre]
codec = "nps"
member = "402100088888"
counterparty = "900584099999"
app = "MPS"
counterparty_app = "NPS"
channel = "B"
answer_ms = 6000
mq = { addresses = ["fake"], request_queue = "nps.B.req", reply_queue = "nps.B.rsp", outbound_queue = "nps.centre.B" }

[link.platform]
codec = "platform"
answer_ms = 2000
http = { base_url = "http://fake:1", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
