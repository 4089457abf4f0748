//! What the operating system says of this process (proc(5)), and what a durable append costs in a folder.

use super::measure::{Cost, cost, micros};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use tokio::time::Instant;

/// Processor time so far, user and system, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cpu {
    /// All threads, those that ended included.
    pub(super) process_us: u64,
    /// The living threads of one name.
    pub(super) named_us: u64,
}

impl Cpu {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            process_us: self.process_us.saturating_sub(before.process_us),
            named_us: self.named_us.saturating_sub(before.named_us),
        }
    }
}

pub(super) fn cpu(thread_name: &str) -> io::Result<Cpu> {
    let process_us = stat_us(&std::fs::read_to_string("/proc/self/stat")?)?.1;
    let mut named_us = 0_u64;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end while the folder is read.
        let Ok(text) = std::fs::read_to_string(task?.path().join("stat")) else {
            continue;
        };
        let (name, us) = stat_us(&text)?;
        if name == thread_name {
            named_us = named_us.saturating_add(us);
        }
    }
    Ok(Cpu { process_us, named_us })
}

/// Resident memory and its peak, in MiB.
pub(super) fn memory_mib() -> io::Result<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| status_mib(&status, name).ok_or_else(|| unreadable("/proc/self/status", name));
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// Appends 4 KiB and waits until they are durable, again and again.
pub(super) fn durable_append(folder: &Path) -> io::Result<Cost> {
    let path = folder.join("fsync.bench");
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
    let block = [0x5a; APPEND_BYTES];
    let mut samples = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let started = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.push(micros(started.elapsed()));
    }
    std::fs::remove_file(&path)?;
    Ok(cost(samples))
}

/// Name and processor time of a `stat` line. The name may hold blanks and brackets, so it ends at the last bracket.
pub(super) fn stat_us(line: &str) -> io::Result<(&str, u64)> {
    let refused = || unreadable("/proc/self/stat", "utime");
    let (head, tail) = line.rsplit_once(')').ok_or_else(refused)?;
    let (_, name) = head.split_once('(').ok_or_else(refused)?;
    let mut times = tail.split_ascii_whitespace().skip(UTIME).map(str::parse::<u64>);
    let mut next = || times.next().and_then(Result::ok).ok_or_else(refused);
    let ticks = next()?.saturating_add(next()?);
    Ok((name, ticks.saturating_mul(TICK_US)))
}

pub(super) fn status_mib(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib = line.trim().strip_suffix("kB")?.trim().parse::<u32>().ok()?;
    Some(f64::from(kib) / 1024.0)
}

fn unreadable(file: &str, field: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file}: no {field}"))
}

/// Fields between the name and `utime`, the 14th of the line.
const UTIME: usize = 11;
/// Linux gives user space 100 ticks a second on every architecture that we build for (`USER_HZ`).
const TICK_US: u64 = 10_000;
const APPEND_BYTES: usize = 4096;
const APPENDS: usize = 50;
