//! A private RabbitMQ: own ports, own folder, own name server, ended with the test binary however that ends.
//!
//! A guard process reads a pipe from us. When the pipe closes, by `Drop` or by the death of this process, it kills the
//! server and removes the folder.

use crate::certificates::Certificates;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
/// Over it the broker closes the channel that publishes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const START_TRIES: u32 = 3;
/// Polls before a start counts as failed: a minute on a busy machine.
const START_POLLS: u32 = 1200;

const GUARD: &str = r#"
while read -r group; do last="$group"; done
[ -n "$last" ] && kill -s KILL -- "-$last"
kill -s KILL "$1"
rm -rf "$2"
"#;

pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
    tls_port: u16,
    certificates: Certificates,
    dist_port: u16,
    epmd_port: u16,
    node: String,
    server: Mutex<Option<Child>>,
    epmd: Child,
    guard: Child,
    line: Mutex<Option<ChildStdin>>,
}

/// The broker that the tests share which do no harm to it.
pub(crate) fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(Broker::start)
}

impl Broker {
    /// Another test may take a port in the moment between its choice and its use: then other ones are chosen.
    pub(crate) fn start() -> Self {
        assert!(
            Path::new(SERVER).exists(),
            "no RabbitMQ on this machine: apt-get install rabbitmq-server"
        );
        let mut broker = Self::prepared();
        for _ in 1..START_TRIES {
            if broker.comes_up() {
                return broker;
            }
            broker = Self::prepared();
        }
        broker.restart();
        broker
    }

    fn prepared() -> Self {
        let folder = tempfile::Builder::new().prefix("hangu-rabbitmq-").tempdir().unwrap().keep();
        let [port, tls_port, dist_port, epmd_port] = free_ports();
        let certificates = Certificates::make(&folder.join("tls"));
        fs::write(folder.join("plugins"), "[].\n").unwrap();
        fs::write(folder.join("rabbitmq.conf"), config(port, tls_port, &certificates)).unwrap();
        let epmd = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd of the Erlang runtime: apt-get install rabbitmq-server");
        wait_for_port(epmd_port);
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &epmd.id().to_string()])
            .arg(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = guard.stdin.take();
        Self {
            node: format!("hangu{port}@localhost"),
            folder,
            port,
            tls_port,
            certificates,
            dist_port,
            epmd_port,
            server: Mutex::default(),
            epmd,
            guard,
            line: Mutex::new(line),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it speaks TLS under the certificate `server`; a client may show one by the same authority.
    pub(crate) fn tls_address(&self) -> String {
        format!("localhost:{}", self.tls_port)
    }

    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Ends the server in good order.
    pub(crate) fn stop(&self) {
        self.signal("-TERM");
    }

    /// Ends it in no order at all.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
    }

    /// Starts it on the same ports and data, and waits until it speaks AMQP.
    pub(crate) fn restart(&self) {
        if !self.comes_up() {
            let said = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
            panic!("RabbitMQ did not start: {said}");
        }
    }

    /// Starts it; false if it ended again, or is not there in time.
    fn comes_up(&self) -> bool {
        assert!(self.server.lock().unwrap().is_none(), "stop or kill it first");
        let child = self.command(SERVER).process_group(0).spawn().unwrap();
        if let Some(line) = self.line.lock().unwrap().as_mut() {
            writeln!(line, "{}", child.id()).unwrap();
        }
        *self.server.lock().unwrap() = Some(child);
        for _ in 0..START_POLLS {
            if self.speaks_amqp() {
                return true;
            }
            let mut server = self.server.lock().unwrap();
            if server.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some()) {
                *server = None;
                return false;
            }
            drop(server);
            std::thread::sleep(POLL_INTERVAL);
        }
        false
    }

    /// Runs `rabbitmqctl`.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let status = self
            .command(CONTROL)
            .arg("-n")
            .arg(&self.node)
            .args(arguments)
            .status()
            .unwrap();
        let said = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        assert!(status.success(), "rabbitmqctl {arguments:?}: {said}");
    }

    fn signal(&self, signal: &str) {
        if let Some(mut child) = self.server.lock().unwrap().take() {
            let group = format!("-{}", child.id());
            Command::new("kill").args([signal, "--", &group]).status().unwrap();
            child.wait().unwrap();
            // The script may end before the node that it started.
            while TcpStream::connect(self.socket()).is_ok() {
                std::thread::sleep(POLL_INTERVAL);
            }
        }
    }

    fn socket(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The broker answers the protocol header with the method frame `connection.start`.
    fn speaks_amqp(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.socket()) else {
            return false;
        };
        let mut first = [0];
        stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
            && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
            && stream.read_exact(&mut first).is_ok()
            && first == [1]
    }

    fn command(&self, program: &str) -> Command {
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("out"))
            .unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir(&self.folder)
            .env("ERL_CRASH_DUMP", self.folder.join("erl_crash.dump"))
            .env("HOME", &self.folder)
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("log"))
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.folder.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", self.folder.join("none"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        command
    }
}

/// A node that finds no name service starts one of its own, which nobody would end.
fn wait_for_port(port: u16) {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    panic!("epmd does not listen on port {port}");
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.line.lock().unwrap().take());
        self.guard.wait().ok();
        self.epmd.wait().ok();
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().ok();
        }
    }
}

fn config(port: u16, tls_port: u16, certificates: &Certificates) -> String {
    let file = |path: PathBuf| path.display().to_string();
    let lines = [
        format!("listeners.tcp.1 = 127.0.0.1:{port}"),
        format!("listeners.ssl.1 = 127.0.0.1:{tls_port}"),
        format!("ssl_options.cacertfile = {}", file(certificates.pem("ca"))),
        format!("ssl_options.certfile = {}", file(certificates.pem("server"))),
        format!("ssl_options.keyfile = {}", file(certificates.key("server"))),
        "ssl_options.verify = verify_peer".to_owned(),
        "ssl_options.fail_if_no_peer_cert = false".to_owned(),
        "disk_free_limit.absolute = 1MB".to_owned(),
        "log.file.level = warning".to_owned(),
        format!("max_message_size = {MESSAGE_BYTES_MAX}"),
    ];
    lines.map(|line| line + "\n").concat()
}

/// Ports that were free a moment ago, held together so that they differ.
fn free_ports() -> [u16; 4] {
    let listeners = [0; 4].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
