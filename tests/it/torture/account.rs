//! What has been done so far: a line for each finished minute, from which a run that was stopped goes on.

use super::deck::{Blow, Kind};
use super::serials::{Interrupted, Reached};
use super::watch::Recovery;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// One finished minute. Counts of payments are of the life in which it ended.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(super) struct Minute {
    pub(super) number: u64,
    pub(super) played: u64,
    /// Payments in the books.
    pub(super) booked: u64,
    pub(super) reached: Reached,
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) recoveries: Vec<Recovery>,
    pub(super) outage_ms: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) equal: bool,
    pub(super) differences: Vec<Value>,
    /// Still open after a long time of settling.
    pub(super) unknown: u64,
    /// Replies that contradict earlier ones, or whose signature does not hold.
    pub(super) contradicted: u64,
    /// What did not end as planned; a storm of repeats may make "processing" out of an answer, which is no fault.
    pub(super) complaints: Vec<String>,
    pub(super) fell: Vec<String>,
    /// What was left out of its books.
    pub(super) interrupted: Vec<Interrupted>,
}

/// All finished minutes together.
#[derive(Default)]
pub(super) struct Account {
    /// Finished minutes.
    pub(super) count: u64,
    /// Payments of earlier lives.
    pub(super) payments_before: u64,
    pub(super) payments: u64,
    pub(super) reached: Reached,
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) recoveries: Vec<Recovery>,
    pub(super) outage_ms: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) unknown: u64,
    pub(super) unequal: u64,
    pub(super) contradicted: u64,
    /// Of the last minute, as are lost, twice, unknown and contradicted: each minute compares the whole books.
    pub(super) differences: Vec<Value>,
    pub(super) complaints: Vec<String>,
    pub(super) fell: Vec<String>,
    pub(super) interrupted: Vec<Interrupted>,
}

impl Minute {
    pub(super) const fn holds(&self) -> bool {
        self.lost == 0 && self.twice == 0 && self.equal && self.unknown == 0 && self.contradicted == 0
    }
}

impl Account {
    /// What an earlier run of this folder did.
    pub(super) fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
        let mut account = Self::default();
        for line in text.lines() {
            account.add(serde_json::from_str(line).expect("a line of a finished minute"));
        }
        account.payments_before = account.payments;
        account
    }

    /// Adds a minute, here and in the folder.
    pub(super) fn append(&mut self, folder: &Path, minute: Minute) {
        let file = std::fs::File::options().append(true).create(true).open(folder.join(FILE));
        let mut line = serde_json::to_string(&minute).unwrap();
        line.push('\n');
        let mut file = file.unwrap();
        file.write_all(line.as_bytes()).unwrap();
        file.sync_all().unwrap();
        self.add(minute);
    }

    pub(super) fn holds(&self) -> bool {
        let wrong = [self.lost, self.twice, self.unknown, self.unequal, self.contradicted];
        wrong.iter().all(|count| *count == 0)
    }

    pub(super) fn kills(&self) -> u64 {
        self.faults.get(Blow::GatewayKilled.name()).copied().unwrap_or(0)
    }

    fn add(&mut self, minute: Minute) {
        // A life's counts start anew.
        if minute.interrupted != self.interrupted {
            self.payments_before = self.payments;
        }
        self.count = minute.number;
        self.payments = self.payments_before + minute.played;
        self.reached = minute.reached;
        for (kind, count) in minute.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.recoveries.extend(minute.recoveries);
        self.outage_ms = self.outage_ms.max(minute.outage_ms);
        (self.lost, self.twice, self.unknown) = (minute.lost, minute.twice, minute.unknown);
        self.unequal = u64::from(!minute.equal);
        self.contradicted = minute.contradicted;
        self.differences = minute.differences;
        self.complaints = minute.complaints;
        self.fell.extend(minute.fell);
        self.interrupted = minute.interrupted;
    }
}

const FILE: &str = "minutes.jsonl";
