//! Which of the certificates that an authority vouches for is the institution's own: an authority serves many customers.

use keys::certificate::Certificate;
use std::fmt;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};

/// What a client's certificate must carry besides a trusted signature; what is not named is not asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pin {
    /// RFC 4514, the most specific name first.
    pub subject: Option<String>,
    /// Hexadecimal; several, so that the next certificate can be entered before the last one ends.
    pub serials: Vec<String>,
}

impl Pin {
    /// Why this certificate is not the one, if it is not.
    fn refusal(&self, certificate: &Certificate) -> Option<NotPinned> {
        let (subject, serial) = (certificate.subject(), certificate.serial_hex());
        let is_subject = self.subject.as_ref().is_none_or(|wanted| *wanted == subject);
        let is_serial = self.serials.is_empty() || self.serials.iter().any(|wanted| number(wanted) == number(&serial));
        (!is_subject || !is_serial).then_some(NotPinned { subject, serial })
    }
}

/// Checks the chain first, then the pin.
#[derive(Debug)]
pub(super) struct Pinned {
    chain: Arc<dyn ClientCertVerifier>,
    pin: Pin,
}

impl Pinned {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, pin: Pin) -> Self {
        Self { chain, pin }
    }
}

impl ClientCertVerifier for Pinned {
    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        if self.pin == Pin::default() {
            return Ok(verified);
        }
        let certificate = Certificate::from_der(end_entity).map_err(|_| Error::from(CertificateError::BadEncoding))?;
        match self.pin.refusal(&certificate) {
            None => Ok(verified),
            Some(refusal) => Err(CertificateError::Other(OtherError(Arc::new(refusal))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A good certificate of somebody else. Its names are shown, so that they can be compared and entered.
struct NotPinned {
    subject: String,
    serial: String,
}

impl std::error::Error for NotPinned {}

/// The library shows what is inside its errors in this form.
impl fmt::Debug for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate of {}, serial {}, is not pinned", self.subject, self.serial)
    }
}

/// Digits as they are compared: `0A:1B` and `a1b` are one number.
fn number(text: &str) -> String {
    let digits = text.replace(':', "").to_ascii_uppercase();
    digits.trim_start_matches('0').to_owned()
}
