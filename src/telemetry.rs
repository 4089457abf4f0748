//! Logs, health and metrics. Labels are bounded; no account, name or key appears in any of them.

mod http;
mod keys;

use crate::exchange::{Gateway, Phase};
use crate::journal::{Figures, Found, Read, State};
use crate::link::door::Door;
use crate::mq::SharedMq;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use hdrhistogram::Histogram;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the admin port looks at.
#[derive(Clone)]
pub struct Watched {
    pub gateway: Arc<Gateway>,
    /// Queue services by link name.
    pub mqs: Vec<(String, SharedMq)>,
    /// Certificates and counts of HTTP links by name.
    pub doors: Vec<(String, Arc<Door>)>,
}

/// Logs to standard error: lines for people, or JSON lines.
pub fn init_logs(level: tracing::Level, json: bool) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(|| LossyStderr)
        .log_internal_errors(false);
    // A second call in one process keeps the first subscriber.
    let _is_first = if json {
        builder.json().try_init().is_ok()
    } else {
        builder.compact().try_init().is_ok()
    };
}

/// Standard error as a log writer: what cannot be written (a full disk, a reader that went away) is lost and counted. A log
/// must never stop a payment.
struct LossyStderr;

/// Lines that could not be written since the start.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);

impl std::io::Write for LossyStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if std::io::stderr().write_all(bytes).is_err() {
            LINES_LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `/live`, `/ready`, `/metrics` and `/keys`, and signed orders about parked messages.
pub fn admin(watched: Watched) -> Router {
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/keys", get(keys::page))
        .with_state(watched.clone())
        .merge(crate::admin::orders(watched.gateway))
}

/// Ready: started and not stopping, the journal answers, every device of keys is there, and every broker is connected and takes
/// messages.
async fn ready(Shared(watched): Shared<Watched>) -> (StatusCode, String) {
    let mut faults = Vec::new();
    match watched.gateway.phase() {
        Phase::Starting => faults.push("starting".to_owned()),
        Phase::Running => {}
        Phase::Stopping => faults.push("stopping".to_owned()),
        Phase::Displaced => faults.push("another process runs under this instance's name".to_owned()),
    }
    if watched.gateway.is_outdated() {
        faults.push("keys: another instance has a newer keyring, in which a key was promoted".to_owned());
    }
    if let Err(error) = watched.gateway.journal().read(Read::Setting("system".to_owned())).await {
        faults.push(format!("journal: {error}"));
    }
    if watched
        .gateway
        .counters()
        .is_held_back(crate::clock::millis(watched.gateway.now()))
    {
        faults.push("journal: it refuses, messages wait".to_owned());
    }
    faults.extend(keys::devices_away(&watched.gateway));
    for (name, mq) in &watched.mqs {
        let state = mq.state();
        if !state.connected || state.stalled {
            faults.push(format!(
                "link {name}: {}",
                if state.connected { "stalled" } else { "not connected" }
            ));
        }
    }
    if faults.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, faults.join("\n") + "\n")
    }
}

async fn metrics(Shared(watched): Shared<Watched>) -> (StatusCode, String) {
    match figures(&watched.gateway).await {
        Ok(figures) => (StatusCode::OK, exposition(&watched, &figures)),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("# journal: {error}\n")),
    }
}

async fn figures(gateway: &Gateway) -> Result<Figures, String> {
    let now = crate::clock::millis(gateway.now());
    let found: Result<Found, _> = gateway.journal().read(Read::Figures { now }).await;
    found
        .map_err(|error| error.to_string())?
        .figures()
        .map_err(|error| error.to_string())
}

/// The text format of Prometheus.
fn exposition(watched: &Watched, figures: &Figures) -> String {
    let mut page = Page::default();
    let counters = watched.gateway.counters();
    page.one("hangu_in_flight", "gauge", "exchanges in hand", counters.in_flight());
    page.one(
        "hangu_unknown_outcomes",
        "gauge",
        "exchanges whose outcome is unknown",
        figures.unknown_count,
    );
    page.one(
        "hangu_unknown_amount_fen",
        "gauge",
        "their amount",
        figures.unknown_amount_fen,
    );
    page.one(
        "hangu_unknown_oldest_seconds",
        "gauge",
        "age of the oldest",
        figures.unknown_oldest_ms / 1000,
    );
    page.one("hangu_parked_messages", "gauge", "messages kept for a person", figures.parked);
    page.head(
        "hangu_lined_up",
        "gauge",
        "accepted exchanges that wait for a place at a link",
    );
    for (link, count) in watched.gateway.lined_up() {
        page.line("hangu_lined_up", &format!("link=\"{link}\""), count);
    }
    page.head("hangu_exchanges", "gauge", "exchanges by state");
    for state in State::ALL {
        let count = figures
            .by_state
            .iter()
            .find(|(found, _)| *found == state)
            .map_or(0, |(_, count)| *count);
        page.line("hangu_exchanges", &format!("state=\"{}\"", state.name()), count);
    }
    counted(&mut page, watched);
    http::figures(&mut page, watched);
    keys::exposition(&mut page, &watched.gateway);
    keys::certificates(&mut page, &watched.gateway);
    keys::devices(&mut page, &watched.gateway);
    for (operation, times) in counters.operations() {
        page.quantiles(
            "hangu_inside_seconds",
            &format!("operation=\"{operation}\""),
            &times.inside_us,
        );
    }
    page.head(
        "hangu_inside_time_seconds",
        "histogram",
        "from receipt to delivered reply, less the time away",
    );
    for (operation, times) in counters.operations() {
        page.buckets(
            "hangu_inside_time_seconds",
            &format!("operation=\"{operation}\""),
            &times.inside_us,
        );
    }
    for (link, leg) in counters.legs() {
        page.quantiles("hangu_leg_seconds", &format!("link=\"{link}\""), &leg.away_us);
    }
    page.0
}

fn counted(page: &mut Page, watched: &Watched) {
    let counters = watched.gateway.counters();
    let counts = counters.counts();
    for name in crate::exchange::Counters::NAMES {
        let name = *name;
        page.one(
            &format!("hangu_{name}_total"),
            "counter",
            "since start",
            counts.get(name).copied().unwrap_or(0),
        );
    }
    page.one(
        "hangu_log_lines_lost_total",
        "counter",
        "log lines that could not be written",
        LINES_LOST.load(Ordering::Relaxed),
    );
    page.head("hangu_rejections_total", "counter", "refused messages by step");
    for (step, count) in counters.rejections() {
        page.line("hangu_rejections_total", &format!("step=\"{}\"", step.name()), count);
    }
    page.head("hangu_outcomes_total", "counter", "settled exchanges");
    for (operation, times) in counters.operations() {
        page.line(
            "hangu_outcomes_total",
            &format!("operation=\"{operation}\",outcome=\"success\""),
            times.success,
        );
        page.line(
            "hangu_outcomes_total",
            &format!("operation=\"{operation}\",outcome=\"failed\""),
            times.failed,
        );
    }
    page.head("hangu_mq_connected", "gauge", "broker connections");
    for (name, mq) in &watched.mqs {
        page.line(
            "hangu_mq_connected",
            &format!("link=\"{name}\""),
            u8::from(mq.state().connected),
        );
    }
    page.head("hangu_mq_generations_total", "counter", "broker connections so far");
    for (name, mq) in &watched.mqs {
        page.line(
            "hangu_mq_generations_total",
            &format!("link=\"{name}\""),
            mq.state().generations,
        );
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        let _done = writeln!(self.0, "{name} {value}");
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _done = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _done = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    fn quantiles(&mut self, name: &str, label: &str, times: &Histogram<u64>) {
        for (quantile, text) in [(0.5, "0.5"), (0.99, "0.99"), (0.999, "0.999")] {
            let micros = times.value_at_quantile(quantile);
            self.line(name, &format!("{label},quantile=\"{text}\""), seconds(micros));
        }
        self.line(&format!("{name}_count"), label, times.len());
    }

    /// Cumulative counts, which can be added over instances and subtracted over time, as quantiles cannot.
    fn buckets(&mut self, name: &str, label: &str, times: &Histogram<u64>) {
        for bound in bucket_bounds_us() {
            let within = times.count_between(0, bound);
            self.line(
                &format!("{name}_bucket"),
                &format!("{label},le=\"{}\"", seconds(bound)),
                within,
            );
        }
        self.line(&format!("{name}_bucket"), &format!("{label},le=\"+Inf\""), times.len());
        let sum_us = times.iter_recorded().map(|step| {
            let middle = times.median_equivalent(step.value_iterated_to());
            middle.saturating_mul(step.count_at_value())
        });
        self.line(&format!("{name}_sum"), label, seconds(sum_us.sum()));
        self.line(&format!("{name}_count"), label, times.len());
    }
}

/// Ten bounds a decade, from 0.1 ms to 10 s.
fn bucket_bounds_us() -> impl Iterator<Item = u64> {
    let decades = [1, 10, 100, 1_000, 10_000];
    let within = |decade: u64| BUCKETS_US.into_iter().map(move |step| step * decade);
    decades.into_iter().flat_map(within).chain([10_000_000])
}

const BUCKETS_US: [u64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];

/// Microseconds as seconds with six decimals.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
