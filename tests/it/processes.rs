//! The whole thing as processes: a private RabbitMQ, the gateway and both simulators; the broker restarted and the
//! gateway killed in the middle; then the three books are compared.

use crate::broker::Broker;
use crate::process::{Process, exchanges, free, get, hangu, tails, wait, wait_ready};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PAYMENTS: u32 = 2_000;
const RATE: u32 = 100;

#[test]
fn books_are_equal_after_a_broker_restart_and_a_killed_gateway() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let admin = configure(folder.path(), &broker.address());
    assert!(
        hangu(folder.path(), &["mq", "declare"]).status().unwrap().success(),
        "queues are declared"
    );
    let checked = hangu(folder.path(), &["check", "--connect"]).output().unwrap();
    let text = String::from_utf8_lossy(&checked.stdout);
    // The platform does not listen yet, which is what --connect is there to say.
    assert_eq!(checked.status.code(), Some(69), "{text}");

    let mut gateway = Process::start(folder.path(), "gateway", &["run"]);
    wait_ready(&admin);
    // The bank may start nothing of its own before the centre has told the settlement date.
    let mut centre = simulator(folder.path(), "centre");
    wait(Duration::from_mins(1), "the day is open", || {
        let is_told = "hangu_outcomes_total{operation=\"status\",outcome=\"success\"} 1";
        get(&admin, "/metrics").is_some_and(|page| page.contains(is_told))
    });
    let mut platform = simulator(folder.path(), "platform");

    wait_delivered(&admin, 400);
    broker.stop();
    broker.restart();
    wait_delivered(&admin, delivered(&admin).unwrap_or(0) + 200);
    gateway.kill();
    gateway = Process::start(folder.path(), "gateway-2", &["run"]);
    wait_ready(&admin);

    let centre_summary = centre.line(Duration::from_mins(4));
    let platform_summary = platform.line(Duration::from_mins(2));
    wait_settled(&admin);
    gateway.terminate();
    centre.terminate();
    platform.terminate();

    let exported = hangu(folder.path(), &["journal", "export", "--to", "gateway.json"])
        .status()
        .unwrap();
    assert!(exported.success());
    let compared = Command::new(env!("CARGO_BIN_EXE_hangu"))
        .current_dir(folder.path())
        .args(["sim", "compare", "centre.json", "gateway.json", "platform.json"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    println!("{text}\n{centre_summary}\n{platform_summary}");
    assert!(
        compared.status.success(),
        "{text}\n{centre_summary}\n{platform_summary}\n{}",
        tails(folder.path(), &["gateway", "gateway-2", "centre", "platform"])
    );
    let count = compared_payments(&text);
    assert!(count >= u64::from(PAYMENTS) / 2, "{count} payments were compared: {text}");
    let summary: serde_json::Value = serde_json::from_str(&centre_summary).unwrap();
    assert_eq!(summary["figures"]["bad_signature"], 0, "{centre_summary}");
    assert_eq!(summary["figures"]["contradicted"], 0, "{centre_summary}");
}

/// A gateway that waits for a database which never answers has taken nothing: it is told to stop, and does.
#[test]
fn a_gateway_stops_while_it_is_starting() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), "127.0.0.1:1");
    let database = format!(
        "postgres = {{ addresses = [\"{}\"], database = \"hangu\", user = \"hangu\", password_file = \"pw\" }}",
        mute.local_addr().unwrap()
    );
    let file = folder.path().join("hangu.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("file = \"hangu.db\"", &database)).unwrap();
    let secret = folder.path().join("pw");
    std::fs::write(&secret, "secret\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut gateway = Process::start(folder.path(), "gateway", &["run"]);
    let _asked = mute.accept().unwrap();
    gateway.terminate();
    let log = tails(folder.path(), &["gateway"]);
    assert!(log.contains("stopped before it began"), "{log}");
}

/// Writes a configuration on free ports; gives the admin address.
pub(crate) fn configure(folder: &Path, broker: &str) -> String {
    let written = Command::new(env!("CARGO_BIN_EXE_hangu"))
        .args(["config", "init", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(written.success());
    let file = folder.join("hangu.toml");
    let (admin, listen, platform) = (free(), free(), free());
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("127.0.0.1:5672", broker)
        .replace("127.0.0.1:9180", &admin)
        .replace("127.0.0.1:8100", &listen)
        .replace("127.0.0.1:8200", &platform)
        .replace("#answer_ms = 30000", "answer_ms = 5000")
        .replace(
            "#query_after_ms = [1000, 5000, 15000, 60000]",
            "query_after_ms = [500, 1000, 2000]",
        )
        .replace("#resend_after_ms = 60000", "resend_after_ms = 3000");
    std::fs::write(file, text).unwrap();
    admin
}

fn simulator(folder: &Path, name: &str) -> Process {
    let (payments, rate, books) = (PAYMENTS.to_string(), RATE.to_string(), format!("{name}.json"));
    Process::start(
        folder,
        name,
        &[
            "sim",
            "run",
            name,
            "--payments",
            &payments,
            "--rate",
            &rate,
            "--books",
            &books,
        ],
    )
}

fn compared_payments(text: &str) -> u64 {
    text.lines()
        .last()
        .and_then(|line| line.split(' ').next())
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// Some of the work is done, so that what comes next falls into the middle of it.
fn wait_delivered(admin: &str, count: u64) {
    wait(Duration::from_mins(1), "payments are delivered", || {
        delivered(admin).is_some_and(|done| done >= count)
    });
}

fn delivered(admin: &str) -> Option<u64> {
    exchanges(admin, "delivered")
}

/// Nothing is open in the journal.
fn wait_settled(admin: &str) {
    let is_settled = || {
        let page = get(admin, "/metrics")?;
        let open = |state: &str| page.contains(&format!("hangu_exchanges{{state=\"{state}\"}} 0\n"));
        Some(["accepted", "sent", "unknown", "answered"].into_iter().all(open))
    };
    wait(Duration::from_mins(2), "nothing is open", || is_settled() == Some(true));
}
