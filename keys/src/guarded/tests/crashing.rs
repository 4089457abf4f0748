//! Every write, sync and name fails once, and stops the program there: what is read afterwards is the old or the new state.

use super::*;
use std::cell::Cell;
use std::io::{Error, Result as Outcome};

/// Does the machine's work up to a step, of which only a part is done, and nothing after it.
pub(super) struct Dying {
    steps_left: Cell<u32>,
}

impl Dying {
    fn after(steps: u32) -> Self {
        Self {
            steps_left: Cell::new(steps),
        }
    }

    fn step(&self, whole: impl FnOnce() -> Outcome<()>, part: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        match self.steps_left.get() {
            0 => Err(Error::other("dead")),
            1 => {
                self.steps_left.set(0);
                part()?;
                Err(Error::other("died"))
            }
            steps => {
                self.steps_left.set(steps - 1);
                whole()
            }
        }
    }
}

impl Disk for Dying {
    fn create(&self, path: &Path, bytes: &[u8]) -> Outcome<()> {
        let half = &bytes[..bytes.len() / 2];
        self.step(|| FileDisk.create(path, bytes), || FileDisk.create(path, half))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Outcome<()> {
        let half = &bytes[..bytes.len() / 2];
        self.step(|| FileDisk.append(path, bytes), || FileDisk.append(path, half))
    }

    fn cut(&self, path: &Path, bytes: u64) -> Outcome<()> {
        self.step(|| FileDisk.cut(path, bytes), || Ok(()))
    }

    fn sync(&self, path: &Path) -> Outcome<()> {
        self.step(|| FileDisk.sync(path), || Ok(()))
    }

    fn publish(&self, from: &Path, to: &Path) -> Outcome<()> {
        self.step(|| FileDisk.publish(from, to), || std::fs::hard_link(from, to))
    }

    fn sync_folder(&self, path: &Path) -> Outcome<()> {
        self.step(|| FileDisk.sync_folder(path), || Ok(()))
    }
}

/// Runs a deed that dies one step later each time, until it lives; `look` sees what each death left.
pub(super) fn at_every_step(mut deed: impl FnMut(&Dying) -> bool, steps_min: u32) {
    for steps in 1.. {
        if deed(&Dying::after(steps)) {
            assert!(steps > steps_min, "only {steps} steps");
            return;
        }
    }
}

#[test]
fn a_death_while_a_key_is_proposed_leaves_old_or_new() {
    at_every_step(
        |disk| {
            let mut stage = Stage::new(3);
            let key = stage.fresh(signing(Status::Pending, "1"));
            let mut writer = opened(&stage.folder(), disk);
            let lives = writer.propose_key(&stage.li, &key, terms(), &mut stage.rng).is_ok();
            if !lives {
                let again = writer.propose(&stage.li, Change::Threshold(2), terms(), &mut stage.rng);
                assert!(matches!(again, Err(GuardedError::Store(_))), "a failed writer writes no more");
            }
            drop(writer);
            let is_new = stage.state().open().count() == 1;
            assert!(is_new || !lives);
            // Whatever was left, the officers go on.
            if !is_new {
                stage.propose_key(signing(Status::Pending, "1"));
            }
            stage.agree(1);
            assert_eq!(stage.keyring().unwrap().infos().count(), 1);
            lives
        },
        8,
    );
}

#[test]
fn a_death_while_the_last_approval_is_written_leaves_old_or_new() {
    at_every_step(
        |disk| {
            let mut stage = Stage::new(2);
            let number = stage.propose_key(signing(Status::Pending, "1"));
            let mut writer = opened(&stage.folder(), disk);
            let lives = writer.approve(&stage.wang, number, NOW, &mut stage.rng).is_ok();
            drop(writer);
            let is_new = stage.state().ending(number) == Some(Ending::Applied);
            assert!(is_new || !lives);
            assert_eq!(stage.keyring().unwrap().infos().count(), usize::from(is_new));
            let again = stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng);
            assert_eq!(again.is_ok(), !is_new);
            assert_eq!(stage.state().ending(number), Some(Ending::Applied));
            lives
        },
        4,
    );
}

#[test]
fn a_death_while_a_store_is_founded_or_restored_leaves_none_or_all() {
    at_every_step(
        |disk| {
            let mut stage = Stage::unfounded();
            let lives = stage.found(3, disk).is_ok();
            if is_guarded(&stage.folder()) {
                assert_eq!(stage.state().length(), 1);
            } else {
                assert!(!lives);
                stage.found(3, &FileDisk).unwrap();
            }
            lives
        },
        4,
    );
    let mut stage = Stage::new(2);
    for serial in ["1", "2"] {
        let number = stage.propose_key(signing(Status::Accepted, serial));
        stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    }
    let copy = stage.place.path().join("copy");
    back_up(&stage.folder(), &stage.master, &copy, &FileDisk, &mut stage.rng).unwrap();
    let store = stage.state().store().to_owned();
    let parts = stage.master.split(&store, 2, 2, &mut stage.rng).unwrap();
    let places = tempfile::tempdir().unwrap();
    let mut count = 0;
    at_every_step(
        |disk| {
            count += 1;
            let to = places.path().join(format!("{count}"));
            let lives = restore(&copy, &parts, &to, disk).is_ok();
            if !is_guarded(&to) {
                restore(&copy, &parts, &to, &FileDisk).unwrap();
            }
            let (_, state) = read(&to).unwrap();
            assert_eq!(state.head(), stage.state().head());
            assert_eq!(
                keyring(&to, &state, &stage.master, Engine::Reference)
                    .unwrap()
                    .infos()
                    .count(),
                2
            );
            lives
        },
        12,
    );
}

/// A record counts when its line feed is there, whatever part of it a crash left.
#[test]
fn a_log_that_ends_at_any_byte_is_read_and_mended() {
    let mut stage = Stage::new(2);
    let number = stage.propose_key(signing(Status::Pending, "1"));
    let path = stage.folder().join(LOG_FILE);
    let before = stage.log_bytes();
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    let after = stage.log_bytes();
    for length in before.len()..=after.len() {
        let log = Log::read(&after[..length]).unwrap();
        assert_eq!(log.length(), if length == after.len() { 3 } else { 2 }, "{length}");
        assert_eq!(
            log.torn_bytes(),
            if length == after.len() { 0 } else { length - before.len() }
        );
    }
    for length in [before.len() + 1, after.len() - 1] {
        std::fs::write(&path, &after[..length]).unwrap();
        assert_eq!(stage.state().ending(number), None);
        stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
        assert_eq!(stage.state().ending(number), Some(Ending::Applied));
        assert_eq!(audit(&stage.log_bytes(), None, None).findings, []);
    }
    assert!(Log::read(b"").is_err(), "a log without a header is none");
}

#[test]
fn one_writes_at_a_time() {
    let stage = Stage::new(2);
    let first = stage.writer();
    assert!(matches!(Writer::open(&stage.folder(), &FileDisk), Err(GuardedError::Locked)));
    assert_eq!(stage.state().length(), 1, "readers need not wait");
    drop(first);
    drop(stage.writer());
}
