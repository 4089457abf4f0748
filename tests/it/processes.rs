//! The whole thing as processes: a private RabbitMQ, the gateway and both simulators; the broker restarted and the
//! gateway killed in the middle; then the three books are compared.

#![expect(clippy::disallowed_methods, reason = "the test waits for other processes")]

use crate::broker::Broker;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
        tails(folder.path())
    );
    let count = compared_payments(&text);
    assert!(count >= u64::from(PAYMENTS) / 2, "{count} payments were compared: {text}");
    let summary: serde_json::Value = serde_json::from_str(&centre_summary).unwrap();
    assert_eq!(summary["figures"]["bad_signature"], 0, "{centre_summary}");
    assert_eq!(summary["figures"]["contradicted"], 0, "{centre_summary}");
}

/// Writes a configuration on free ports; gives the admin address.
fn configure(folder: &Path, broker: &str) -> String {
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

/// An address that was free a moment ago.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn hangu(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command.current_dir(folder).args(arguments).args(["-c", "hangu.toml"]);
    command
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

/// A process that is ended with the test; what it says goes to a file.
struct Process {
    child: Child,
    output: Option<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let log = File::create(folder.join(format!("{name}.log"))).unwrap();
        let mut child = hangu(folder, arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The next line that the process prints.
    fn line(&mut self, limit: Duration) -> String {
        let mut output = self.output.take().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = output.read_line(&mut line).map(|_| line);
            drop(sender.send(read));
        });
        receiver.recv_timeout(limit).expect("a line in time").unwrap()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and exit 0 in time.
    fn terminate(&mut self) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "exit 0 after SIGTERM, was {status}");
                return;
            }
            assert!(Instant::now() < end, "still running 40 s after SIGTERM");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn wait_ready(admin: &str) {
    wait(Duration::from_mins(1), "the gateway is ready", || {
        get(admin, "/ready").is_some_and(|page| page.starts_with("HTTP/1.1 200"))
    });
}

/// Some of the work is done, so that what comes next falls into the middle of it.
fn wait_delivered(admin: &str, count: u64) {
    wait(Duration::from_mins(1), "payments are delivered", || {
        delivered(admin).is_some_and(|done| done >= count)
    });
}

fn delivered(admin: &str) -> Option<u64> {
    let page = get(admin, "/metrics")?;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("hangu_exchanges{state=\"delivered\"} "))?;
    line.trim().parse().ok()
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

fn wait(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "not within {} s: {what}", limit.as_secs());
        thread::sleep(Duration::from_millis(100));
    }
}

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

/// The ends of all logs, for a failure's report.
fn tails(folder: &Path) -> String {
    let mut text = String::new();
    for name in ["gateway", "gateway-2", "centre", "platform"] {
        let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
        let lines = log.lines().rev().take(15).collect::<Vec<_>>();
        text.push_str(&format!(
            "-- {name}\n{}\n",
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        ));
    }
    text
}
