//! A private PostgreSQL with the durability of production: fsync and `synchronous_commit` stay on.

use super::{Guard, Target, command, free_ports, wait_for};
use crate::cli::bench::refused;
use crate::cli::output::{Exit, Failure};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(in crate::cli::bench) struct Postgres {
    pub(in crate::cli::bench) address: String,
    pub(in crate::cli::bench) process: u32,
}

impl Postgres {
    pub(in crate::cli::bench) fn start(folder: &Path, guard: &mut Guard) -> Result<Self, Failure> {
        let failed = |error: &std::io::Error| refused("postgres")(error);
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let server = Server::new(folder)?;
        let [port] = free_ports()?;
        server.initialize(port)?;
        let mut postgres = server.command("postgres")?;
        postgres.arg("-D").arg(server.data());
        let postgres = postgres.spawn().map_err(|error| failed(&error))?;
        let process = guard.takes(postgres, "QUIT", Target::Process)?;
        wait_for("postgres", &server.log, || server.succeeds("pg_isready", port, &["-q"]))?;
        if !server.succeeds("createdb", port, &["-U", Self::USER, Self::DATABASE]) {
            return Err(refused("postgres")(&"createdb failed"));
        }
        let address = format!("127.0.0.1:{port}");
        Ok(Self { address, process })
    }

    pub(in crate::cli::bench) const USER: &str = "hangu";
    pub(in crate::cli::bench) const DATABASE: &str = "bench";
    pub(in crate::cli::bench) const PASSWORD: &str = "of-one-bench-only";
}

struct Server {
    folder: PathBuf,
    log: PathBuf,
    programs: PathBuf,
    /// The server refuses to run as root: then it runs as the user that its package made.
    runs_as: Option<(u32, u32)>,
}

impl Server {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let failed = |error: &std::io::Error| refused("postgres")(error);
        let programs = programs()?;
        let is_root = std::fs::metadata(folder).map_err(|error| failed(&error))?.uid() == 0;
        let runs_as = if is_root { Some((id("-u")?, id("-g")?)) } else { None };
        if let Some((user, group)) = runs_as {
            chown(folder, Some(user), Some(group)).map_err(|error| failed(&error))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            log: folder.join("out"),
            programs,
            runs_as,
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn initialize(&self, port: u16) -> Result<(), Failure> {
        let failed = |error: &std::io::Error| refused("postgres")(error);
        let secret = self.folder.join("secret");
        std::fs::write(&secret, Postgres::PASSWORD).map_err(|error| failed(&error))?;
        let mut initdb = self.command("initdb")?;
        initdb.arg("-D").arg(self.data()).arg("--pwfile").arg(&secret);
        initdb.args(["-U", Postgres::USER, "-E", "UTF8", "--locale=C.UTF-8"]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        if !initdb.status().map_err(|error| failed(&error))?.success() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            return Err(refused("postgres")(&format!("initdb: {said}")));
        }
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 100\n\
             shared_buffers = 256MB\n",
            self.folder.display()
        );
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"));
        let written = file.and_then(|mut file| file.write_all(settings.as_bytes()));
        written.map_err(|error| failed(&error))
    }

    fn succeeds(&self, program: &str, port: u16, arguments: &[&str]) -> bool {
        let Ok(mut command) = self.command(program) else {
            return false;
        };
        command
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &port.to_string()])
            .args(arguments);
        command.status().is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Result<Command, Failure> {
        let mut command = command(&self.programs.join(program), &self.folder, &self.log)?;
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

/// The newest version that is installed.
fn programs() -> Result<PathBuf, Failure> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    let newest = folders.filter(|folder| folder.join("initdb").exists()).max();
    newest.ok_or_else(|| missing("no PostgreSQL on this machine: apt-get install postgresql"))
}

/// `id -u postgres` or `id -g postgres`.
fn id(which: &str) -> Result<u32, Failure> {
    let output = Command::new("id").args([which, "postgres"]).output();
    let number = output
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok());
    number.ok_or_else(|| missing("no user postgres, as which the server could run: apt-get install postgresql"))
}

fn missing(detail: &str) -> Failure {
    Failure::new(Exit::Unavailable, "postgres", detail)
}
