//! HTTPS both ways against other implementations: curl and `openssl s_client` call the gateway's listeners, `openssl s_server`
//! is called by it. Certificates are made for each test by a private authority.

mod calling;
mod institution;
mod listening;
mod running;

use crate::certificates::Certificates;
use crate::process::guard;
use crate::stand::{Instance, Stand};
use hangu::config::{Config, HttpConfig};
use hangu::journal::sqlite::SqliteJournal;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A gateway whose platform link listens by HTTPS, under copies of the certificates that a test may replace.
struct Listening {
    /// The simulators that the instance belongs to.
    _stand: Stand,
    one: Instance,
    certificates: Certificates,
}

impl Listening {
    /// `change` has the last word on the link's settings.
    async fn start(change: impl FnOnce(&mut HttpConfig, &Certificates)) -> Self {
        let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
        let certificates = Certificates::make(&stand.folder.path().join("tls"));
        let one = stand
            .start("one", |config| {
                let http = http_of(config, "platform");
                listen_by(http, &certificates);
                change(http, &certificates);
            })
            .await;
        Self {
            _stand: stand,
            one,
            certificates,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/v1/anything", self.port())
    }

    fn port(&self) -> u16 {
        self.one.address.port()
    }

    /// curl that trusts our authority.
    fn curl(&self, arguments: &[&str]) -> Ran {
        let ca = self.certificates.pem("ca");
        curl(&[&["--cacert", ca.to_str().unwrap(), &self.url()], arguments].concat())
    }

    /// curl that shows a certificate too.
    fn curl_as(&self, name: &str, arguments: &[&str]) -> Ran {
        let [cert, key] = [self.certificates.pem(name), self.certificates.key(name)].map(|path| path.display().to_string());
        self.curl(&[&["--cert", &cert, "--key", &key], arguments].concat())
    }

    async fn stop(self) {
        assert!(self.one.running.stop(Duration::from_secs(10)).await);
    }
}

fn http_of<'a>(config: &'a mut Config, link: &str) -> &'a mut HttpConfig {
    config.link.get_mut(link).unwrap().http.as_mut().unwrap()
}

/// The listener shows `server`, from files of its own.
fn listen_by(http: &mut HttpConfig, certificates: &Certificates) {
    let [cert, key] = [certificates.pem("listener"), certificates.key("listener")];
    put("server", certificates);
    (http.listen_cert_file, http.listen_key_file) = (Some(cert), Some(key));
}

/// Makes the files of the listener those of `name`, as a renewal does: key and chain are replaced, each at once.
fn put(name: &str, certificates: &Certificates) {
    for (source, target) in [
        (certificates.key(name), certificates.key("listener")),
        (certificates.pem(name), certificates.pem("listener")),
    ] {
        let new = target.with_extension("new");
        fs::copy(source, &new).unwrap();
        fs::rename(new, target).unwrap();
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    said: String,
}

/// Nothing but the status, and the complaint if there is one.
fn curl(arguments: &[&str]) -> Ran {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %{num_connects} "]);
    ran(command.args(arguments), "curl")
}

/// Shakes hands, sends one request, and prints what comes.
fn s_client(port: u16, arguments: &[&str]) -> Ran {
    let mut command = Command::new("openssl");
    let place = format!("localhost:{port}");
    command.args(["s_client", "-connect", &place]).args(arguments);
    ran(command.stdin(Stdio::null()), "openssl")
}

fn ran(command: &mut Command, name: &str) -> Ran {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}; apt-get install {name}"));
    let said = [output.stdout, output.stderr].concat();
    Ran {
        code: output.status.code(),
        said: String::from_utf8_lossy(&said).into_owned(),
    }
}

/// A process with both its ends in hand, ended with the test.
struct Piped {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Piped {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl: apt-get install openssl");
        guard(&format!("+{}", child.id()));
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// `openssl s_client` that keeps its connection.
    fn client(port: u16, ca: &Path) -> Self {
        let place = format!("localhost:{port}");
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &place, "-CAfile"]);
        Self::start(command.arg(ca))
    }

    fn send(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Reads lines until one holds `text`; gives it.
    fn line_with(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "ended before {text:?} came");
        }
        line
    }

    /// Whatever comes until the other side closes.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        guard(&format!("-{}", self.child.id()));
    }
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}
