//! What comes of a call by https: an answer, "not sent" only where the request cannot have been taken, else "unknown".

use super::{Piped, text};
use crate::certificates::Certificates;
use codecs::wire::{Start, Wire};
use hangu::exchange::{CallError, Caller};
use hangu::link::http::{Called, HttpCaller};
use hangu::tls::{Look, TlsClient, TlsConfig};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counterparty_is_called_by_tls_1_2_and_1_3_over_one_connection() {
    let scene = Scene::new();
    for version in ["-tls1_2", "-tls1_3"] {
        // It serves one connection at a time: a second one would wait for ever.
        let peer = scene.peer("server", &[version]);
        let caller = scene.caller(&peer, |_| {});
        let answering = peer.answering(&[&ok("one"), &ok("two")]);
        for expected in ["one", "two"] {
            let answer = call(&caller).await.unwrap();
            assert_eq!(
                (answer.start, answer.body),
                (Start::Status(200), expected.as_bytes().to_vec())
            );
        }
        let (_peer, asked) = answering.join().unwrap();
        assert_eq!(asked, ["POST /pay HTTP/1.1", "POST /pay HTTP/1.1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let scene = Scene::new();
    let peer = scene.peer("server", &[]);
    let caller = scene.caller(&peer, |_| {});
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: https://localhost:1/other\r\ncontent-length: 0\r\n\r\n";
    let answering = peer.answering(&[elsewhere]);
    assert_eq!(call(&caller).await.unwrap().start, Start::Status(302));
    answering.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_one_who_cannot_prove_its_name() {
    let scene = Scene::new();
    let peer = scene.peer("server", &[]);
    let other = scene.caller(&peer, |tls| tls.ca_file = scene.certificates.pem("other"));
    not_sent(&other, "UnknownIssuer").await;
    let elsewhere = scene.caller(&peer, |tls| tls.server_name = Some("elsewhere.example".to_owned()));
    not_sent(&elsewhere, "not valid for name \"elsewhere.example\"").await;
    let expired = scene.peer("expired", &[]);
    not_sent(&scene.caller(&expired, |_| {}), "certificate expired").await;
    let old = scene.peer("server", &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    not_sent(&scene.caller(&old, |_| {}), "ProtocolVersion").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_where_no_handshake_comes_about() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = scene.called(port, 300, |_| {});
    not_sent(&silent, "no TLS handshake within 300 ms").await;
    // The call's own time may be over first.
    let brief = silent.call(&request(), Duration::from_millis(100)).await;
    assert!(matches!(brief, Err(CallError::NotSent(_))), "{brief:?}");
    let plain = thread::spawn(move || {
        // Two connections of before, and the one that is answered.
        for stream in listener.incoming().take(3) {
            let mut stream = stream.unwrap();
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
            drop(stream.read(&mut [0; 1024]));
        }
        drop(listener);
    });
    not_sent(&silent, "InvalidContentType").await;
    plain.join().unwrap();
    not_sent(&silent, "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_certificate_is_shown_and_its_refusal_is_not_sent() {
    let scene = Scene::new();
    let ca = text(scene.certificates.pem("ca"));
    let asking = ["-Verify", "2", "-verify_return_error", "-CAfile", &ca];
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [&asking[..], &[version]].concat();
        let peer = scene.peer("server", &arguments);
        let known = scene.caller(&peer, |tls| tls.client = scene.client("client"));
        let answering = peer.answering(&[&ok("known")]);
        assert_eq!(call(&known).await.unwrap().body, b"known");
        drop(answering.join().unwrap());

        for client in [None, scene.client("stranger")] {
            let peer = scene.peer("server", &arguments);
            let caller = scene.caller(&peer, |tls| tls.client = client.clone());
            // Under TLS 1.3 the refusal may be overtaken by the end of the connection: then the outcome is unknown.
            let mut tried = 0;
            while let Err(CallError::Unknown(reason)) = refused(&caller).await {
                tried += 1;
                assert!(version == "-tls1_3" && tried < 50, "{version}: {reason}");
            }
        }
    }
}

/// Whoever cuts the connection after the request may have executed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_after_the_request_is_unknown() {
    let scene = Scene::new();
    let beginning = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning";
    // Without a length an answer ends with the connection: only TLS can tell the end from a cut.
    let endless = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nthe beginning";
    for answer in ["", beginning, endless] {
        let peer = scene.peer("server", &[]);
        let caller = scene.caller(&peer, |_| {});
        let answering = peer.answering(&[answer]);
        let calling = tokio::spawn(async move { call(&caller).await });
        let (peer, asked) = answering.join().unwrap();
        assert_eq!(asked, ["POST /pay HTTP/1.1"]);
        drop(peer);
        let outcome = calling.await.unwrap();
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{answer:?}: {outcome:?}");
    }
    // Nor does one who never answers.
    let peer = scene.peer("server", &[]);
    let caller = scene.caller(&peer, |_| {});
    let outcome = caller.call(&request(), Duration::from_millis(1_500)).await;
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_of_ours_is_shown_on_the_next_call() {
    let scene = Scene::new();
    let ca = text(scene.certificates.pem("ca"));
    let [cert, key] = [scene.certificates.pem("ours"), scene.certificates.key("ours")];
    let put = |name: &str| {
        fs::copy(scene.certificates.key(name), &key).unwrap();
        fs::copy(scene.certificates.pem(name), &cert).unwrap();
    };
    put("stranger");
    let peer = scene.peer("server", &["-Verify", "2", "-verify_return_error", "-CAfile", &ca, "-tls1_2"]);
    let ours = TlsClient {
        cert_file: cert.clone(),
        key_file: key.clone(),
    };
    let caller = scene.caller(&peer, |tls| tls.client = Some(ours));
    not_sent(&caller, "alert").await;
    put("client");
    assert_eq!(caller.certificates().unwrap().look(false), Look::Renewed);
    let answering = peer.answering(&[&ok("renewed")]);
    assert_eq!(call(&caller).await.unwrap().body, b"renewed");
    answering.join().unwrap();
}

async fn call(caller: &HttpCaller) -> Result<Wire, CallError> {
    caller.call(&request(), Duration::from_secs(30)).await
}

async fn not_sent(caller: &HttpCaller, reason: &str) {
    match call(caller).await {
        Err(CallError::NotSent(said)) => assert!(said.contains(reason), "{reason}: {said}"),
        other => panic!("{reason}: {other:?}"),
    }
}

async fn refused(caller: &HttpCaller) -> Result<(), CallError> {
    match call(caller).await {
        Ok(answer) => panic!("answered: {answer:?}"),
        Err(CallError::NotSent(said)) => {
            assert!(said.contains("alert"), "{said}");
            Ok(())
        }
        Err(unknown) => Err(unknown),
    }
}

fn request() -> Wire {
    Wire {
        start: Start::Request {
            method: "POST".to_owned(),
            target: "/pay".to_owned(),
        },
        headers: Vec::new(),
        body: b"{}".to_vec(),
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

struct Scene {
    _folder: TempDir,
    certificates: Certificates,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            certificates: Certificates::make(&folder.path().join("tls")),
            _folder: folder,
        }
    }

    /// An `openssl s_server` under a certificate.
    fn peer(&self, name: &str, more: &[&str]) -> Peer {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-cert"]);
        command
            .arg(self.certificates.pem(name))
            .arg("-key")
            .arg(self.certificates.key(name));
        let mut process = Piped::start(command.args(more));
        let accepting = process.line_with("ACCEPT ");
        let port = accepting.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        Peer { process, port }
    }

    fn caller(&self, peer: &Peer, change: impl FnOnce(&mut TlsConfig)) -> HttpCaller {
        self.called(peer.port, 20_000, change)
    }

    fn called(&self, port: u16, handshake_ms: u64, change: impl FnOnce(&mut TlsConfig)) -> HttpCaller {
        let mut tls = TlsConfig::trusting(&self.certificates.pem("ca"));
        change(&mut tls);
        let called = Called {
            base_url: format!("https://localhost:{port}"),
            tls: Some(tls),
            connect_max: Duration::from_secs(5),
            handshake_max: Duration::from_millis(handshake_ms),
        };
        HttpCaller::open(called).unwrap()
    }

    fn client(&self, name: &str) -> Option<TlsClient> {
        Some(TlsClient {
            cert_file: self.certificates.pem(name),
            key_file: self.certificates.key(name),
        })
    }
}

struct Peer {
    process: Piped,
    port: u16,
}

impl Peer {
    /// Answers one request after another on a thread, and gives their first lines.
    fn answering(mut self, answers: &[&str]) -> thread::JoinHandle<(Self, Vec<String>)> {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                // The body of the one before ends without a line of its own.
                let line = self.process.line_with("POST ");
                let (_before, first) = line.split_once("POST ").unwrap();
                asked.push(format!("POST {}", first.trim()));
                while !self.process.line_with("\n").trim().is_empty() {}
                self.process.send(&answer);
            }
            (self, asked)
        })
    }
}
