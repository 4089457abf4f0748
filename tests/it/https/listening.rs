//! Who is served by a listener and who is not, and what the unserved cannot do to others.

use super::{Listening, Piped, curl, http_of, listen_by, put, s_client, text};
use crate::certificates::Certificates;
use crate::process::get;
use crate::stand::{Stand, until};
use hangu::config::{Config, HttpConfig};
use hangu::journal::sqlite::SqliteJournal;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_serves_by_tls_1_2_and_1_3_on_one_connection() {
    let listening = Listening::start(|_, _| {}).await;
    for version in ["1.2", "1.3"] {
        let exactly = [format!("--tlsv{version}"), "--tls-max".to_owned(), version.to_owned()];
        let mut arguments: Vec<&str> = exactly.iter().map(String::as_str).collect();
        let again = listening.url();
        arguments.extend(["-o", "/dev/null", &again]);
        let ran = listening.curl(&arguments);
        assert_eq!(
            (ran.code, ran.said.as_str()),
            (Some(0), "400 1 400 0 "),
            "TLS {version}: one connection for two requests"
        );
    }
    let ca = text(listening.certificates.pem("ca"));
    let shaken = s_client(listening.port(), &["-CAfile", &ca, "-alpn", "h2,http/1.1"]);
    assert!(shaken.said.contains("ALPN protocol: http/1.1"), "{}", shaken.said);
    assert!(shaken.said.contains("Verify return code: 0 (ok)"), "{}", shaken.said);
    listening.stop().await;
}

/// What an outsider cannot get past, each by an implementation that is not ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_protocols_and_plain_http_are_refused_and_wrong_names_are_seen() {
    let listening = Listening::start(|_, _| {}).await;
    for version in ["-tls1_1", "-tls1"] {
        let old = s_client(listening.port(), &[version, "-cipher", "DEFAULT@SECLEVEL=0"]);
        assert_ne!(old.code, Some(0), "{}", old.said);
        // The refusal is the gateway's, and not that of an openssl which would not try.
        assert!(old.said.contains("SSL alert number"), "{}", old.said);
    }
    let answer = get(&format!("127.0.0.1:{}", listening.port()), "/").unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("this port speaks HTTPS only"),
        "{answer}"
    );
    let other = text(listening.certificates.pem("other"));
    assert_eq!(curl(&["--cacert", &other, &listening.url()]).code, Some(PEER_NOT_TRUSTED));
    let (port, ca) = (listening.port(), text(listening.certificates.pem("ca")));
    let elsewhere = format!("https://elsewhere.example:{port}/");
    let resolved = format!("elsewhere.example:{port}:127.0.0.1");
    assert_eq!(
        curl(&["--cacert", &ca, "--resolve", &resolved, &elsewhere]).code,
        Some(PEER_NOT_TRUSTED)
    );
    assert_eq!(listening.curl(&[]).said, SERVED);
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_client_certificate_is_served() {
    let listening = Listening::start(ask_for_certificates).await;
    for version in ["1.2", "1.3"] {
        let served = |name: &str| listening.curl_as(name, &["--tls-max", version]);
        assert_eq!(served("client").said, SERVED, "TLS {version}");
        for name in ["stranger", "expired"] {
            let ran = served(name);
            assert_ne!(ran.code, Some(0), "TLS {version}, {name}: {}", ran.said);
            assert!(ran.said.starts_with("000 "), "no status: {}", ran.said);
        }
        let nobody = listening.curl(&["--tls-max", version]);
        assert_ne!(nobody.code, Some(0), "{}", nobody.said);
        assert!(nobody.said.starts_with("000 "), "{}", nobody.said);
    }
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optional_certificate_may_be_missing_but_not_wrong() {
    let listening = Listening::start(|http, certificates| {
        ask_for_certificates(http, certificates);
        "optional".clone_into(&mut http.listen_client);
    })
    .await;
    assert_eq!(listening.curl(&[]).said, SERVED);
    assert_eq!(listening.curl_as("client", &[]).said, SERVED);
    assert!(listening.curl_as("stranger", &[]).said.starts_with("000 "));
    listening.stop().await;
}

/// An authority that vouches for the institution vouches for others too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_of_somebody_else_is_not_the_pinned_one() {
    let by_subject = |http: &mut HttpConfig, certificates: &Certificates| {
        ask_for_certificates(http, certificates);
        http.listen_client_subject = Some("CN=client".to_owned());
    };
    let by_serial = |http: &mut HttpConfig, certificates: &Certificates| {
        ask_for_certificates(http, certificates);
        let serial = certificates.serial("client");
        http.listen_client_serials = vec!["ff:ff".to_owned(), format!("00:{}", serial.to_lowercase())];
    };
    for pinned in [&by_subject as &(dyn Fn(&mut HttpConfig, &Certificates) + Sync), &by_serial] {
        let listening = Listening::start(pinned).await;
        assert_eq!(listening.curl_as("client", &[]).said, SERVED);
        // `server` is vouched for by the same authority.
        let other = listening.curl_as("server", &[]);
        assert!(
            other.said.starts_with("000 ") && other.said.contains("alert"),
            "{}",
            other.said
        );
        listening.stop().await;
    }
}

/// A subject is entered as openssl prints it, whatever is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_subject_is_written_as_openssl_writes_it() {
    let listening = Listening::start(|http, certificates| {
        ask_for_certificates(http, certificates);
        certificates.issue("payer", "ca", "/C=CN/O=\u{8d22}\u{4ed8}\u{901a}, Ltd/CN=pay;er");
        http.listen_client_subject = Some(certificates.subject("payer"));
    })
    .await;
    let subject = listening.certificates.subject("payer");
    let ran = listening.curl_as("payer", &[]);
    assert_eq!(ran.said, SERVED, "{subject}");
    assert!(listening.curl_as("client", &[]).said.starts_with("000 "));
    listening.stop().await;
}

/// Handshakes that somebody begins and never ends take up his own listener alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_at_one_listener_leave_another_alone() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let certificates = Certificates::make(&stand.folder.path().join("tls"));
    let one = stand
        .start("one", |config: &mut Config| {
            let other = config.link["platform"].clone();
            config.link.insert("hostile".to_owned(), other);
            for link in ["platform", "hostile"] {
                listen_by(http_of(config, link), &certificates);
            }
            let hostile = http_of(config, "hostile");
            (hostile.connections_max, hostile.handshake_ms) = (Some(8), 600_000);
        })
        .await;
    let [hostile, other] = ["hostile", "platform"].map(|link| one.addresses[link]);
    let mut half_open: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(hostile).unwrap()).collect();
    for stream in &mut half_open {
        // The beginning of a record that says that more will follow.
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).unwrap();
    }
    let ca = text(certificates.pem("ca"));
    let ask = |address: SocketAddr, patience: &str| {
        let url = format!("https://localhost:{}/", address.port());
        curl(&["--cacert", &ca, "-m", patience, &url])
    };
    for _ in 0..20 {
        assert_eq!(ask(other, "60").said, SERVED);
    }
    let stuck = ask(hostile, "1");
    assert_eq!(stuck.code, Some(TIMED_OUT), "every place is taken: {}", stuck.said);
    drop(half_open);
    assert_eq!(ask(hostile, "60").said, SERVED);
    let garbage = thread::spawn(move || {
        let sent = (0..400).filter_map(|_| TcpStream::connect(hostile).ok());
        sent.filter_map(|mut stream| stream.write_all(&[0; 64]).ok()).count()
    });
    while !garbage.is_finished() {
        assert_eq!(ask(other, "60").said, SERVED);
    }
    assert!(garbage.join().unwrap() > 300);
    assert_eq!(ask(hostile, "60").said, SERVED);
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

/// Nor do they take up their own listener for longer than a handshake may last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_head_or_body_that_drips_is_cut_off() {
    let listening = Listening::start(|http, _| {
        http.connections_max = Some(2);
        (http.handshake_ms, http.head_ms, http.body_ms) = (300, 400, 400);
    })
    .await;
    let half_open: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(listening.one.address).unwrap()).collect();
    assert_eq!(listening.curl(&[]).said, SERVED);
    for mut stream in half_open {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.is_empty(), "nothing is told to one who says nothing");
    }
    let ca = listening.certificates.pem("ca");
    let mut head = Piped::client(listening.port(), &ca);
    head.send("POST /v1/anything HTTP/1.1\r\nhost: local");
    assert!(!head.rest().contains("200"));
    let mut body = Piped::client(listening.port(), &ca);
    body.send("POST /v1/anything HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nthe beginning");
    assert!(body.rest().starts_with("HTTP/1.1 413 "));
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_files_count_for_new_connections_and_leave_old_ones_alone() {
    let listening = Listening::start(|_, _| {}).await;
    let certificates = &listening.certificates;
    let (ca, port) = (certificates.pem("ca"), listening.port());
    let shown = || {
        let said = s_client(port, &["-CAfile", ca.to_str().unwrap()]).said;
        let line = said.lines().find(|line| line.starts_with("subject="));
        line.map(|line| line.trim_start_matches("subject=").replace(' ', "")).unwrap()
    };
    assert_eq!(shown(), "CN=server");
    let mut kept = Piped::client(port, &ca);
    kept.send(REQUEST);
    assert!(kept.line_with("HTTP/1.1").contains("400"));

    put("client", certificates);
    until("the renewed certificate is shown", async || shown() == "CN=client").await;
    // What does not work is not taken; the one before is shown further, and so is the next that works.
    fs::write(certificates.pem("listener"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(shown(), "CN=client");
    fs::copy(certificates.pem("server"), certificates.pem("listener")).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(shown(), "CN=client", "a chain without its key");
    fs::copy(certificates.key("server"), certificates.key("listener")).unwrap();
    fs::set_permissions(certificates.key("listener"), fs::Permissions::from_mode(0o600)).unwrap();
    until("chain and key fit", async || shown() == "CN=server").await;

    kept.send(REQUEST);
    assert!(kept.line_with("HTTP/1.1").contains("400"), "the old connection is up");
    listening.stop().await;
}

fn ask_for_certificates(http: &mut HttpConfig, certificates: &Certificates) {
    http.listen_client_ca_file = Some(certificates.pem("ca"));
}

const REQUEST: &str = "GET /v1/anything HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Exit codes of curl.
const PEER_NOT_TRUSTED: i32 = 60;
const TIMED_OUT: i32 = 28;
/// A request that nobody signed is refused by the gateway itself, so that it got there; over a connection of its own.
const SERVED: &str = "400 1 ";
