//! The three books of a run, compared where nothing is open, and kept from minute to minute.

use super::account::Minute;
use super::gateway::Gateway;
use super::party::Party;
use super::say;
use super::serials::Serials;
use crate::process::hangu_with;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) struct Books<'a> {
    pub(super) folder: &'a Path,
    pub(super) serials: &'a Serials,
    pub(super) centre: &'a Party,
    pub(super) platform: &'a Party,
    /// Any of them: its configuration names the journal.
    pub(super) gateway: &'a Gateway,
}

impl Books<'_> {
    /// Compares them as they stand, and proves the journal if asked to; where they agree they are kept, for a later life to go
    /// on with.
    pub(super) fn compare(&self, left_open: u64, proves: bool) -> Minute {
        let [centre, gateway, platform] = BOOKS.map(|file| self.folder.join(file));
        self.centre.write_book(&centre);
        self.platform.write_book(&platform);
        let exported = self.hangu(&["journal", "export", "--to", BOOKS[1]]).status().unwrap();
        assert!(exported.success(), "the journal is exported");
        for book in [&centre, &gateway, &platform] {
            self.serials.leave_out_interrupted(book);
        }
        let compared = Command::new(env!("CARGO_BIN_EXE_hangu"))
            .current_dir(self.folder)
            .args(["-o", "json", "sim", "compare"])
            .args(BOOKS)
            .output()
            .unwrap();
        let comparison: Value = serde_json::from_slice(&compared.stdout).expect("a comparison in JSON");
        let mut minute = self.minute(&comparison, left_open);
        minute.equal &= !proves || self.verify();
        if minute.holds() {
            for book in [&centre, &platform] {
                std::fs::copy(book, kept(book)).unwrap();
            }
        }
        minute
    }

    fn minute(&self, comparison: &Value, left_open: u64) -> Minute {
        let (centre, platform) = (self.centre.figures(), self.platform.figures());
        let number = |value: &Value| value.as_u64().unwrap();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let complaints = [list(&centre["complaints"]), list(&platform["complaints"])].concat();
        Minute {
            played: number(&centre["played"]) + number(&platform["played"]),
            booked: number(&comparison["payments"]),
            reached: [&centre, &platform].map(|figures| self.serials.reached(number(&figures["reached"]))),
            lost: number(&comparison["lost"]),
            twice: number(&comparison["executed_twice"]),
            differences: list(&comparison["differences"]).into_iter().take(20).collect(),
            equal: comparison["equal"] == true,
            unknown: left_open,
            contradicted: number(&centre["figures"]["contradicted"]) + number(&centre["figures"]["bad_signature"]),
            complaints: complaints.iter().map(ToString::to_string).collect(),
            interrupted: self.serials.interrupted.clone(),
            ..Minute::default()
        }
    }

    fn verify(&self) -> bool {
        let verified = self.hangu(&["journal", "verify"]).output().unwrap();
        if !verified.status.success() {
            say(&String::from_utf8_lossy(&verified.stdout));
        }
        verified.status.success()
    }

    fn hangu(&self, arguments: &[&str]) -> Command {
        hangu_with(self.folder, &self.gateway.config(), arguments)
    }
}

/// Where the book of the last finished minute is kept.
pub(super) fn kept(book: &Path) -> PathBuf {
    book.with_extension("last.json")
}

/// Of the centre, the gateways and the platform.
pub(super) const BOOKS: [&str; 3] = ["centre.json", "gateway.json", "platform.json"];
