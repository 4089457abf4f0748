//! TLS to the broker: only what the named authority vouches for under the expected name is connected to.
//!
//! The files are read at every connection, so that a renewed certificate needs no restart. There is no switch that
//! turns the check off.

use super::config::AmqpConfigError;
use crate::secret::{read_public, read_secret};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Files and name of a TLS connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates of the authorities that may vouch for the broker (PEM).
    pub ca_file: PathBuf,
    /// The name that the broker's certificate must carry; the host of the address when absent.
    #[serde(default)]
    pub server_name: Option<String>,
    /// What we prove our own name with, if the broker asks.
    #[serde(default)]
    pub client: Option<TlsClient>,
}

/// Certificate chain and key of ours (PEM); the key's file must be readable by its owner only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsClient {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

impl TlsConfig {
    /// Shakes hands over `stream`; the error is for people.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let connector = self.connector().map_err(|error| error.to_string())?;
        let name = self.name(host).map_err(|error| error.to_string())?;
        let shaken = connector.connect(name, stream).await;
        shaken.map_err(|error| format!("TLS: {error}{}", hint(&error)))
    }

    /// Reads every file; wrong ones are named by their setting.
    pub(super) fn connector(&self) -> Result<TlsConnector, AmqpConfigError> {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions
            .map_err(|error| wrong("tls_ca_file", error))?
            .with_root_certificates(self.authorities()?);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(certificates("tls_cert_file", &client.cert_file)?, key(client)?)
                .map_err(|error| wrong("tls_cert_file", error))?,
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// An IPv6 host stands in brackets in an address, and without them in a certificate.
    pub(super) fn name(&self, host: &str) -> Result<ServerName<'static>, AmqpConfigError> {
        let name = self.server_name.as_deref().unwrap_or_else(|| host.trim_matches(['[', ']']));
        ServerName::try_from(name.to_owned())
            .map_err(|_| wrong("tls_server_name", format!("{name:?} is neither a host name nor an address")))
    }

    fn authorities(&self) -> Result<RootCertStore, AmqpConfigError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates("tls_ca_file", &self.ca_file)? {
            store.add(certificate).map_err(|error| wrong("tls_ca_file", error))?;
        }
        Ok(store)
    }
}

fn certificates(field: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, AmqpConfigError> {
    let text = read_public(file).map_err(|detail| wrong(field, detail))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| wrong(field, format!("{}: {error}", file.display())))?;
    if found.is_empty() {
        return Err(wrong(field, format!("{} holds no certificate", file.display())));
    }
    Ok(found)
}

fn key(client: &TlsClient) -> Result<PrivateKeyDer<'static>, AmqpConfigError> {
    let field = "tls_key_file";
    let text = read_secret(&client.key_file).map_err(|detail| wrong(field, detail))?;
    let read = PrivateKeyDer::from_pem_slice(text.as_bytes());
    read.map_err(|_| wrong(field, format!("{} holds no private key", client.key_file.display())))
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

fn wrong(field: &'static str, detail: impl ToString) -> AmqpConfigError {
    AmqpConfigError {
        field,
        detail: detail.to_string(),
    }
}
