//! A gateway as a process of its own, and what its admin port says.

use super::{Guard, Target, command, wait_for};
use crate::cli::bench::refused;
use crate::cli::output::Failure;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

pub(in crate::cli::bench) struct Child {
    pub(in crate::cli::bench) name: String,
    pub(in crate::cli::bench) process: u32,
    pub(in crate::cli::bench) admin: String,
}

impl Child {
    /// Runs `hangu run` with a configuration in `folder` and waits until it is ready.
    pub(in crate::cli::bench) fn start(folder: &Path, name: &str, admin: &str, guard: &mut Guard) -> Result<Self, Failure> {
        let failed = |error: &io::Error| refused("hangu run")(error);
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let log = folder.join(format!("{name}.log"));
        let mut gateway = command(&program, folder, &log)?;
        gateway.args(["run", "--log", "warn", "-c", &format!("{name}.toml")]);
        let started = gateway.spawn().map_err(|error| failed(&error))?;
        let process = guard.takes(started, "KILL", Target::Process)?;
        wait_for(name, &log, || get(admin, "/ready").is_ok_and(|(status, _)| status == 200))?;
        Ok(Self {
            name: name.to_owned(),
            process,
            admin: admin.to_owned(),
        })
    }
}

/// A GET with its status and body.
pub(in crate::cli::bench) fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unreadable)?;
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(unreadable)?, body.to_owned()))
}
