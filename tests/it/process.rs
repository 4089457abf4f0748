//! `hangu` as processes of a test: started, spoken to over their ports, and ended with the test binary however that ends.

#![expect(clippy::disallowed_methods, reason = "the tests wait for other processes")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A process that is ended with the test; its log goes to `<name>.log`.
pub(crate) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Runs `hangu` in `folder` with its configuration.
    pub(crate) fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        Self::of(hangu(folder, arguments), folder, name)
    }

    /// Runs any command that `hangu` or `hangu_with` made.
    pub(crate) fn of(mut command: Command, folder: &Path, name: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let log = File::options().append(true).create(true).open(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        guard(&format!("+{}", child.id()));
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The next line that the process prints.
    pub(crate) fn line(&mut self, limit: Duration) -> String {
        let mut output = self.output.take().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = output.read_line(&mut line).map(|_| line);
            drop(sender.send(read));
        });
        receiver.recv_timeout(limit).expect("a line in time").unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        guard(&format!("-{}", self.child.id()));
    }

    /// SIGTERM, and exit 0 in time.
    pub(crate) fn terminate(&mut self) {
        self.signal("TERM");
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.exited() {
                assert!(status.success(), "exit 0 after SIGTERM, was {status}");
                return;
            }
            assert!(Instant::now() < end, "still running 40 s after SIGTERM");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "signal {signal}");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        if status.is_some() {
            guard(&format!("-{}", self.child.id()));
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        guard(&format!("-{}", self.child.id()));
    }
}

/// `hangu` with the folder's `hangu.toml`.
pub(crate) fn hangu(folder: &Path, arguments: &[&str]) -> Command {
    hangu_with(folder, "hangu.toml", arguments)
}

pub(crate) fn hangu_with(folder: &Path, config: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    command.current_dir(folder).args(arguments).args(["-c", config]);
    command
}

/// An address that was free a moment ago.
pub(crate) fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

pub(crate) fn wait(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(limit, holds), "not within {} s: {what}", limit.as_secs());
}

pub(crate) fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// The whole answer to a GET, head and body.
pub(crate) fn get(address: &str, path: &str) -> Option<String> {
    request(address, "GET", path, "")
}

/// The whole answer to a request; `None` when there is none.
pub(crate) fn request(address: &str, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

pub(crate) fn is_ready(admin: &str) -> bool {
    get(admin, "/ready").is_some_and(|page| page.starts_with("HTTP/1.1 200"))
}

pub(crate) fn wait_ready(admin: &str) {
    wait(Duration::from_mins(1), "the gateway is ready", || is_ready(admin));
}

/// Exchanges of the journal in one state, as a gateway's metrics tell it.
pub(crate) fn exchanges(admin: &str, state: &str) -> Option<u64> {
    let page = get(admin, "/metrics")?;
    let wanted = format!("hangu_exchanges{{state=\"{state}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&wanted))?.trim().parse().ok()
}

/// The ends of logs, for a failure's report.
pub(crate) fn tails(folder: &Path, names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
        let lines = log.lines().rev().take(15).collect::<Vec<_>>();
        text.push_str(&format!(
            "-- {name}\n{}\n",
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        ));
    }
    text
}

/// Tells the guard of a process that lives (`+`) or has ended (`-`), or of a command that cleans up (`!`). When our end of
/// its pipe closes, by whatever ends us, the guard kills the processes that are left and runs the commands.
pub(crate) fn guard(word: &str) {
    static GUARD: OnceLock<Mutex<Child>> = OnceLock::new();
    let guard = GUARD.get_or_init(|| {
        let child = Command::new("sh")
            .args(["-c", WATCH])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Mutex::new(child.unwrap())
    });
    let mut child = guard.lock().unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{word}").unwrap();
}

const WATCH: &str = r#"
left=" "
last=:
while read -r word; do
  pid=${word#[+-]}
  case $word in
    !*) last="$last; ${word#!}" ;;
    +*) left="$left$pid " ;;
    -*) left=$(printf %s "$left" | sed "s/ $pid / /") ;;
  esac
done
[ "$left" = " " ] || kill -s KILL $left
eval "$last"
"#;

const POLL: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(5);
