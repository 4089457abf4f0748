//! TLS at both ends of the proxy, as the gateway itself has it: without it nothing inside of a connection could be changed.

use super::{Exit, Failure};
use async_trait::async_trait;
use hangu::tls::{ListenerTls, TlsClient, TlsConfig};
use simulators::proxy::{Handshake, InClear, Stream};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[derive(clap::Args)]
pub(super) struct TlsArgs {
    /// Listen under TLS with this certificate chain (PEM).
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, readable by its owner only.
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// Call the other side under TLS; it must be vouched for by this authority (PEM).
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The name that its certificate must carry; the host of --to when absent.
    #[arg(long, requires = "ca")]
    server_name: Option<String>,
    /// What it is shown, when it asks who calls.
    #[arg(long, requires_all = ["ca", "client_key"])]
    client_cert: Option<PathBuf>,
    #[arg(long, requires = "client_cert")]
    client_key: Option<PathBuf>,
}

type Shake = Arc<dyn Handshake>;

impl TlsArgs {
    /// Of those who connect, and of the other side.
    pub(super) fn handshakes(&self, to: &str) -> Result<(Shake, Shake), Failure> {
        Ok((self.inbound()?, self.outbound(to)?))
    }

    fn inbound(&self) -> Result<Shake, Failure> {
        let (Some(cert_file), Some(key_file)) = (self.cert.clone(), self.key.clone()) else {
            return Ok(Arc::new(InClear));
        };
        let listener = ListenerTls {
            cert_file,
            key_file,
            client: None,
        };
        let loaded = listener.load().map_err(|error| Failure::config("--cert", error))?;
        Ok(Arc::new(Listening(TlsAcceptor::from(loaded.config))))
    }

    fn outbound(&self, to: &str) -> Result<Shake, Failure> {
        let Some(ca_file) = self.ca.clone() else {
            return Ok(Arc::new(InClear));
        };
        let pair = self.client_cert.clone().zip(self.client_key.clone());
        let tls = TlsConfig {
            ca_file,
            server_name: self.server_name.clone(),
            client: pair.map(|(cert_file, key_file)| TlsClient { cert_file, key_file }),
        };
        let host = to.rsplit_once(':').map_or(to, |(host, _)| host);
        let name = tls
            .name(host)
            .map_err(|error| Failure::new(Exit::Usage, "--server-name", error))?;
        let loaded = tls.load_http().map_err(|error| Failure::config("--ca", error))?;
        Ok(Arc::new(Calling(TlsConnector::from(loaded.config), name)))
    }
}

struct Listening(TlsAcceptor);

#[async_trait]
impl Handshake for Listening {
    async fn shake(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        stream.set_nodelay(true)?;
        Ok(Box::new(self.0.accept(stream).await?))
    }
}

struct Calling(TlsConnector, ServerName<'static>);

#[async_trait]
impl Handshake for Calling {
    async fn shake(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        stream.set_nodelay(true)?;
        Ok(Box::new(self.0.connect(self.1.clone(), stream).await?))
    }
}
