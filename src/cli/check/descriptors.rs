//! File descriptors: a listener that is full must not take those that another one, the journal or a broker needs.

use super::{Check, Report};
use hangu::config::{Config, LinkConfig};
use hangu::limits;

/// Says something only where the process may open too few.
pub(super) fn check(config: &Config, report: &mut Report) {
    let Some(allowed) = std::fs::read_to_string("/proc/self/limits")
        .ok()
        .and_then(|limits| soft_limit(&limits))
    else {
        return;
    };
    let needed = needed(config);
    if allowed < needed {
        let detail = format!("{allowed} are allowed here, and the links may need {needed}");
        report.add(Check::warn("check.descriptors", "RLIMIT_NOFILE", detail, "do.descriptors"));
    }
}

fn needed(config: &Config) -> usize {
    let of_link = |link: &LinkConfig| {
        let http = link.http.as_ref()?;
        // Each call in flight may have a connection of its own.
        Some(link.listener_bounds(http).connections_max + link.in_flight_max)
    };
    let links: usize = config.link.values().filter_map(of_link).sum();
    links + limits::ADMIN_CONNECTIONS_MAX + OTHERS
}

/// The number in use of the line about open files.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Journal, brokers, their connections anew, logs.
const OTHERS: usize = 128;
