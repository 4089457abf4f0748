//! Certificates of connections: whether their files work, and how long they hold.

use super::{Check, Report};
use hangu::config::{Config, HttpConfig, MqConfig, PostgresConfig};
use hangu::link::http::HttpCaller;
use hangu::tls::{Expiry, TlsConfig, TlsError};
use keys::certificate::Certificate;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Files that HTTP links and the database name and that do not work; those of a broker are reported with its settings.
pub(super) fn file_checks(config: &Config, report: &mut Report) {
    let database = config.journal.postgres.as_ref().and_then(PostgresConfig::tls);
    if let Some(Err(error)) = database.map(|tls| tls.load()) {
        let place = format!("journal.postgres.{}", error.field);
        report.add(Check::fail("check.tls", &place, error.detail, "do.tls.file"));
    }
    for (name, link) in &config.link {
        for loaded in link.http.iter().flat_map(of_http) {
            if let Err(error) = loaded {
                let place = format!("link.{name}.http.{}", error.field);
                report.add(Check::fail("check.tls", &place, error.detail, "do.tls.file"));
            }
        }
    }
}

/// How long every certificate holds that a connection uses. One that has ended stops its own link, and no start.
pub(super) fn expiry_checks(config: &Config, now: OffsetDateTime, report: &mut Report) {
    for (name, link) in &config.link {
        let of_http = link.http.iter().flat_map(of_http).filter_map(Result::ok).flatten();
        report.extend(of_http.map(|expiry| of_expiry(&format!("link.{name}.http"), &expiry, now)));
        let broker = link.mq.as_ref().and_then(MqConfig::tls);
        report.extend(held(broker).map(|expiry| of_expiry(&format!("link.{name}.mq"), &expiry, now)));
    }
    let database = config.journal.postgres.as_ref().and_then(PostgresConfig::tls);
    report.extend(held(database).map(|expiry| of_expiry("journal.postgres", &expiry, now)));
}

/// The handshake of a counterparty that is called by https: protocol, whose certificate, how long it holds.
pub(super) async fn of_handshake(subject: &str, http: &HttpConfig, host: &str, stream: TcpStream, now: OffsetDateTime) -> Check {
    let Some(tls) = http.calling_tls() else {
        return Check::ok("check.tcp", subject, "reachable");
    };
    let shaken = timeout(Duration::from_millis(http.handshake_ms), shake(&tls, host, stream)).await;
    match shaken.unwrap_or_else(|_elapsed| Err(format!("not over within {} ms", http.handshake_ms))) {
        Ok(shaken) => of_peer(subject, &shaken, now),
        Err(detail) => Check::fail("check.tls.peer", subject, detail, "do.tls.peer").of_service(),
    }
}

fn of_http(http: &HttpConfig) -> Vec<Result<Vec<Expiry>, TlsError>> {
    let listening = http.listening_tls().map(|tls| tls.load().map(|loaded| loaded.expiries));
    let calling = HttpCaller::open(http.called()).map(|caller| {
        let certificates = caller.certificates().map(|renewing| renewing.current());
        certificates.iter().flat_map(|loaded| loaded.expiries.clone()).collect()
    });
    listening.into_iter().chain([calling]).collect()
}

/// Nothing where the files do not work, which is reported on its own.
fn held(tls: Option<TlsConfig>) -> impl Iterator<Item = Expiry> {
    let loaded = tls.and_then(|tls| tls.load().ok());
    loaded.into_iter().flat_map(|loaded| loaded.expiries)
}

fn of_expiry(table: &str, expiry: &Expiry, now: OffsetDateTime) -> Check {
    let place = format!("{table}.{}", expiry.field);
    let Expiry { subject, serial, .. } = expiry;
    let days = expiry.days_left(now);
    let detail = format!("{subject} serial {serial}, {days} days left");
    if expiry.not_after < now {
        let detail = format!("{subject} serial {serial} ended on {}", expiry.not_after.date());
        Check::fail("check.tls.days", &place, detail, "do.tls.expired")
    } else if days < EXPIRY_WARNING_DAYS {
        Check::warn("check.tls.days", &place, detail, "do.tls.expiring")
    } else {
        Check::ok("check.tls.days", &place, detail)
    }
}

/// Under TLS 1.3 a server refuses a certificate only after our side of the handshake is over: its word is waited for.
async fn shake(tls: &TlsConfig, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let loaded = tls.load_http().map_err(|error| error.to_string())?;
    let name = tls.name(host).map_err(|error| error.to_string())?;
    let shaken = TlsConnector::from(loaded.config).connect(name, stream).await;
    let mut shaken = shaken.map_err(|error| error.to_string())?;
    match timeout(REFUSAL_WAIT, shaken.read(&mut [0; 1])).await {
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(_)) | Err(_) => Ok(shaken),
    }
}

fn of_peer(subject: &str, shaken: &TlsStream<TcpStream>, now: OffsetDateTime) -> Check {
    let (_, session) = shaken.get_ref();
    let protocol = session
        .protocol_version()
        .and_then(|version| version.as_str())
        .unwrap_or("TLS");
    let chain = session.peer_certificates().unwrap_or_default();
    let peer = chain.first().and_then(|der| Certificate::from_der(der).ok());
    let ends = peer.as_ref().and_then(|peer| peer.not_after().ok());
    let (Some(peer), Some(ends)) = (peer, ends) else {
        return Check::ok("check.tls.peer", subject, protocol);
    };
    let days = (ends - now).whole_days();
    let detail = format!("{protocol}, {}, {days} days left", peer.subject());
    if days < EXPIRY_WARNING_DAYS {
        Check::warn("check.tls.peer", subject, detail, "do.tls.peer_expiring")
    } else {
        Check::ok("check.tls.peer", subject, detail)
    }
}

/// A certificate authority's answer takes weeks.
const EXPIRY_WARNING_DAYS: i64 = 30;
const REFUSAL_WAIT: Duration = Duration::from_millis(500);
