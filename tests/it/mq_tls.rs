//! TLS to the broker and secrets from files: what is refused, in which words, and that files are read again.

use crate::broker;
use crate::certificates::Certificates;
use crate::mq_conformance::{confirmed, declared, next, wait_until};
use crate::proxy::{Fault, Proxy};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password, TlsClient, TlsConfig};
use hangu::mq::{Mq, SharedMq};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

fn config(address: &str, tls: Option<TlsConfig>) -> AmqpConfig {
    AmqpConfig {
        addresses: vec![address.to_owned()],
        password: Password::new("guest"),
        tls,
        ..AmqpConfig::default()
    }
}

fn tls(certificates: &Certificates, authority: &str) -> TlsConfig {
    TlsConfig {
        ca_file: certificates.pem(authority),
        server_name: None,
        client: None,
    }
}

fn client(certificates: &Certificates, name: &str) -> Option<TlsClient> {
    Some(TlsClient {
        cert_file: certificates.pem(name),
        key_file: certificates.key(name),
    })
}

async fn carries(config: AmqpConfig, queue: &str) {
    let mq: SharedMq = Arc::new(AmqpMq::open(config).unwrap());
    let queue = declared(&mq, queue).await;
    let mut consumer = mq.consume(&queue, 1);
    wait_until("connected", || mq.state().connected).await;
    confirmed(&mq, &queue, "a").await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message_id.as_deref(), Some("a"));
    delivery.settle.ack().await;
    mq.close().await;
}

/// Says why no connection comes about; nothing of it may name a secret.
async fn refused(config: AmqpConfig, reason: &str) {
    let mq = AmqpMq::open(config).unwrap();
    let error = mq.check(&["t.x".to_owned()]).await.unwrap_err().to_string();
    assert!(error.contains("not reachable") && error.contains(reason), "{error}");
    assert!(!mq.state().connected);
    mq.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_certificates_carry() {
    let broker = broker::shared();
    let (address, certificates) = (broker.tls_address(), broker.certificates());
    carries(config(&address, Some(tls(certificates, "ca"))), "s.plain").await;
    let mutual = TlsConfig {
        client: client(certificates, "client"),
        ..tls(certificates, "ca")
    };
    carries(config(&address, Some(mutual)), "s.mutual").await;
    let by_number = address.replace("localhost", "127.0.0.1");
    carries(config(&by_number, Some(tls(certificates, "ca"))), "s.number").await;
    let named = TlsConfig {
        server_name: Some("localhost".to_owned()),
        ..tls(certificates, "ca")
    };
    carries(config(&by_number, Some(named)), "s.named").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_ones_are_refused_in_clear_words() {
    let broker = broker::shared();
    let (address, certificates) = (broker.tls_address(), broker.certificates());
    refused(config(&address, Some(tls(certificates, "other"))), "UnknownIssuer").await;
    let other_name = TlsConfig {
        server_name: Some("mq.elsewhere.example".to_owned()),
        ..tls(certificates, "ca")
    };
    refused(
        config(&address, Some(other_name)),
        "not valid for name \"mq.elsewhere.example\"",
    )
    .await;
    let stranger = TlsConfig {
        client: client(certificates, "stranger"),
        ..tls(certificates, "ca")
    };
    refused(config(&address, Some(stranger)), "refuses our certificate").await;
    let expired = Server::start(certificates, "expired");
    refused(config(&expired.address, Some(tls(certificates, "ca"))), "certificate expired").await;
    let plain = broker.address();
    refused(
        config(&plain, Some(tls(certificates, "ca"))),
        "does the broker speak TLS on this port",
    )
    .await;
    refused(config(&address, None), "set tls_ca_file").await;
}

#[test]
fn files_that_cannot_do_are_refused_before_a_connection() {
    let certificates = broker::shared().certificates();
    let field = |tls| AmqpMq::open(config("localhost:1", Some(tls))).err().unwrap().field;
    assert_eq!(field(tls(certificates, "missing")), "tls_ca_file");
    let no_certificate = TlsConfig {
        ca_file: certificates.key("ca"),
        ..tls(certificates, "ca")
    };
    assert_eq!(field(no_certificate), "tls_ca_file");
    let folder = tempfile::tempdir().unwrap();
    let open_key = folder.path().join("open.key");
    fs::copy(certificates.key("client"), &open_key).unwrap();
    set_mode(&open_key, 0o644);
    let readable = TlsConfig {
        client: Some(TlsClient {
            cert_file: certificates.pem("client"),
            key_file: open_key,
        }),
        ..tls(certificates, "ca")
    };
    assert_eq!(field(readable), "tls_key_file");
    let of_another = TlsConfig {
        client: Some(TlsClient {
            cert_file: certificates.pem("client"),
            key_file: certificates.key("stranger"),
        }),
        ..tls(certificates, "ca")
    };
    assert_eq!(field(of_another), "tls_cert_file");
    let nameless = TlsConfig {
        server_name: Some("no name".to_owned()),
        ..tls(certificates, "ca")
    };
    assert_eq!(field(nameless), "tls_server_name");
}

/// A password that is changed at the broker and in the file: the link comes back by itself at its next connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_file_counts_from_the_next_connection() {
    let broker = broker::shared();
    control(&["add_user", "rotated", "first-pass"]).await;
    control(&["set_permissions", "rotated", ".*", ".*", ".*"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first-pass\n").unwrap();
    let proxy = Proxy::to(&broker.address()).await;
    let by_file = AmqpConfig {
        user: "rotated".to_owned(),
        password: Password::file(&file),
        ..config(&proxy.address(), None)
    };
    set_mode(&file, 0o640);
    let error = AmqpMq::open(by_file.clone()).err().unwrap();
    assert_eq!(error.field, "password_file");
    assert!(error.detail.contains("chmod 600"), "{error}");
    set_mode(&file, 0o600);
    let mq: SharedMq = Arc::new(AmqpMq::open(by_file).unwrap());
    wait_until("connected", || mq.state().connected).await;
    control(&["change_password", "rotated", "second-pass"]).await;
    proxy.inflict(&Fault::Cut).await;
    wait_until("the old password is refused", || !mq.state().connected).await;
    let refused = mq.check(&["s.x".to_owned()]).await.unwrap_err().to_string();
    assert!(
        refused.contains("403 ACCESS_REFUSED") && !refused.contains("-pass"),
        "{refused}"
    );
    fs::write(&file, "second-pass\n").unwrap();
    wait_until("connected again", || mq.state().connected).await;
    let queue = declared(&mq, "s.rotated").await;
    confirmed(&mq, &queue, "a").await;
    mq.close().await;
}

/// `hangu check --connect` says what is wrong with a broker's certificate, and what is wrong with a secret's file.
#[test]
fn the_check_says_what_is_wrong() {
    let broker = broker::shared();
    let folder = tempfile::tempdir().unwrap();
    assert!(
        hangu(folder.path(), &["config", "init", "--dir", "."])
            .status()
            .unwrap()
            .success()
    );
    let file = folder.path().join("hangu.toml");
    let ca = |name: &str| broker.certificates().pem(name).display().to_string();
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("127.0.0.1:5672", &broker.tls_address())
        .replace("127.0.0.1:8100", "127.0.0.1:0")
        .replace("127.0.0.1:9180", "127.0.0.1:0")
        .replace("#tls_ca_file = \"mq-ca.pem\"", &format!("tls_ca_file = {:?}", ca("other")));
    fs::write(&file, &text).unwrap();
    let (code, said) = ran(folder.path(), &["check", "--connect"]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("UnknownIssuer"), "{said}");
    assert_log_says(folder.path(), "UnknownIssuer");
    fs::write(&file, text.replace(&ca("other"), &ca("ca"))).unwrap();
    let (_, said) = ran(folder.path(), &["check", "--connect"]);
    assert!(!said.contains("TLS") && !said.contains("not reachable"), "{said}");
    let open = text.replace("#password_file = \"mq.password\"", "password_file = \"mq.password\"");
    fs::write(&file, open).unwrap();
    fs::write(folder.path().join("mq.password"), "guest").unwrap();
    set_mode(&folder.path().join("mq.password"), 0o644);
    let (code, said) = ran(folder.path(), &["check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("link.centre.mq.password_file") && said.contains("chmod 600"),
        "{said}"
    );
}

/// A running gateway goes on trying, and says why it cannot connect.
fn assert_log_says(folder: &Path, reason: &str) {
    let log = folder.join("gateway.log");
    let mut gateway = hangu(folder, &["run"])
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let found = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        fs::read_to_string(&log).unwrap().contains(reason)
    });
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(found, "{}", fs::read_to_string(&log).unwrap());
}

fn ran(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = hangu(folder, arguments).stdout(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn hangu(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command.current_dir(folder).args(arguments).stdout(Stdio::null());
    command
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

async fn control(arguments: &'static [&'static str]) {
    tokio::task::spawn_blocking(|| broker::shared().control(arguments))
        .await
        .unwrap();
}

/// A TLS server under a certificate that the broker does not have.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(certificates: &Certificates, name: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(certificates.pem(name))
            .arg("-key")
            .arg(certificates.key(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl: apt-get install openssl");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.to_owned()));
        Self {
            child,
            address: address.expect("openssl says where it listens"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
