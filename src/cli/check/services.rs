//! `--connect`: the journal's database, the broker, its queues, the counterparties' ports. Nothing is sent but what that needs.

use super::{Check, Report, keys, tls};
use crate::cli::output::{Exit, Failure};
use hangu::clock::Clock;
use hangu::config::{Config, HttpConfig, MqConfig, PostgresConfig};
use hangu::journal::Chain;
use hangu::journal::open::postgres_options;
use hangu::journal::postgres::PostgresJournal;
use hangu::mq::{MqError, QueueState};
use hangu::shell::SystemClock;
use hangu::start::connect;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(super) fn checks(config: &Config, report: &mut Report) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    report.extend(keys::device_checks(config));
    runtime.block_on(async {
        if let Some(postgres) = &config.journal.postgres {
            report.extend(of_database(postgres).await);
        }
        for (name, link) in &config.link {
            if let Some(mq) = &link.mq {
                report.extend(of_broker(name, mq, &config.instance).await);
            }
            if let Some(http) = &link.http {
                report.add(of_port(name, http).await);
            }
            let called = link.tcp.as_ref().and_then(|tcp| tcp.connect.as_deref());
            if let Some((host, port)) = called.and_then(|address| address.rsplit_once(':')) {
                report.add(reached(name, host, port.parse().unwrap_or_default(), None).await);
            }
        }
    });
    Ok(())
}

/// None where already the settings are wrong, which the check without a connection reports.
async fn of_database(config: &PostgresConfig) -> Option<Check> {
    let subject = config.addresses.join(", ");
    let options = postgres_options(config, Chain::unkeyed("check")).ok()?;
    Some(match PostgresJournal::inspect(options).await {
        Ok(found) => Check::ok("check.database", &subject, found),
        Err(error) => Check::fail("check.database", &subject, error.to_string(), "do.database").of_service(),
    })
}

async fn of_broker(link: &str, config: &MqConfig, instance: &str) -> Vec<Check> {
    let mq = match connect(link, config) {
        Ok(mq) => mq,
        Err(error) => return vec![Check::fail("check.broker", &error.place, error.detail, "do.config")],
    };
    let mut checks = Vec::new();
    // One by one, so that every missing queue is named.
    for queue in config.queues(instance) {
        match mq.check(std::slice::from_ref(&queue)).await {
            Ok(states) => checks.extend(states.iter().map(of_queue)),
            Err(MqError::Queue { queue, detail }) => {
                checks.push(Check::fail("check.queue", &queue, detail, "do.queue").of_service());
            }
            Err(MqError::Unavailable(detail)) => {
                checks.push(Check::fail("check.broker", link, detail, "do.broker").of_service());
                break;
            }
        }
    }
    if !checks.iter().any(|check| check.name == "check.broker") {
        checks.insert(0, Check::ok("check.broker", link, config.addresses.join(", ")));
    }
    mq.close().await;
    checks
}

fn of_queue(state: &QueueState) -> Check {
    let detail = format!("{} messages, {} consumers", state.messages, state.consumers);
    Check::ok("check.queue", &state.queue, detail)
}

async fn of_port(link: &str, config: &HttpConfig) -> Check {
    let uri = config.base_url.parse::<hyper::Uri>().ok();
    let place = uri
        .as_ref()
        .and_then(|uri| Some((uri.host()?, uri.port_u16().unwrap_or_else(|| usual_port(uri)))));
    let Some((host, port)) = place else {
        return Check::fail("check.tcp", link, "base_url has no host", "do.config");
    };
    reached(link, host, port, Some(config)).await
}

async fn reached(link: &str, host: &str, port: u16, http: Option<&HttpConfig>) -> Check {
    let subject = format!("{link} {host}:{port}");
    // A host in brackets is an IPv6 address, which a connection takes without them.
    let reached = timeout(TCP_TIMEOUT, TcpStream::connect((host.trim_matches(['[', ']']), port))).await;
    match reached {
        Ok(Ok(stream)) => match http {
            Some(config) => tls::of_handshake(&subject, config, host, stream, SystemClock.now()).await,
            None => Check::ok("check.tcp", &subject, "reachable"),
        },
        Ok(Err(error)) => Check::fail("check.tcp", &subject, error.to_string(), "do.tcp").of_service(),
        Err(_elapsed) => Check::fail("check.tcp", &subject, "no answer within 3 s", "do.tcp").of_service(),
    }
}

fn usual_port(uri: &hyper::Uri) -> u16 {
    if uri.scheme_str() == Some("https") { 443 } else { 80 }
}

const TCP_TIMEOUT: Duration = Duration::from_secs(3);
