//! What the operating system says of processes (proc(5)), and what a durable append costs in a folder.

use super::measure::{Cost, cost, micros};
use std::collections::BTreeMap;
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

/// Processor time of a process and of all below it, those that it has seen end included.
pub(super) fn tree_us(root: u32) -> io::Result<u64> {
    let mut seen = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while the folder is read.
        if let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) {
            seen.insert(number, (parent(&text)?, with_reaped_us(&text)?));
        }
    }
    let is_below = |number: u32| {
        let mut next = number;
        while next != root && next > 1 {
            next = seen.get(&next).map_or(0, |(parent, _)| *parent);
        }
        next == root
    };
    let below = seen.iter().filter(|(number, _)| is_below(**number));
    Ok(below.map(|(_, (_, us))| us).sum())
}

/// Resident memory and its peak.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Memory {
    pub(super) rss_mib: f64,
    pub(super) peak_mib: f64,
}

pub(super) fn memory(process: u32) -> io::Result<Memory> {
    let file = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&file)?;
    let field = |name: &str| status_mib(&status, name).ok_or_else(|| unreadable(&file, name));
    Ok(Memory {
        rss_mib: field("VmRSS:")?,
        peak_mib: field("VmHWM:")?,
    })
}

/// Processes that wanted a processor, on average over the last minute.
pub(super) fn load_average() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let first = text.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    first.ok_or_else(|| unreadable("/proc/loadavg", "first"))
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
    let (head, _) = line.rsplit_once(')').ok_or_else(refused)?;
    let (_, name) = head.split_once('(').ok_or_else(refused)?;
    Ok((name, ticks_us(line, 2)?))
}

/// User and system time of a process and of its children that it waited for.
pub(super) fn with_reaped_us(line: &str) -> io::Result<u64> {
    ticks_us(line, 4)
}

fn parent(line: &str) -> io::Result<u32> {
    let refused = || unreadable("/proc/self/stat", "ppid");
    let (_, tail) = line.rsplit_once(')').ok_or_else(refused)?;
    let field = tail.split_ascii_whitespace().nth(1);
    field.and_then(|field| field.parse().ok()).ok_or_else(refused)
}

/// The sum of so many times from `utime` on.
fn ticks_us(line: &str, count: usize) -> io::Result<u64> {
    let refused = || unreadable("/proc/self/stat", "utime");
    let (_, tail) = line.rsplit_once(')').ok_or_else(refused)?;
    let fields = tail.split_ascii_whitespace().skip(UTIME).take(count);
    let ticks = fields.map(str::parse::<u64>).collect::<Result<Vec<_>, _>>();
    let ticks = ticks.ok().filter(|ticks| ticks.len() == count).ok_or_else(refused)?;
    Ok(ticks.iter().sum::<u64>().saturating_mul(TICK_US))
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
