//! The simulators speak HTTP without TLS. Where a configuration asks for TLS, a tester may say that they stand in for it in clear
//! all the same: on this machine alone, where nobody else can read along.

use super::{Failure, Settings};
use hangu::config::HttpConfig;
use std::net::{IpAddr, SocketAddr};

/// Where a simulator listens for the gateway's calls.
pub(super) fn address(settings: &Settings, link: &str, http: &HttpConfig) -> Result<String, Failure> {
    let place = format!("link.{link}.http");
    let (has_tls, address) = stripped(&http.base_url);
    let has_tls = has_tls || http.listen_cert_file.is_some() || http.tls_ca_file.is_some();
    allowed(has_tls, settings.without_tls, address).map_err(|detail| Failure::config(place, detail))?;
    Ok(address.to_owned())
}

fn allowed(has_tls: bool, without_tls: bool, address: &str) -> Result<(), String> {
    match (has_tls, without_tls) {
        (false, _) => Ok(()),
        (true, false) => Err("the simulator speaks HTTP without TLS; --without-tls lets it, on this machine alone".to_owned()),
        (true, true) if is_loopback(address) => Ok(()),
        (true, true) => Err(format!(
            "--without-tls is for this machine alone, and {address} is no loopback address"
        )),
    }
}

/// Whether it is a URL of HTTPS, and host and port.
fn stripped(url: &str) -> (bool, &str) {
    let (has_tls, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://").unwrap_or(url)),
    };
    (has_tls, rest.trim_end_matches('/'))
}

/// A name may be anybody's: only addresses count, and the one name that is this machine's by its standard.
fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let ip = address.parse::<SocketAddr>().map(|address| address.ip());
    let ip = ip.or_else(|_| host.parse::<IpAddr>());
    ip.is_ok_and(|ip| ip.is_loopback()) || host == "localhost"
}

#[cfg(test)]
mod tests {
    use super::{allowed, is_loopback, stripped};

    #[test]
    fn tls_is_left_out_on_this_machine_alone_and_only_when_asked() {
        assert_eq!(stripped("https://127.0.0.1:8443/"), (true, "127.0.0.1:8443"));
        assert_eq!(stripped("http://bank.example:80"), (false, "bank.example:80"));
        for (address, is) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("localhost:1", true),
            ("10.0.0.1:1", false),
            ("localhost.example:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(is_loopback(address), is, "{address}");
        }
        assert_eq!(allowed(false, false, "10.0.0.1:1"), Ok(()));
        assert!(
            allowed(true, false, "127.0.0.1:1")
                .unwrap_err()
                .contains("--without-tls lets it")
        );
        assert_eq!(allowed(true, true, "127.0.0.1:1"), Ok(()));
        assert!(allowed(true, true, "10.0.0.1:1").unwrap_err().contains("no loopback address"));
    }
}
