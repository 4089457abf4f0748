//! What can be struck down and started again: gateways, the broker, the disk.

use super::disk::Disk;
use super::gateway::Gateway;
use crate::broker::Broker;
use crate::database::Database;
use crate::process::holds_within;
use std::path::PathBuf;
use std::time::Duration;

/// Fields are dropped in this order: what writes to the disk ends before it.
pub(super) struct Actors {
    pub(super) gateways: Vec<Gateway>,
    pub(super) broker: Broker,
    /// None where the journal is a file.
    pub(super) database: Option<Database>,
    pub(super) disk: Disk,
    pub(super) folder: PathBuf,
    /// Gateways that ended by themselves, and how; they are started again as a service manager would.
    pub(super) fell: Vec<String>,
}

impl Actors {
    /// SIGKILL; started again after `away`.
    pub(super) fn kill(&mut self, n: usize, away: impl FnOnce()) {
        self.gateways[n].process.kill();
        away();
        self.gateways[n].run(&self.folder);
    }

    /// SIGTERM to each in turn, the next one when the last is ready again. One that is just starting gets up first: it may end
    /// by itself where its database is away, and is started again then, as a service manager does.
    pub(super) fn roll(&mut self) {
        for gateway in &mut self.gateways {
            let is_up = holds_within(ROLLED, || {
                if let Some(how) = gateway.fell() {
                    self.fell.push(how);
                    gateway.run(&self.folder);
                }
                gateway.is_ready()
            });
            if !is_up {
                continue;
            }
            gateway.process.terminate();
            gateway.run(&self.folder);
            holds_within(ROLLED, || gateway.is_ready());
        }
    }

    pub(super) fn pause(&mut self, n: usize, paused: impl FnOnce()) {
        self.gateways[n].process.signal("STOP");
        paused();
        self.gateways[n].process.signal("CONT");
    }

    pub(super) fn are_ready(&self) -> bool {
        self.gateways.iter().all(Gateway::is_ready)
    }

    /// Starts again what ended by itself, as a service manager does.
    pub(super) fn supervise(&mut self) {
        self.revive_database();
        for gateway in &mut self.gateways {
            if let Some(how) = gateway.fell() {
                self.fell.push(how);
                gateway.run(&self.folder);
            }
        }
    }

    /// A database that cannot write its log ends; whoever runs it starts it again.
    pub(super) fn revive_database(&self) {
        if let Some(database) = &self.database {
            database.revive();
        }
    }

    /// Exchanges of the journal in these states, by the first gateway that tells.
    pub(super) fn exchanges(&self, states: &[&str]) -> Option<u64> {
        self.gateways.iter().find_map(|gateway| gateway.exchanges(states))
    }

    /// Ends the gateways in good order.
    pub(super) fn end(&mut self) {
        for gateway in &mut self.gateways {
            gateway.process.terminate();
        }
    }
}

const ROLLED: Duration = Duration::from_secs(30);
