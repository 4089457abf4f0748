//! `[link.*.http]`: where a counterparty is called and where it calls us, and how both are proven.

use super::{ConfigError, LinkConfig, wrong};
use crate::link::door::Bounds;
use crate::link::http::Called;
use crate::tls::{ClientCheck, ListenerTls, Pin, TlsClient, TlsConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where we call the counterparty: http, or https with `tls_ca_file`.
    pub base_url: String,
    /// Authorities that may vouch for the counterparty (PEM); the system's are never asked.
    #[serde(default)]
    pub tls_ca_file: Option<PathBuf>,
    /// The name that its certificate must carry; the host of `base_url` when absent.
    #[serde(default)]
    pub tls_server_name: Option<String>,
    /// Our own certificate and key (PEM; key mode 0600), where the counterparty asks for one; both or none.
    #[serde(default)]
    pub tls_cert_file: Option<PathBuf>,
    #[serde(default)]
    pub tls_key_file: Option<PathBuf>,
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// Where the counterparty calls us.
    pub listen: String,
    /// Our certificate and key for those who call; their presence means HTTPS.
    #[serde(default)]
    pub listen_cert_file: Option<PathBuf>,
    #[serde(default)]
    pub listen_key_file: Option<PathBuf>,
    /// Authorities that may vouch for who calls; nobody is asked for a certificate when absent.
    #[serde(default)]
    pub listen_client_ca_file: Option<PathBuf>,
    /// `required` or `optional`.
    #[serde(default = "required")]
    pub listen_client: String,
    /// Subject and serial numbers of which the caller's certificate must have one.
    #[serde(default)]
    pub listen_client_subject: Option<String>,
    #[serde(default)]
    pub listen_client_serials: Vec<String>,
    /// Connections of the listener; twice `in_flight_max` when absent.
    #[serde(default)]
    pub connections_max: Option<usize>,
    #[serde(default = "handshake_ms")]
    pub handshake_ms: u64,
    #[serde(default = "head_ms")]
    pub head_ms: u64,
    #[serde(default = "body_ms")]
    pub body_ms: u64,
}

impl HttpConfig {
    /// How the counterparty is called; the check saw that https has its authorities.
    pub fn called(&self) -> Called {
        Called {
            base_url: self.base_url.clone(),
            tls: self.calling_tls(),
            connect_max: Duration::from_millis(self.connect_ms),
            handshake_max: Duration::from_millis(self.handshake_ms),
        }
    }

    /// Files and name for https.
    pub fn calling_tls(&self) -> Option<TlsConfig> {
        let client = self.tls_cert_file.clone().zip(self.tls_key_file.clone());
        Some(TlsConfig {
            ca_file: self.tls_ca_file.clone()?,
            server_name: self.tls_server_name.clone(),
            client: client.map(|(cert_file, key_file)| TlsClient { cert_file, key_file }),
        })
    }

    /// Files of the listener, if it speaks TLS.
    pub fn listening_tls(&self) -> Option<ListenerTls> {
        let (cert_file, key_file) = self.listen_cert_file.clone().zip(self.listen_key_file.clone())?;
        let client = self.listen_client_ca_file.clone().map(|ca_file| ClientCheck {
            ca_file,
            is_required: self.listen_client == REQUIRED,
            pin: self.pin(),
        });
        Some(ListenerTls {
            cert_file,
            key_file,
            client,
        })
    }

    fn pin(&self) -> Pin {
        Pin {
            subject: self.listen_client_subject.clone(),
            serials: self.listen_client_serials.clone(),
        }
    }

    pub(super) fn take_files_from(&mut self, folder: &Path) {
        let files = [
            &mut self.tls_ca_file,
            &mut self.tls_cert_file,
            &mut self.tls_key_file,
            &mut self.listen_cert_file,
            &mut self.listen_key_file,
            &mut self.listen_client_ca_file,
        ];
        for file in files {
            *file = file.take().map(|file| folder.join(file));
        }
    }
}

impl LinkConfig {
    /// What the link's listener allows.
    pub fn listener_bounds(&self, http: &HttpConfig) -> Bounds {
        let usual = self.in_flight_max.saturating_mul(2);
        Bounds {
            handshake_max: Duration::from_millis(http.handshake_ms),
            head_max: Duration::from_millis(http.head_ms),
            body_max: Duration::from_millis(http.body_ms),
            ..Bounds::of(http.connections_max.unwrap_or(usual))
        }
    }
}

pub(super) fn check(name: &str, http: &HttpConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.http.{key}");
    if http.listen.parse::<std::net::SocketAddr>().is_err() {
        return Err(wrong(&place("listen"), "address:port"));
    }
    if http.connections_max.is_some_and(|max| !(1..=65_536).contains(&max)) {
        return Err(wrong(&place("connections_max"), "1 to 65536"));
    }
    for (key, ms) in [
        ("connect_ms", http.connect_ms),
        ("handshake_ms", http.handshake_ms),
        ("head_ms", http.head_ms),
        ("body_ms", http.body_ms),
    ] {
        if !(10..=600_000).contains(&ms) {
            return Err(wrong(&place(key), "10 to 600000"));
        }
    }
    check_calling(name, http)?;
    check_listening(name, http)
}

fn check_calling(name: &str, http: &HttpConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.http.{key}");
    let uri = http.base_url.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some());
    let is_https = match uri.as_ref().and_then(hyper::Uri::scheme_str) {
        Some("http") => false,
        Some("https") => true,
        Some(_) | None => return Err(wrong(&place("base_url"), "http://host:port or https://host:port")),
    };
    if http.tls_cert_file.is_some() != http.tls_key_file.is_some() {
        return Err(wrong(&place("tls_cert_file"), "both tls_cert_file and tls_key_file, or none"));
    }
    // Whoever names certificates believes that they count.
    let any = http.tls_ca_file.is_some() || http.tls_server_name.is_some() || http.tls_cert_file.is_some();
    if any && !is_https {
        return Err(wrong(&place("base_url"), "https://host:port, since tls_ keys are set"));
    }
    if is_https && http.tls_ca_file.is_none() {
        return Err(wrong(
            &place("tls_ca_file"),
            "a file with the authorities to trust, since base_url is https; the system's are never asked",
        ));
    }
    Ok(())
}

fn check_listening(name: &str, http: &HttpConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.http.{key}");
    if http.listen_cert_file.is_some() != http.listen_key_file.is_some() {
        let allowed = "both listen_cert_file and listen_key_file, or none";
        return Err(wrong(&place("listen_cert_file"), allowed));
    }
    if http.listen_client_ca_file.is_some() && http.listen_cert_file.is_none() {
        return Err(wrong(
            &place("listen_cert_file"),
            "a file, since listen_client_ca_file is set",
        ));
    }
    if ![REQUIRED, "optional"].contains(&http.listen_client.as_str()) {
        return Err(wrong(&place("listen_client"), "required or optional"));
    }
    let is_pinned = http.pin() != Pin::default();
    if is_pinned && http.listen_client_ca_file.is_none() {
        return Err(wrong(
            &place("listen_client_ca_file"),
            "a file, since the client's certificate is pinned",
        ));
    }
    if is_pinned && http.listen_client != REQUIRED {
        return Err(wrong(
            &place("listen_client"),
            "required, since the client's certificate is pinned",
        ));
    }
    let is_serial = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    if !http.listen_client_serials.iter().all(is_serial) {
        return Err(wrong(
            &place("listen_client_serials"),
            "hexadecimal digits, as `openssl x509 -serial` prints them",
        ));
    }
    Ok(())
}

const REQUIRED: &str = "required";

fn required() -> String {
    REQUIRED.to_owned()
}
const fn connect_ms() -> u64 {
    2_000
}
const fn handshake_ms() -> u64 {
    5_000
}
const fn head_ms() -> u64 {
    30_000
}
const fn body_ms() -> u64 {
    10_000
}
