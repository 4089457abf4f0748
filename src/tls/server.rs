//! The side that listens: our certificate, and which certificates of those who connect are taken.

use super::expiry::Expiry;
use super::pin::{Pin, Pinned};
use super::{HTTP, Loaded, TlsError, files, wrong};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

/// Files of one HTTPS listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Our certificate chain, our own first (PEM).
    pub cert_file: PathBuf,
    /// Its private key (PEM), readable by its owner only.
    pub key_file: PathBuf,
    /// How those who connect prove their name; nobody is asked when absent.
    pub client: Option<ClientCheck>,
}

/// What a client's certificate is held against.
#[derive(Clone, Debug)]
pub struct ClientCheck {
    /// Authorities that may vouch for clients of this listener, and of no other (PEM).
    pub ca_file: PathBuf,
    /// Whether one who shows no certificate is refused.
    pub is_required: bool,
    pub pin: Pin,
}

impl ListenerTls {
    /// Reads every file. No session is taken up again, so that every connection is checked by what holds at that moment.
    pub fn load(&self) -> Result<Loaded<ServerConfig>, TlsError> {
        let chain = files::certificates(CERT, &self.cert_file)?;
        let mut expiries: Vec<_> = Expiry::first(CERT, &chain).into_iter().collect();
        let key = files::private_key(KEY, &self.key_file)?;
        let verifier = match &self.client {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(client) => client.verifier(&mut expiries)?,
        };
        let versions =
            ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        let builder = versions
            .map_err(|error| wrong(CERT, error))?
            .with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(chain, key).map_err(|error| wrong(CERT, error))?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Loaded {
            config: Arc::new(config),
            expiries,
        })
    }

    /// What must be read again when it changes.
    pub fn files(&self) -> Vec<PathBuf> {
        let client = self.client.iter().map(|client| &client.ca_file);
        client.chain([&self.cert_file, &self.key_file]).cloned().collect()
    }
}

impl ClientCheck {
    fn verifier(&self, expiries: &mut Vec<Expiry>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let authorities = files::certificates(CLIENT_CA, &self.ca_file)?;
        expiries.extend(Expiry::first(CLIENT_CA, &authorities));
        let anchors = Arc::new(files::anchors(CLIENT_CA, &authorities)?);
        let builder = WebPkiClientVerifier::builder_with_provider(anchors, Arc::new(ring::default_provider()));
        let builder = if self.is_required {
            builder
        } else {
            builder.allow_unauthenticated()
        };
        let verifier = builder.build().map_err(|error| wrong(CLIENT_CA, error))?;
        Ok(Arc::new(Pinned::new(verifier, self.pin.clone())))
    }
}

const CERT: &str = "listen_cert_file";
const KEY: &str = "listen_key_file";
const CLIENT_CA: &str = "listen_client_ca_file";
