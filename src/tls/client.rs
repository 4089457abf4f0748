//! The side that connects: only what the named authority vouches for under the expected name is connected to.

use super::expiry::Expiry;
use super::{HTTP, Loaded, TlsError, files, wrong};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

/// Files and name of a TLS connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates of the authorities that may vouch for the other side (PEM).
    pub ca_file: PathBuf,
    /// The name that its certificate must carry; the host of the address when absent.
    #[serde(default)]
    pub server_name: Option<String>,
    /// What we prove our own name with, if it asks.
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
    /// Whoever these authorities vouch for, under the name of the address, and no name of ours.
    pub fn trusting(ca_file: &Path) -> Self {
        Self {
            ca_file: ca_file.to_owned(),
            server_name: None,
            client: None,
        }
    }

    /// Reads every file; wrong ones are named by their setting.
    pub fn load(&self) -> Result<Loaded<ClientConfig>, TlsError> {
        let (config, expiries) = self.read()?;
        Ok(Loaded {
            config: Arc::new(config),
            expiries,
        })
    }

    /// The same for HTTP. No session is taken up again, so that every connection looks at the certificate.
    pub fn load_http(&self) -> Result<Loaded<ClientConfig>, TlsError> {
        let (mut config, expiries) = self.read()?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Loaded {
            config: Arc::new(config),
            expiries,
        })
    }

    /// What must be read again when it changes.
    pub fn files(&self) -> Vec<PathBuf> {
        let client = self.client.iter().flat_map(|client| [&client.cert_file, &client.key_file]);
        client.chain([&self.ca_file]).cloned().collect()
    }

    /// An IPv6 host stands in brackets in an address, and without them in a certificate.
    pub fn name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        let name = self.server_name.as_deref().unwrap_or_else(|| host.trim_matches(['[', ']']));
        ServerName::try_from(name.to_owned())
            .map_err(|_| wrong("tls_server_name", format!("{name:?} is neither a host name nor an address")))
    }

    fn read(&self) -> Result<(ClientConfig, Vec<Expiry>), TlsError> {
        let authorities = files::certificates(CA, &self.ca_file)?;
        let builder = builder()?.with_root_certificates(files::anchors(CA, &authorities)?);
        let mut expiries: Vec<_> = Expiry::first(CA, &authorities).into_iter().collect();
        let Some(client) = &self.client else {
            return Ok((builder.with_no_client_auth(), expiries));
        };
        let chain = files::certificates(CERT, &client.cert_file)?;
        expiries.extend(Expiry::first(CERT, &chain));
        let key = files::private_key(KEY, &client.key_file)?;
        let config = builder.with_client_auth_cert(chain, key);
        Ok((config.map_err(|error| wrong(CERT, error))?, expiries))
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    versions.map_err(|error| wrong(CA, error))
}

const CA: &str = "tls_ca_file";
const CERT: &str = "tls_cert_file";
const KEY: &str = "tls_key_file";
