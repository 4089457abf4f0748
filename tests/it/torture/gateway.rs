//! One gateway: its configuration and its process.

use super::stage::{PRISTINE, declare, replaced};
use crate::process::{Process, exchanges, free, get, hangu_with, is_ready};
use std::path::Path;

pub(super) struct Gateway {
    name: String,
    pub(super) admin: String,
    pub(super) listen: String,
    pub(super) process: Process,
}

/// What a gateway is connected to: addresses, and the lines of its journal.
pub(super) struct Surroundings<'a> {
    pub(super) broker: &'a str,
    pub(super) platform: &'a str,
    pub(super) journal: &'a str,
}

impl Gateway {
    /// Writes its configuration and starts it.
    pub(super) fn start(folder: &Path, n: usize, surroundings: &Surroundings<'_>) -> Self {
        let (name, admin, listen) = (format!("gateway-{}", n + 1), free(), free());
        let text = std::fs::read_to_string(folder.join(PRISTINE)).unwrap();
        let text = [
            ("\"hangu-1\"", format!("\"{name}\"")),
            ("file = \"hangu.db\"", surroundings.journal.to_owned()),
            ("127.0.0.1:5672", surroundings.broker.to_owned()),
            ("127.0.0.1:9180", admin.clone()),
            ("127.0.0.1:8100", listen.clone()),
            ("127.0.0.1:8200", surroundings.platform.to_owned()),
            ("#hand_off_prefix = ", "hand_off_prefix = ".to_owned()),
            ("#heartbeat_s = 10", "heartbeat_s = 5".to_owned()),
            ("#grace_s = 20", "grace_s = 10".to_owned()),
            ("#answer_ms = 30000", "answer_ms = 5000".to_owned()),
            ("codec = \"platform\"", "codec = \"platform\"\nanswer_ms = 5000".to_owned()),
            (
                "#query_after_ms = [1000, 5000, 15000, 60000]",
                "query_after_ms = [500, 1000, 2000]".to_owned(),
            ),
            ("#resend_after_ms = 60000", "resend_after_ms = 3000".to_owned()),
        ]
        .iter()
        .fold(text, |text, (from, to)| replaced(&text, from, to));
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
        declare(folder, &format!("{name}.toml"));
        let process = Self::spawn(folder, &name);
        Self {
            name,
            admin,
            listen,
            process,
        }
    }

    pub(super) fn run(&mut self, folder: &Path) {
        self.process = Self::spawn(folder, &self.name);
    }

    fn spawn(folder: &Path, name: &str) -> Process {
        Process::of(
            hangu_with(folder, &format!("{name}.toml"), &["run", "--log", "warn"]),
            folder,
            name,
        )
    }

    /// How it ended, if it did so by itself.
    pub(super) fn fell(&mut self) -> Option<String> {
        let status = self.process.exited()?;
        Some(format!("{} ended: {status}", self.name))
    }

    pub(super) fn is_ready(&self) -> bool {
        is_ready(&self.admin)
    }

    /// Exchanges of the journal in these states, if it tells.
    pub(super) fn exchanges(&self, states: &[&str]) -> Option<u64> {
        states.iter().map(|state| exchanges(&self.admin, state)).sum()
    }

    pub(super) fn config(&self) -> String {
        format!("{}.toml", self.name)
    }

    /// The centre's announcement was taken, by this gateway or before.
    pub(super) fn knows_the_date(&self) -> bool {
        let told = "hangu_outcomes_total{operation=\"status\",outcome=\"success\"} ";
        let count = |page: String| page.lines().find_map(|line| line.strip_prefix(told)?.parse::<u64>().ok());
        get(&self.admin, "/metrics").and_then(count).is_some_and(|count| count > 0)
    }
}
