//! From a checked configuration to the parts of a gateway: specs, links, transports.

use crate::clock::{Clock, Entropy};
use crate::config::{Config, ConfigError, LinkConfig, MqConfig, TcpConfig};
use crate::exchange::{Caller, Gateway, LinkParts, Parts, Transport};
use crate::journal::SharedJournal;
use crate::link::Framing;
use crate::link::door::{Bounds, Door};
use crate::link::http::HttpCaller;
use crate::link::tcp::{self, Manner, TcpCaller};
use crate::mq::SharedMq;
use crate::mq::amqp::{AmqpConfig, AmqpMq, QueueType};
use crate::secret::{self, Password};
use crate::shell::{HttpLink, QueueLink};
use crate::tls::{Renewing, TlsError};
use codecs::spec::{Spec, Specs};
use keys::keyring::Keyring;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What a gateway is put together from, besides its configuration.
pub struct Surroundings {
    pub keyring: Arc<Keyring>,
    pub journal: SharedJournal,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Queue services by link name; links without one here connect as configured.
    pub mqs: BTreeMap<String, SharedMq>,
}

/// A gateway and the links that the shell is to run.
pub struct Assembled {
    pub gateway: Arc<Gateway>,
    pub queues: Vec<QueueLink>,
    pub https: Vec<HttpLink>,
}

/// Puts a gateway together and binds its listeners; nothing is taken yet.
pub async fn assemble(config: Config, surroundings: Surroundings) -> Result<Assembled, ConfigError> {
    let specs = config.specs()?;
    let Surroundings {
        keyring,
        journal,
        clock,
        entropy,
        mut mqs,
    } = surroundings;
    let (mut links, mut queues, mut https) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, link) in &config.link {
        let spec = spec_of(&specs, name, link)?;
        let transport = if let Some(mq_config) = &link.mq {
            let mq = match mqs.remove(name) {
                Some(mq) => mq,
                None => connect(name, mq_config)?,
            };
            queues.push(queue_link(&config.instance, name, link, mq_config, mq.clone()));
            Transport::Queue {
                mq,
                outbound: mq_config.outbound_queue.clone(),
            }
        } else {
            let (caller, listening) = match &link.tcp {
                Some(tcp_config) => tcp_link(name, link, tcp_config, &spec)?,
                None => http_link(name, link).await?,
            };
            https.push(listening);
            Transport::Call(caller)
        };
        links.insert(
            name.clone(),
            LinkParts {
                name: name.clone(),
                config: link.clone(),
                spec,
                transport,
            },
        );
    }
    let gateway = Arc::new(Gateway::new(Parts {
        config,
        links,
        keyring,
        journal,
        clock,
        entropy,
    }));
    Ok(Assembled { gateway, queues, https })
}

/// The spec of a link, with the link's switches applied.
pub fn spec_of(specs: &Specs, name: &str, link: &LinkConfig) -> Result<Arc<Spec>, ConfigError> {
    let Some(spec) = specs.spec(&link.codec) else {
        let known = specs.iter().map(|spec| spec.codec.clone()).collect::<Vec<_>>().join(", ");
        let detail = format!("no codec is named {}; codecs are: {known}", link.codec);
        return Err(ConfigError {
            place: format!("link.{name}.codec"),
            detail,
        });
    };
    let spec = match &link.suite {
        None => spec,
        Some(suite) => spec.in_suite(suite).ok_or_else(|| no_suite(name, spec, suite))?,
    };
    Ok(if link.sealing {
        spec.clone()
    } else {
        Arc::new(spec.with_sealing(false))
    })
}

fn no_suite(name: &str, spec: &Arc<Spec>, suite: &str) -> ConfigError {
    let known = spec.suites().map(|spec| spec.suite.as_str()).collect::<Vec<_>>().join(", ");
    ConfigError {
        place: format!("link.{name}.suite"),
        detail: format!("codec {} has no suite {suite}; suites are: {known}", spec.codec),
    }
}

/// Opens a broker connection as configured; it connects in the background and goes on trying.
pub fn connect(name: &str, config: &MqConfig) -> Result<SharedMq, ConfigError> {
    AmqpMq::open(amqp_config(name, config)?)
        .map(|mq| Arc::new(mq) as SharedMq)
        .map_err(|error| wrong_mq(name, error.field, error.detail))
}

/// Checks what a broker connection needs that can be known without one: settings, certificates, secrets.
pub fn check_connection(name: &str, config: &MqConfig) -> Result<(), ConfigError> {
    let checked = amqp_config(name, config)?.check();
    checked.map_err(|error| wrong_mq(name, error.field, error.detail))
}

fn amqp_config(name: &str, config: &MqConfig) -> Result<AmqpConfig, ConfigError> {
    Ok(AmqpConfig {
        addresses: config.addresses.clone(),
        vhost: config.vhost.clone(),
        user: config.user.clone(),
        password: broker_password(name, config)?,
        tls: config.tls(),
        heartbeat_s: config.heartbeat_s,
        confirm_timeout_ms: config.confirm_ms,
        queue_type: if config.queue_type == "quorum" {
            QueueType::Quorum
        } else {
            QueueType::Classic
        },
        ..AmqpConfig::default()
    })
}

fn wrong_mq(name: &str, field: &str, detail: String) -> ConfigError {
    ConfigError {
        place: format!("link.{name}.mq.{field}"),
        detail,
    }
}

fn broker_password(name: &str, config: &MqConfig) -> Result<Password, ConfigError> {
    let table = format!("link.{name}.mq");
    let found = secret::password(&table, config.password_file.as_deref(), config.password_env.as_deref())?;
    Ok(found.unwrap_or_else(|| Password::new("guest")))
}

fn queue_link(instance: &str, name: &str, link: &LinkConfig, config: &MqConfig, mq: SharedMq) -> QueueLink {
    QueueLink {
        name: name.to_owned(),
        mq,
        request_queue: config.request_queue.clone(),
        reply_queue: config.reply_queue.clone(),
        dead_letters: config.has_dead_letters(),
        hand_off_queue: config.hand_off_queue(instance),
        prefetch: config.prefetch,
        in_flight_max: link.in_flight_max,
    }
}

async fn http_link(name: &str, link: &LinkConfig) -> Result<(Arc<dyn Caller>, HttpLink), ConfigError> {
    let wrong = |detail: String| ConfigError {
        place: format!("link.{name}.http.listen"),
        detail,
    };
    let Some(http) = &link.http else {
        return Err(wrong("the link has neither mq nor http nor tcp".to_owned()));
    };
    let of_tls = |error: TlsError| ConfigError {
        place: format!("link.{name}.http.{}", error.field),
        detail: error.detail,
    };
    let caller = HttpCaller::open(http.called()).map_err(of_tls)?;
    let listening = http.listening_tls();
    let renewing = listening.map(|tls| Renewing::open(tls.files(), move || tls.load()).map(Arc::new));
    let listener = TcpListener::bind(&http.listen)
        .await
        .map_err(|error| wrong(format!("{}: {error}", http.listen)))?;
    let door = Door {
        listener: renewing.transpose().map_err(of_tls)?,
        caller: caller.certificates(),
        ..Door::default()
    };
    let listening = HttpLink {
        name: name.to_owned(),
        listener,
        frames: None,
        in_flight_max: link.in_flight_max,
        bounds: link.listener_bounds(http),
        door: Arc::new(door),
    };
    Ok((Arc::new(caller), listening))
}

fn tcp_link(name: &str, link: &LinkConfig, config: &TcpConfig, spec: &Spec) -> Result<(Arc<dyn Caller>, HttpLink), ConfigError> {
    let wrong = |detail: String| ConfigError {
        place: format!("link.{name}.tcp.listen"),
        detail: format!("{}: {detail}", config.listen),
    };
    let framing = Framing {
        addressed: config.tpdu,
        message_bytes_max: spec.message_bytes_max(),
    };
    let address = config.listen.parse().map_err(|_| wrong("not address:port".to_owned()))?;
    let listening = HttpLink {
        name: name.to_owned(),
        listener: tcp::listen(address).map_err(|error| wrong(error.to_string()))?,
        frames: Some(Manner {
            framing,
            idle: Duration::from_secs(config.idle_s),
        }),
        in_flight_max: link.in_flight_max,
        bounds: Bounds::of(link.in_flight_max.saturating_mul(2)),
        door: Arc::default(),
    };
    Ok((Arc::new(TcpCaller::new(config.connect.as_deref(), framing)), listening))
}
