//! PEM files: certificates and authorities that anybody may read, private keys that only their owner may.

use super::{TlsError, wrong};
use crate::secret::{read_public, read_secret};
use std::path::Path;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Every certificate of a file, in order; at least one.
pub(super) fn certificates(field: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read_public(file).map_err(|detail| wrong(field, detail))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| wrong(field, format!("{}: {error}", file.display())))?;
    if found.is_empty() {
        return Err(wrong(field, format!("{}: there is no certificate in it", file.display())));
    }
    Ok(found)
}

/// The private key of a file; no error shows anything of it.
pub(super) fn private_key(field: &'static str, file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_secret(file).map_err(|detail| wrong(field, detail))?;
    let read = PrivateKeyDer::from_pem_slice(text.as_bytes());
    read.map_err(|_| wrong(field, format!("{}: there is no private key in it", file.display())))
}

/// Those who may vouch for the other side.
pub(super) fn anchors(field: &'static str, certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone()).map_err(|error| wrong(field, error))?;
    }
    Ok(store)
}
