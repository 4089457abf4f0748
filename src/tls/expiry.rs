//! Until when certificates hold. What is told of them is for people: nothing is decided by it.

use keys::certificate::Certificate;
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// The certificate of a file that ends first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expiry {
    /// The key that names the file.
    pub field: &'static str,
    pub subject: String,
    pub serial: String,
    pub not_after: OffsetDateTime,
}

impl Expiry {
    /// Whole days until it ends; negative afterwards.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_days()
    }

    /// None where no certificate can be read this closely, which is no reason to do without it.
    pub(super) fn first(field: &'static str, certificates: &[CertificateDer<'_>]) -> Option<Self> {
        let all = certificates.iter().filter_map(|der| Self::of(field, der));
        all.min_by_key(|expiry| expiry.not_after)
    }

    fn of(field: &'static str, der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        Some(Self {
            field,
            subject: certificate.subject(),
            serial: certificate.serial_hex(),
            not_after: certificate.not_after().ok()?,
        })
    }
}
