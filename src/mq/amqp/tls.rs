//! TLS to the broker. The files are read at every connection, so that a renewed certificate needs no restart.

use super::config::AmqpConfigError;
use crate::tls::{TlsConfig, TlsError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Shakes hands over `stream`; the error is for people.
pub(super) async fn connect(config: &TlsConfig, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let loaded = config.load().map_err(|error| error.to_string())?;
    let name = config.name(host).map_err(|error| error.to_string())?;
    let shaken = TlsConnector::from(loaded.config).connect(name, stream).await;
    shaken.map_err(|error| format!("TLS: {error}{}", hint(&error)))
}

/// Reads every file and looks at every name, without a connection.
pub(super) fn check<'a>(config: &TlsConfig, hosts: impl Iterator<Item = &'a str>) -> Result<(), AmqpConfigError> {
    config.load().map_err(wrong)?;
    for host in hosts {
        config.name(host).map_err(wrong)?;
    }
    Ok(())
}

/// A peer that answers a handshake with something else is most often one that speaks no TLS on this port.
fn hint(error: &std::io::Error) -> &'static str {
    let text = error.to_string();
    if text.contains("InvalidContentType") || text.contains("eof") {
        "; does the broker speak TLS on this port?"
    } else {
        ""
    }
}

fn wrong(error: TlsError) -> AmqpConfigError {
    AmqpConfigError {
        field: error.field,
        detail: error.detail,
    }
}
