//! TLS to the database: the server must show a certificate for its address that leads to one of the given ones.

use crate::journal::JournalError;
use crate::tls::TlsConfig;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use tokio_rustls::rustls::pki_types::{InvalidDnsNameError, ServerName};

/// Makes connections encrypted; the default has no certificates and trusts nobody.
#[derive(Clone, Default)]
pub(super) struct Connector(Option<TlsConnector>);

/// One handshake to be made.
pub(super) struct Handshake {
    connector: Option<TlsConnector>,
    name: ServerName<'static>,
}

pub(super) struct Encrypted(client::TlsStream<Socket>);

impl Connector {
    pub(super) fn new(ca_file: &Path) -> Result<Self, JournalError> {
        let loaded = TlsConfig::trusting(ca_file)
            .load()
            .map_err(|error| JournalError::Refused(error.to_string()))?;
        Ok(Self(Some(TlsConnector::from(loaded.config))))
    }
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Encrypted;
    type TlsConnect = Handshake;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, InvalidDnsNameError> {
        // A connection that is not encrypted, such as one over a Unix socket, has no name to check.
        let name = if domain.is_empty() { "localhost" } else { domain };
        Ok(Handshake {
            connector: self.0.clone(),
            name: ServerName::try_from(name)?.to_owned(),
        })
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move {
            let connector = self
                .connector
                .ok_or_else(|| io::Error::other("no certificates to check the server's by"))?;
            Ok(Encrypted(connector.connect(self.name, stream).await?))
        })
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
