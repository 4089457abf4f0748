//! A private PostgreSQL: own port, own folder, ended with the test binary however that ends.
//!
//! A guard process reads a pipe from us. When the pipe closes, by `Drop` or by the death of this process, it ends the server
//! and removes the folder. The server refuses to run as root: then it runs as the user that its package made.

use hangu::journal::postgres::Options;
use hangu::secret::Password;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Polls before a start counts as failed: a minute on a busy machine.
const START_POLLS: u32 = 3000;

const GUARD: &str = r#"
while read -r server; do last="$server"; done
if [ -n "$last" ]; then
    kill -s CONT "$last"
    kill -s QUIT "$last"
    while kill -0 "$last" 2>/dev/null; do sleep 0.05; done
fi
[ -z "$1" ] || rm -rf "$1"
"#;

pub(crate) const USER: &str = "hangu";
pub(crate) const PASSWORD: &str = "in-tests-only";

pub(crate) struct Database {
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
    /// User and group of the server, when we are root.
    runs_as: Option<(u32, u32)>,
    server: Mutex<Option<Child>>,
    guard: Child,
    line: Mutex<Option<ChildStdin>>,
    made: AtomicU32,
}

/// The server that the tests share which do no harm to it.
pub(crate) fn shared() -> &'static Database {
    static SHARED: OnceLock<Database> = OnceLock::new();
    SHARED.get_or_init(Database::start)
}

impl Database {
    pub(crate) fn start() -> Self {
        Self::start_with("", &[])
    }

    /// Starts with further lines of postgresql.conf, and with files beside it.
    pub(crate) fn start_with(settings: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::Builder::new().prefix("hangu-postgres-").tempdir().unwrap().keep();
        let database = Self::guarded(folder.clone(), Some(&folder));
        database.initialize(settings);
        for (name, bytes) in files {
            database.place(name, bytes);
        }
        database.restart();
        database
    }

    /// Starts in a folder that stays, with what is there from an earlier start.
    pub(crate) fn start_in(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let database = Self::guarded(folder, None);
        if database.data().exists() {
            database.configure(&format!("port = {}", database.port));
        } else {
            database.initialize("");
        }
        database.restart();
        database
    }

    fn guarded(folder: PathBuf, removes: Option<&Path>) -> Self {
        let programs = programs();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The server refuses to run as root, whoever the folder of an earlier start belongs to.
        let runs_as = (fs::metadata("/proc/self").unwrap().uid() == 0).then(|| (id("-u"), id("-g")));
        if let Some((user, group)) = runs_as {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(removes.unwrap_or_else(|| Path::new("")))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = Mutex::new(guard.stdin.take());
        Self {
            folder,
            port,
            programs,
            runs_as,
            server: Mutex::default(),
            guard,
            line,
            made: AtomicU32::new(0),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How a journal reaches a database of its own, which is made here.
    pub(crate) fn fresh(&self) -> Options {
        let name = format!("t_{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.options(&name)
    }

    pub(crate) fn options(&self, database: &str) -> Options {
        Options {
            addresses: vec![self.address()],
            database: database.to_owned(),
            user: USER.to_owned(),
            password: Some(Password::new(PASSWORD)),
            ..Options::default()
        }
    }

    /// Runs a statement and gives what it printed, a row a line.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = self.command("psql");
        command
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-U", USER]);
        command.args(["-d", database, "-v", "ON_ERROR_STOP=1", "-qAtX", "-c", sql]);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Ends the server in good order, without waiting for its clients.
    pub(crate) fn stop(&self) {
        self.signal("-INT", false);
    }

    /// Ends it in no order at all: every process of it at once.
    pub(crate) fn kill(&self) {
        self.signal("-KILL", true);
    }

    /// Stops every process of it where it is; `resume` lets them go on.
    pub(crate) fn pause(&self) {
        self.send("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.send("-CONT");
    }

    /// Starts it again if it ended by itself; true if it had.
    pub(crate) fn revive(&self) -> bool {
        let mut server = self.server.lock().unwrap();
        if server.as_mut().is_none_or(|child| child.try_wait().unwrap().is_none()) {
            return false;
        }
        *server = None;
        drop(server);
        self.restart();
        true
    }

    /// Starts it on the same port and data, and waits until it answers.
    pub(crate) fn restart(&self) {
        assert!(self.server.lock().unwrap().is_none(), "stop or kill it first");
        for _ in 0..START_POLLS {
            let mut running = self.server.lock().unwrap();
            // Until the last process of a killed server is gone, a new one refuses to start.
            if running.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                *running = Some(self.spawned());
            }
            drop(running);
            if self.answers() {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        let said = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        panic!("PostgreSQL did not start: {said}");
    }

    fn spawned(&self) -> Child {
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .process_group(0)
            .spawn()
            .unwrap();
        if let Some(line) = self.line.lock().unwrap().as_mut() {
            writeln!(line, "{}", child.id()).unwrap();
        }
        child
    }

    fn answers(&self) -> bool {
        let mut command = self.command("pg_isready");
        command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string(), "-q"]);
        command.status().unwrap().success()
    }

    fn initialize(&self, settings: &str) {
        let secret = self.folder.join("secret");
        fs::write(&secret, PASSWORD).unwrap();
        let mut command = self.command("initdb");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        command
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .arg("--pwfile")
            .arg(&secret);
        let status = command.status().unwrap();
        let said = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        assert!(status.success(), "initdb: {said}");
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 300\n\
             shared_buffers = 64MB\nlog_line_prefix = '%m [%p] %d '\n{settings}\n",
            self.port,
            self.folder.display()
        );
        self.configure(&own);
    }

    /// Further lines of postgresql.conf; of a setting that stands twice the last one counts.
    fn configure(&self, lines: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .unwrap();
        writeln!(file, "{lines}").unwrap();
    }

    /// A file that is the server's alone.
    fn place(&self, name: &str, bytes: &[u8]) {
        let path = self.data().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.runs_as {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    fn signal(&self, signal: &str, to_all: bool) {
        let Some(mut child) = self.server.lock().unwrap().take() else {
            return;
        };
        let mut targets = vec![child.id()];
        if to_all {
            targets.extend(children(child.id()));
        }
        signal_all(signal, &targets);
        child.wait().unwrap();
    }

    fn send(&self, signal: &str) {
        let server = self.server.lock().unwrap();
        let Some(child) = server.as_ref() else { return };
        let targets: Vec<u32> = [child.id()].into_iter().chain(children(child.id())).collect();
        signal_all(signal, &targets);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("out"))
            .unwrap();
        let mut command = Command::new(self.programs.join(program));
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.line.lock().unwrap().take());
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().ok();
        }
        self.guard.wait().ok();
    }
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    let newest = folders.filter(|folder| folder.join("initdb").exists()).max();
    newest.expect("no PostgreSQL on this machine: apt-get install postgresql")
}

/// `id -u postgres` or `id -g postgres`.
fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, "postgres"]).output().unwrap();
    let number = String::from_utf8_lossy(&output.stdout).trim().parse();
    number.expect("no user postgres, as which the server could run: apt-get install postgresql")
}

fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let listed = fs::read_to_string(Path::new(&path)).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn signal_all(signal: &str, targets: &[u32]) {
    let targets = targets.iter().map(u32::to_string);
    Command::new("kill")
        .arg(signal)
        .args(targets)
        .stderr(Stdio::null())
        .status()
        .unwrap();
}
