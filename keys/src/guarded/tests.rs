#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::keyring::Keyring;
use crate::sm2::Engine;
use crate::store::NewKey;
use crate::testing::{NOW, SeededRng, entry};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use time::Duration;

mod approving; // whose signature counts, and when
mod auditing; // what is noticed offline
mod certifying; // certificates, requests, revocation lists
mod changing; // what a change may do
mod crashing; // every step fails, every tail is torn
mod holding; // wrapped files, master keys, copies, officers' files
mod pairing; // double certificates
mod promoting; // at an instant, and back
mod replacing; // another master key, whole or not at all

/// A store of four officers of whom three must agree: Li and Wang may propose and approve, Chen approve, Zhao watch.
struct Stage {
    place: TempDir,
    master: MasterKey,
    li: OfficerKey,
    wang: OfficerKey,
    chen: OfficerKey,
    zhao: OfficerKey,
    rng: SeededRng,
}

impl Stage {
    fn new(threshold: u8) -> Self {
        let mut stage = Self::unfounded();
        stage.found(threshold, &FileDisk).unwrap();
        stage
    }

    fn unfounded() -> Self {
        let mut rng = SeededRng::new(70);
        let [li, wang, chen, zhao] = ["li", "wang", "chen", "zhao"].map(|name| OfficerKey::generate(name, &mut rng).unwrap());
        Self {
            place: tempfile::tempdir().unwrap(),
            master: MasterKey::generate(&mut rng).unwrap(),
            li,
            wang,
            chen,
            zhao,
            rng,
        }
    }

    fn found(&mut self, threshold: u8, disk: &dyn Disk) -> Result<(), GuardedError> {
        let both = || roles(&[Role::Custodian, Role::Approver]);
        let founder = |key, roles| Founder { key, roles };
        let founding = Founding {
            founders: vec![
                founder(&self.li, both()),
                founder(&self.wang, both()),
                founder(&self.chen, roles(&[Role::Approver])),
                founder(&self.zhao, roles(&[Role::Auditor])),
            ],
            threshold,
            master: &self.master,
            now: NOW,
        };
        Writer::found(&self.place.path().join("store"), &founding, disk, &mut self.rng).map(drop)
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("store")
    }

    fn writer(&self) -> Writer<'static> {
        opened(&self.folder(), &FileDisk)
    }

    fn state(&self) -> State {
        read(&self.folder()).unwrap().1
    }

    fn log_bytes(&self) -> Vec<u8> {
        std::fs::read(self.folder().join(LOG_FILE)).unwrap()
    }

    fn keyring(&self) -> Result<Keyring, GuardedError> {
        keyring(&self.folder(), &self.state(), &self.master, Engine::Native)
    }

    fn fresh(&mut self, entry: KeyEntry) -> GuardedKey {
        fresh(&self.state(), &self.master, &NewKey { entry, bits: 2048 }, &mut self.rng).unwrap()
    }

    /// Li proposes a key.
    fn propose_key(&mut self, entry: KeyEntry) -> u64 {
        let key = self.fresh(entry);
        self.writer().propose_key(&self.li, &key, terms(), &mut self.rng).unwrap()
    }

    /// Li proposes a change.
    fn propose(&mut self, change: Change) -> Result<u64, GuardedError> {
        self.writer().propose(&self.li, change, terms(), &mut self.rng)
    }

    /// Wang and Chen approve.
    fn agree(&mut self, number: u64) {
        self.writer().approve(&self.wang, number, NOW, &mut self.rng).unwrap();
        self.writer().approve(&self.chen, number, NOW, &mut self.rng).unwrap();
    }

    fn change(&mut self, change: Change) -> Result<(), GuardedError> {
        let number = self.propose(change)?;
        self.agree(number);
        Ok(())
    }

    fn add(&mut self, entry: KeyEntry) {
        let number = self.propose_key(entry);
        self.agree(number);
    }
}

/// A child that another test starts inherits every lock for a moment, until it runs its program.
fn opened<'a>(folder: &Path, disk: &'a dyn Disk) -> Writer<'a> {
    let attempts = std::iter::repeat_with(|| {
        std::thread::yield_now();
        Writer::open(folder, disk)
    });
    let mut others = attempts
        .take(1_000_000)
        .filter(|opened| !matches!(opened, Err(GuardedError::Locked)));
    others.next().expect("the store stays locked").unwrap()
}

fn roles(roles: &[Role]) -> BTreeSet<Role> {
    roles.iter().copied().collect()
}

fn terms() -> Terms {
    Terms {
        now: NOW,
        expires: NOW + Duration::days(7),
    }
}

fn signing(status: Status, serial: &str) -> KeyEntry {
    entry("centre", Side::Ours, Usage::Sign, status, serial)
}

fn step(id: &str, from: Status, to: Status) -> Step {
    Step {
        id: id.to_owned(),
        from: from.name().to_owned(),
        to: to.name().to_owned(),
        primary_from: None,
    }
}

fn refused<T>(outcome: Result<T, GuardedError>) -> Refusal {
    match outcome.map(|_| ()) {
        Err(GuardedError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
