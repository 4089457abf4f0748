//! What outlives the gateway, and its instances, life after life on one journal and one broker.

use super::broker::{Broker, CENTRE, REPLIES, REQUESTS};
use super::journal::FakeJournal;
use super::life::Life;
use super::platform::Platform;
use super::world::{World, lock};
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::config::Config;
use hangu::exchange::{Gateway, HttpAnswer, LinkParts, Parts, Transport};
use keys::keyring::Keyring;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// What outlives the gateway, and its present lives by instance.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) broker: Broker,
    pub(crate) journal: Arc<FakeJournal>,
    pub(crate) platform: Platform,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) specs: Arc<Specs>,
    present: Mutex<BTreeMap<usize, Life>>,
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

    /// One instance lives, crashes so many times, and lives on until dropped.
    pub(crate) async fn live(self: Arc<Self>, instance: usize, crashes: u64) {
        for _ in 0..crashes {
            let near = if self.world.below(2) == 0 { 80 } else { 1_200 };
            self.world.crash_after(instance, self.world.below(near));
            let life = self.begin(instance);
            // Now and then it is told to stop before it crashes.
            let told = if self.world.below(3) == 0 { 15_000 } else { 86_400_000 };
            let told = Duration::from_secs(1) + self.world.up_to(told);
            tokio::select! {
                biased;
                () = self.world.crashed(instance) => {}
                () = self.run(&life, instance) => {}
                () = sleep(told) => {
                    self.world.say(|| format!("instance {instance} is told to stop"));
                    tokio::select! {
                        biased;
                        () = self.world.crashed(instance) => {}
                        () = life.leave() => {}
                    }
                }
            }
            self.end(life, instance).await;
            let away = if self.world.below(6) == 0 { 20_000 } else { 800 };
            sleep(self.world.up_to(away)).await;
        }
        let life = self.begin(instance);
        self.run(&life, instance).await;
    }

    /// One instance that ends in the middle of its work and never comes back, without a word.
    pub(crate) async fn die(self: Arc<Self>, instance: usize) {
        let life = self.begin(instance);
        self.world.crash_after(instance, self.world.below(1_500));
        let latest = Duration::from_secs(1) + self.world.up_to(9_000);
        tokio::select! {
            biased;
            () = self.world.crashed(instance) => {}
            () = self.run(&life, instance) => {}
            () = sleep(latest) => {}
        }
        self.world.say(|| format!("instance {instance} is gone for good"));
        self.end(life, instance).await;
    }

    async fn end(&self, life: Life, instance: usize) {
        self.world.call_off_crash(instance);
        lock(&self.present).remove(&instance);
        life.kill().await;
        self.journal.crash();
        self.broker.disconnect();
    }

    /// Sends an HTTP request to a present life; `None` when there is none, or it ends before it answers.
    pub(crate) async fn http(&self, wire: Wire) -> Option<HttpAnswer> {
        let present: Vec<Life> = lock(&self.present).values().cloned().collect();
        let place = usize::try_from(self.world.below(present.len() as u64)).ok()?;
        present.get(place)?.http(wire).await
    }

    fn begin(&self, instance: usize) -> Life {
        self.world.say(|| format!("a life of instance {instance} begins"));
        Life::new(self.gateway(instance), instance)
    }

    async fn run(&self, life: &Life, instance: usize) {
        life.start(&self.broker, [REQUESTS, REPLIES]).await;
        lock(&self.present).insert(instance, life.clone());
        loop {
            sleep(Duration::from_secs(1) + self.world.up_to(20_000)).await;
            if self.world.fault(15) {
                let pause = self.world.up_to(25_000);
                self.world.say(|| format!("instance {instance} is paused for {pause:?}"));
                life.freeze(pause).await;
            }
        }
    }

    fn gateway(&self, instance: usize) -> Gateway {
        let mut config = Config::parse(CONFIG).unwrap();
        config.instance = format!("sim-{instance}");
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

pub(crate) const CONFIG: &str = r#"
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
mq = { addresses = ["fake"], request_queue = "nps.B.req", reply_queue = "nps.B.rsp", outbound_queue = "nps.centre.B", hand_off_prefix = "hangu.hand-off." }

[link.platform]
codec = "platform"
answer_ms = 2000
bulkhead = { institution_max = 2, operation_max = 3, line_max = 2 }
http = { base_url = "http://fake:1", listen = "127.0.0.1:0" }

[[route]]
from = "centre"
to = "platform"

[[route]]
from = "platform"
to = "centre"
"#;
