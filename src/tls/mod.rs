//! TLS 1.2 and 1.3 by files: the one place that reads certificates and keys, for brokers, databases and HTTP links.
//!
//! Trust comes from the named files alone, never from the system's store, and no switch turns a check off. Nothing here
//! connects or listens.

mod client;
mod expiry;
mod files;
mod pin;
mod renewing;
mod server;

pub use client::{TlsClient, TlsConfig};
pub use expiry::Expiry;
pub use pin::Pin;
pub use renewing::{Look, Renewing};
pub use server::{ClientCheck, ListenerTls};

use std::sync::Arc;

/// A setting that cannot work: the key that names the file or value, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct TlsError {
    pub field: &'static str,
    pub detail: String,
}

/// A configuration, and until when the certificates that it was made of hold.
pub struct Loaded<C> {
    pub config: Arc<C>,
    pub expiries: Vec<Expiry>,
}

fn wrong(field: &'static str, detail: impl ToString) -> TlsError {
    TlsError {
        field,
        detail: detail.to_string(),
    }
}

/// The only protocol that an HTTP link agrees to (RFC 7301).
const HTTP: &[u8] = b"http/1.1";
