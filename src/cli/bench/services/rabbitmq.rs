//! A private RabbitMQ with its own name service.

use super::{Guard, Target, command, free_ports, wait_for};
use crate::cli::bench::refused;
use crate::cli::output::{Exit, Failure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(in crate::cli::bench) struct RabbitMq {
    pub(in crate::cli::bench) address: String,
    pub(in crate::cli::bench) process: u32,
}

impl RabbitMq {
    pub(in crate::cli::bench) fn start(folder: &Path, guard: &mut Guard) -> Result<Self, Failure> {
        if !Path::new(SERVER).exists() {
            let detail = "no RabbitMQ on this machine: apt-get install rabbitmq-server";
            return Err(Failure::new(Exit::Unavailable, "rabbitmq", detail));
        }
        let failed = |error: &std::io::Error| refused("rabbitmq")(error);
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let [port, dist_port, epmd_port] = free_ports()?;
        let place = Place {
            folder: folder.to_owned(),
            log: folder.join("out"),
            epmd_port,
        };
        place.write("plugins", "[].\n")?;
        place.write(
            "rabbitmq.conf",
            &format!("listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 1MB\nlog.file.level = warning\n"),
        )?;
        place.start_names(guard)?;
        let mut server = command(Path::new(SERVER), folder, &place.log)?;
        for (name, value) in place.environment(port, dist_port) {
            server.env(name, value);
        }
        let server = server.spawn().map_err(|error| failed(&error))?;
        let process = guard.takes(server, "KILL", Target::Group)?;
        wait_for("rabbitmq", &place.log, || speaks_amqp(port))?;
        let address = format!("127.0.0.1:{port}");
        Ok(Self { address, process })
    }
}

struct Place {
    folder: PathBuf,
    log: PathBuf,
    epmd_port: u16,
}

impl Place {
    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        std::fs::write(self.folder.join(name), text).map_err(|error| refused("rabbitmq")(&error))
    }

    /// A node that finds no name service starts one of its own, which nobody would end.
    fn start_names(&self, guard: &mut Guard) -> Result<(), Failure> {
        let mut names = command(Path::new("epmd"), &self.folder, &self.log)?;
        names.args(["-address", "127.0.0.1", "-port", &self.epmd_port.to_string()]);
        let started = names.spawn().map_err(|error| {
            let detail = format!("epmd of the Erlang runtime: {error}; apt-get install rabbitmq-server");
            Failure::new(Exit::Unavailable, "rabbitmq", detail)
        })?;
        guard.takes(started, "KILL", Target::Process)?;
        let listens = || TcpStream::connect(("127.0.0.1", self.epmd_port)).is_ok();
        wait_for("epmd", &self.log, listens)
    }

    fn environment(&self, port: u16, dist_port: u16) -> Vec<(&'static str, String)> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("HOME", at("")),
            ("ERL_CRASH_DUMP", at("erl_crash.dump")),
            ("RABBITMQ_NODENAME", format!("hangu{port}@localhost")),
            ("RABBITMQ_NODE_PORT", port.to_string()),
            ("RABBITMQ_DIST_PORT", dist_port.to_string()),
            ("ERL_EPMD_PORT", self.epmd_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_MNESIA_BASE", at("mnesia")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_PID_FILE", at("pid")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
            ("RABBITMQ_CONFIG_FILE", at("rabbitmq")),
            ("RABBITMQ_CONF_ENV_FILE", at("none")),
        ]
    }
}

/// The broker answers the protocol header with the method frame `connection.start`.
fn speaks_amqp(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else {
        return false;
    };
    let mut first = [0];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
        && stream.read_exact(&mut first).is_ok()
        && first == [1]
}

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
