//! A payment by HTTPS all the way: curl as the institution, with a certificate of its own, and a platform behind TLS.

use super::{Ran, http_of, listen_by, ran, text};
use crate::certificates::Certificates;
use crate::institutions::{debit, emit, with_epcc_where};
use crate::stand::world;
use codecs::payment::{Operation, Outcome};
use codecs::wire::{Start, Wire};
use hangu::tls::{ClientCheck, ListenerTls, Pin};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_by_https_both_ways() {
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = relay.local_addr().unwrap().port();
    let (stand, epcc, one) = with_epcc_where(|config, folder| {
        let certificates = Certificates::make(&folder.join("tls"));
        let http = http_of(config, "epcc");
        listen_by(http, &certificates);
        http.listen_client_ca_file = Some(certificates.pem("ca"));
        http.listen_client_subject = Some("CN=client".to_owned());
        let http = http_of(config, "platform");
        http.base_url = format!("https://localhost:{port}");
        http.tls_ca_file = Some(certificates.pem("ca"));
        (http.tls_cert_file, http.tls_key_file) = (Some(certificates.pem("server")), Some(certificates.key("server")));
    })
    .await;
    let folder = stand.folder.path();
    let relaying = tokio::spawn(sealed(relay, folder.join("tls"), stand.platform.address()));
    let request = emit(&epcc, "epcc.201.001.01", &debit("2030010200000000000000000000009", 1234));
    let asked = curl_as(folder, "client", one.addresses["epcc"].port(), &request);
    assert_eq!(asked.code, Some(0), "{}", asked.said);
    let reply = epcc.receive(&answer(folder), world().now()).unwrap();
    assert_eq!((reply.operation, reply.outcome), (Operation::Debit, Some(Outcome::Success)));
    let booked: Vec<_> = stand
        .platform
        .books()
        .entries
        .values()
        .map(|entry| entry.executions)
        .collect();
    assert_eq!(booked, [1]);

    // Well signed, but not over the institution's own connection.
    let other = emit(&epcc, "epcc.201.001.01", &debit("2030010200000000000000000000010", 1234));
    let refused = curl_as(folder, "server", one.addresses["epcc"].port(), &other);
    assert_ne!(refused.code, Some(0));
    assert!(refused.said.contains("alert"), "{}", refused.said);
    assert_eq!(stand.platform.books().entries.len(), 1);
    assert!(one.running.stop(Duration::from_secs(10)).await);
    relaying.abort();
}

/// The platform behind TLS, for those who show a certificate.
async fn sealed(listener: TcpListener, folder: std::path::PathBuf, platform: SocketAddr) {
    let tls = ListenerTls {
        cert_file: folder.join("server.pem"),
        key_file: folder.join("server.key"),
        client: Some(ClientCheck {
            ca_file: folder.join("ca.pem"),
            is_required: true,
            pin: Pin::default(),
        }),
    };
    let acceptor = TlsAcceptor::from(tls.load().unwrap().config);
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _peer) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut near = acceptor.accept(stream).await.unwrap();
            let mut far = TcpStream::connect(platform).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
    }
}

/// Sends a message by curl under a certificate.
fn curl_as(folder: &Path, name: &str, port: u16, wire: &Wire) -> Ran {
    let Start::Request { method, target } = &wire.start else {
        panic!("no request")
    };
    let file = |name: &str| text(folder.join(name));
    fs::write(folder.join("asked"), &wire.body).unwrap();
    let mut command = Command::new("curl");
    command.args([
        "-sS",
        "-m",
        "60",
        "-X",
        method,
        "--data-binary",
        &format!("@{}", file("asked")),
    ]);
    command.args(["-o", &file("answered"), "-D", &file("head")]);
    command.args(["--cacert", &file("tls/ca.pem")]);
    command.args([
        "--cert",
        &file(&format!("tls/{name}.pem")),
        "--key",
        &file(&format!("tls/{name}.key")),
    ]);
    for (key, value) in &wire.headers {
        command.args(["-H", &format!("{key}: {value}")]);
    }
    ran(command.arg(format!("https://localhost:{port}{target}")), "curl")
}

/// What curl got, as it came.
fn answer(folder: &Path) -> Wire {
    let head = fs::read_to_string(folder.join("head")).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    Wire {
        start: Start::Status(status),
        headers: pairs.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect(),
        body: fs::read(folder.join("answered")).unwrap(),
    }
}
