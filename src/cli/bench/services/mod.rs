//! Servers and gateways of one run: private, on free ports, in the run's folder, ended with the bench however that ends.
//!
//! A guard process reads a pipe from us. When the pipe closes, by `Drop` or by the death of the bench, it ends what it was
//! told of and removes the folder.

mod gateway;
mod postgres;
mod rabbitmq;

pub(super) use gateway::{Child, get};
pub(super) use postgres::Postgres;
pub(super) use rabbitmq::RabbitMq;

use super::refused;
use crate::cli::output::{Exit, Failure};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tokio::time::Instant;

/// Whom a signal reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Process,
    Group,
}

/// Ends processes: each line names a signal and a process, or a group with a minus before it.
pub(super) struct Guard {
    line: Option<ChildStdin>,
    process: Process,
    /// What it will end; we are their parent, and must take note of their ends.
    children: Vec<Process>,
}

impl Guard {
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let spawned = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut process = spawned.map_err(|error| refused("sh")(&error))?;
        Ok(Self {
            line: process.stdin.take(),
            process,
            children: Vec::new(),
        })
    }

    /// Takes a process that leads a group of its own; gives its number.
    fn takes(&mut self, child: Process, signal: &str, target: Target) -> Result<u32, Failure> {
        let number = child.id();
        let mark = if target == Target::Group { "-" } else { "" };
        let written = self.line.as_mut().map(|line| writeln!(line, "{signal}:{mark}{number}"));
        self.children.push(child);
        written.transpose().map_err(|error| refused("guard")(&error))?;
        Ok(number)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.line.take());
        for child in &mut self.children {
            drop(child.wait());
        }
        drop(self.process.wait());
    }
}

/// Ports that were free a moment ago, held together so that they differ.
pub(super) fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT], Failure> {
    let failed = |error: &std::io::Error| refused("port")(error);
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| failed(&error))?;
        *port = listener.local_addr().map_err(|error| failed(&error))?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Polls until something holds; what the process said is shown if it does not.
fn wait_for(what: &str, log: &Path, mut holds: impl FnMut() -> bool) -> Result<(), Failure> {
    let end = Instant::now() + START_MAX;
    while !holds() {
        if Instant::now() >= end {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let tail = said.lines().rev().take(5).collect::<Vec<_>>();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            let detail = format!("did not start within {} s: {tail}", START_MAX.as_secs());
            return Err(Failure::new(Exit::Unavailable, what, detail));
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A command with nothing of our environment, whose words go to a log.
fn command(program: &Path, folder: &Path, log: &Path) -> Result<Command, Failure> {
    let failed = |error: &std::io::Error| refused("log")(error);
    let out = std::fs::OpenOptions::new().create(true).append(true).open(log);
    let out = out.map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(|error| failed(&error))?)
        .stderr(out);
    Ok(command)
}

const START_MAX: Duration = Duration::from_mins(1);

const GUARD: &str = r#"
told=""
while read -r line; do told="$told $line"; done
for one in $told; do kill -s "${one%%:*}" -- "${one#*:}" 2>/dev/null; done
for one in $told; do
    tries=0
    while kill -s 0 -- "${one#*:}" 2>/dev/null && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
done
rm -rf "$1"
"#;
