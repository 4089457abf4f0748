//! How a counterparty's HTTP port is reached: in time, under TLS where that is configured, and how far a failed call got.

use super::line::Line;
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, AlertDescription, ClientConfig};
use tower_service::Service;

/// Makes connections for a pool.
pub(super) struct Dialer {
    http: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_max: Duration,
    handshake_max: Duration,
}

impl Dialer {
    pub(super) fn new(
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
        connect_max: Duration,
        handshake_max: Duration,
    ) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        // That https goes with TLS is seen to here.
        http.enforce_http(false);
        Self {
            http,
            tls: tls.map(|(config, name)| (TlsConnector::from(config), name)),
            connect_max,
            handshake_max,
        }
    }
}

impl Dialer {
    /// A new connection to a counterparty.
    pub(super) async fn dial(&self, target: Uri) -> io::Result<Line> {
        if (target.scheme_str() == Some("https")) != self.tls.is_some() {
            return Err(io::Error::other("https goes with tls_ca_file, and http without"));
        }
        let mut http = self.http.clone();
        let connected = in_time("connection", self.connect_max, async {
            poll_fn(|cx| http.poll_ready(cx)).await.map_err(io::Error::other)?;
            http.call(target).await.map_err(io::Error::other)
        });
        let stream = connected.await?.into_inner();
        let Some((connector, name)) = &self.tls else {
            return Ok(Line::Clear(stream));
        };
        let shaken = in_time("TLS handshake", self.handshake_max, connector.connect(name.clone(), stream));
        Ok(Line::sealed(shaken.await?))
    }
}

async fn in_time<T>(what: &str, limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no {what} within {} ms", limit.as_millis()));
    timeout(limit, work).await.unwrap_or_else(|_elapsed| Err(late()))
}

/// An error with its causes, each told once.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in causes(error).skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Whether the other side refused our certificate. Under TLS 1.3 it does so after our side of the handshake is over, when the
/// request may be on its way; yet a server hands nothing on before the client's certificate holds (RFC 8446 4.4.2.4), and we
/// offer none later (4.6.2), so that the request was not taken.
pub(super) fn is_certificate_refused(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(alert).any(|alert| REFUSALS.contains(&alert))
}

fn alert(cause: &(dyn Error + 'static)) -> Option<AlertDescription> {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let rustls::Error::AlertReceived(alert) = inner?.downcast_ref::<rustls::Error>()? else {
        return None;
    };
    Some(*alert)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What RFC 8446 6.2 has for certificates.
const REFUSALS: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::CertificateRequired,
];
