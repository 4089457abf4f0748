//! What is started before the counterparties: servers, queues, gateways here or as processes.

use super::{Account, Gateways};
use crate::cli::bench::refused;
use crate::cli::bench::services::{Child, Guard, Postgres, RabbitMq, free_ports};
use crate::cli::bench::settings::{self, Endpoint, Journal, OUTBOUND, Places, REPLIES, REQUESTS, Setting, Transport};
use crate::cli::output::Failure;
use hangu::config::Config;
use hangu::mq::memory::MemoryBroker;
use hangu::mq::{Mq, SharedMq};
use hangu::shell::{Running, SystemClock, SystemEntropy};
use hangu::start::{Assembled, Surroundings, assemble, connect};
use keys::keyring::Keyring;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Broker and database where there is one, and the processes of those that were started.
pub(super) type Services = (Option<Endpoint>, Option<Endpoint>, BTreeMap<&'static str, u32>);

pub(super) fn services(setting: &Setting, folder: &Path, guard: &mut Guard) -> Result<Services, Failure> {
    let mut servers = BTreeMap::new();
    let broker = match (setting.transport, &setting.rabbitmq_url) {
        (Transport::Memory, _) => None,
        (Transport::Rabbitmq, Some(url)) => Some(Endpoint::parse("--rabbitmq-url", "amqp", url)?),
        (Transport::Rabbitmq, None) => {
            let started = RabbitMq::start(&folder.join("rabbitmq"), guard)?;
            servers.insert("rabbitmq", started.process);
            Some(Endpoint::of_rabbitmq(&started.address))
        }
    };
    let database = match (setting.journal, &setting.postgres_url) {
        (Journal::Sqlite, _) => None,
        (Journal::Postgres, Some(url)) => Some(Endpoint::parse("--postgres-url", "postgres", url)?),
        (Journal::Postgres, None) => {
            let started = Postgres::start(&folder.join("postgres"), guard)?;
            servers.insert("postgres", started.process);
            Some(Endpoint::of_postgres(&started.address))
        }
    };
    Ok((broker, database, servers))
}

pub(super) fn configs(
    setting: &Setting,
    folder: &Path,
    broker: Option<&Endpoint>,
    database: Option<&Endpoint>,
    platform: &str,
) -> Result<Vec<Config>, Failure> {
    let one = |number: u16| {
        let instance = format!("{}-{number}", Account::GATEWAY);
        let [listen, admin] = free_ports()?.map(|port: u16| format!("127.0.0.1:{port}"));
        let places = Places {
            instance: &instance,
            broker,
            database,
            platform,
            listen: &listen,
            admin: &admin,
        };
        settings::parsed(&settings::configuration(setting, &places), folder, &instance)
    };
    (1..=setting.gateways).map(one).collect()
}

pub(super) async fn here(config: Config, keyring: Arc<Keyring>, on: &Handle) -> Result<(SharedMq, Gateways), Failure> {
    let broker = MemoryBroker::default();
    let queues = [REQUESTS, REPLIES, OUTBOUND].map(str::to_owned);
    broker
        .mq()
        .declare(&queues)
        .await
        .map_err(|error| refused("queues")(&error))?;
    let own: SharedMq = Arc::new(broker.mq());
    let mq: SharedMq = Arc::new(broker.mq());
    let starting = async move {
        let opened = hangu::journal::open::open(&config, keyring.clone()).await;
        let journal = opened.map_err(|error| refused("journal")(&error))?;
        let surroundings = Surroundings {
            keyring,
            journal: journal.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            mqs: BTreeMap::from([("centre".to_owned(), own)]),
        };
        let Assembled { gateway, queues, https } = assemble(config, surroundings).await?;
        let started = Running::start(gateway, queues, https).await;
        let running = started.map_err(|error| refused("gateway")(&error))?;
        Ok::<_, Failure>(Gateways::Here(running, journal))
    };
    let started = on.spawn(starting).await.map_err(|error| refused("gateway")(&error))?;
    Ok((mq, started?))
}

/// Queues are declared for every gateway before the first one looks for them.
pub(super) async fn children(configs: &[Config], folder: &Path, guard: &mut Guard) -> Result<(SharedMq, Gateways), Failure> {
    let mut ours = None;
    for config in configs {
        let link = config.link.get("centre").and_then(|link| link.mq.as_ref());
        let link = link.ok_or_else(|| refused("bench")(&"no queues"))?;
        let mq = match ours.take() {
            Some(mq) => mq,
            None => connect("centre", link)?,
        };
        let declared = mq.declare(&link.queues(&config.instance)).await;
        declared.map_err(|error| refused("queues")(&error))?;
        ours = Some(mq);
    }
    let mq = ours.ok_or_else(|| refused("bench")(&"no gateway"))?;
    let start = |config: &Config, guard: &mut Guard| {
        let admin = config.admin.listen.clone().unwrap_or_default();
        Child::start(folder, &config.instance, &admin, guard)
    };
    let started = configs.iter().map(|config| start(config, guard)).collect::<Result<_, _>>()?;
    Ok((mq, Gateways::Children(started)))
}
