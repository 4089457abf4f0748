//! What is seen of a load each second: in place on a terminal, one line after the other elsewhere; both on standard error.

use super::load::Shared;
use hangu::mq::SharedMq;
use simulators::centre::Desk;
use simulators::drive::{Look, Sample};
use simulators::platform::{SharedLedger, lock};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::texts::text;

/// The watcher of a running load.
pub(super) struct View {
    stop: CancellationToken,
    task: JoinHandle<Vec<Sample>>,
}

impl View {
    pub(super) fn start(shared: Arc<Shared>, queues: (SharedMq, Vec<String>), parties: Remembering) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(watch(shared, queues, parties, stop.clone()));
        Self { stop, task }
    }

    /// Takes a last look and gives all of them.
    pub(super) async fn stop(self) -> Vec<Sample> {
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}

async fn watch(
    shared: Arc<Shared>,
    (mq, names): (SharedMq, Vec<String>),
    parties: Remembering,
    stop: CancellationToken,
) -> Vec<Sample> {
    let mut screen = Screen::new();
    let (mut samples, mut started_before) = (Vec::new(), 0);
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.tick().await;
    loop {
        let is_last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let queues = depths(&mq, &names).await;
        let (look, ended) = {
            let mut tally = shared.tally();
            (tally.look(), tally.ended)
        };
        let started = shared.started.load(Ordering::Relaxed);
        let counts = (started - started_before, started.saturating_sub(ended));
        let sample = Sample {
            queues,
            remembered: parties.count(),
            memory_mb: memory_mb(),
            ..sample(&shared, look, counts)
        };
        started_before = started;
        screen.show(&shared, &sample);
        samples.push(sample);
        if is_last {
            screen.end();
            return samples;
        }
    }
}

fn sample(shared: &Shared, look: Look, (started, under_way): (u64, u64)) -> Sample {
    Sample {
        second: shared.begun.elapsed().as_secs_f64(),
        started,
        ended: look.ended,
        success: look.success,
        failed: look.failed,
        unknown: look.unknown,
        p50_ms: look.p50_ms,
        p99_ms: look.p99_ms,
        max_ms: look.max_ms,
        under_way,
        ..Sample::default()
    }
}

/// Whose memory is looked at.
pub(super) struct Remembering {
    pub(super) desk: Desk,
    pub(super) ledger: Option<SharedLedger>,
}

impl Remembering {
    fn count(&self) -> u64 {
        let platform = self.ledger.as_ref().map_or(0, |ledger| lock(ledger).remembered());
        (self.desk.remembered() + platform) as u64
    }
}

/// What of this process is in memory, as Linux tells it.
pub(super) fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
    f64::from(kilobytes.unwrap_or(0)) / 1024.0
}

async fn depths(mq: &SharedMq, names: &[String]) -> BTreeMap<String, u64> {
    // A broker that hangs must not stop the clock of the view.
    let asked = tokio::time::timeout(PERIOD / 2, mq.check(names)).await;
    let states = asked.map_or_else(|_late| Vec::new(), Result::unwrap_or_default);
    states.into_iter().map(|state| (state.queue, state.messages)).collect()
}

/// Where samples are shown.
struct Screen {
    in_place: bool,
    lines: usize,
}

impl Screen {
    fn new() -> Self {
        Self {
            in_place: std::io::stderr().is_terminal(),
            lines: 0,
        }
    }

    fn show(&mut self, shared: &Shared, sample: &Sample) {
        let page = if self.in_place { page(shared, sample) } else { line(sample) };
        let back = if self.lines > 0 {
            format!("\x1b[{}A\x1b[J", self.lines)
        } else {
            String::new()
        };
        self.lines = if self.in_place { page.lines().count() } else { 0 };
        // A closed standard error must not end the load.
        drop(writeln!(std::io::stderr(), "{back}{page}"));
    }

    fn end(&self) {
        if self.in_place {
            drop(write!(std::io::stderr(), "\x1b[{}A\x1b[J", self.lines));
        }
    }
}

pub(super) fn line(sample: &Sample) -> String {
    format!(
        "{:.0} s  {}/s -> {}/s  p50 {:.1} ms  p99 {:.1} ms  max {:.1} ms  success {}  failed {}  unknown {}  under way {}  {}",
        sample.second,
        sample.started,
        sample.ended,
        sample.p50_ms,
        sample.p99_ms,
        sample.max_ms,
        sample.success,
        sample.failed,
        sample.unknown,
        sample.under_way,
        queues(sample),
    )
}

fn page(shared: &Shared, sample: &Sample) -> String {
    let tally = shared.tally();
    let all = &tally.all;
    let rows = [
        (text("drive.time"), format!("{:.0} s", sample.second)),
        (text("drive.rate"), format!("{}/s -> {}/s", sample.started, sample.ended)),
        (
            text("drive.latency"),
            format!(
                "p50 {:.1} ms  p99 {:.1} ms  max {:.1} ms",
                sample.p50_ms, sample.p99_ms, sample.max_ms
            ),
        ),
        (
            text("drive.so_far"),
            format!(
                "p50 {:.1} ms  p99 {:.1} ms  p99.9 {:.1} ms",
                all.latency_ms(0.5),
                all.latency_ms(0.99),
                all.latency_ms(0.999)
            ),
        ),
        (
            text("drive.outcomes"),
            format!("success {}  failed {}  unknown {}", all.success, all.failed, all.unknown),
        ),
        (text("drive.under_way"), sample.under_way.to_string()),
        (text("drive.queues"), queues(sample)),
    ];
    let row = |(name, value): &(crate::cli::texts::Text, String)| format!("{:<36} {value}", name.to_string());
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn queues(sample: &Sample) -> String {
    let each = sample.queues.iter().map(|(name, depth)| format!("{name} {depth}"));
    each.collect::<Vec<_>>().join("  ")
}

const PERIOD: Duration = Duration::from_secs(1);
