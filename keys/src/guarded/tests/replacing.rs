//! Another master key: the same keys, whole or not at all.

use super::crashing::at_every_step;
use super::*;
use crate::store::Encoding;

fn next(stage: &mut Stage) -> MasterKey {
    MasterKey::generate(&mut stage.rng).unwrap()
}

fn wrapped_under(stage: &mut Stage, next: &MasterKey) -> Result<Replacement, GuardedError> {
    replacement(&stage.folder(), &stage.state(), &stage.master, next, &mut stage.rng)
}

fn proposed(stage: &mut Stage, disk: &dyn Disk, replacement: &Replacement) -> Result<u64, GuardedError> {
    let mut writer = opened(&stage.folder(), disk);
    writer.propose_master(&stage.li, replacement, terms(), &mut stage.rng)
}

fn prints(stage: &Stage, master: &MasterKey) -> Result<Vec<(String, String)>, GuardedError> {
    let keyring = keyring(&stage.folder(), &stage.state(), master, Engine::Reference)?;
    Ok(keyring
        .infos()
        .map(|info| (info.id.clone(), info.fingerprint.clone()))
        .collect())
}

/// Our key, a counterparty's, a shared one.
fn filled() -> Stage {
    let mut stage = Stage::new(3);
    stage.add(signing(Status::Accepted, "1"));
    stage.add(entry("centre", Side::Shared, Usage::Mac, Status::Accepted, "m"));
    let theirs = entry("centre", Side::Theirs, Usage::Sign, Status::Accepted, "2");
    let pem = crate::testing::gmt_public().to_spki_pem().unwrap();
    let key = import(&stage.state(), &stage.master, &theirs, &pem, Encoding::Hex, &mut stage.rng).unwrap();
    let number = stage.writer().propose_key(&stage.li, &key, terms(), &mut stage.rng).unwrap();
    stage.agree(number);
    stage
}

#[test]
fn every_key_is_the_same_under_another_master_key() {
    let mut stage = filled();
    let before = prints(&stage, &stage.master).unwrap();
    let next = next(&mut stage);
    let waiting = stage.propose_key(signing(Status::Pending, "9"));
    let replacement = wrapped_under(&mut stage, &next).unwrap();
    let number = proposed(&mut stage, &FileDisk, &replacement).unwrap();
    assert_eq!(prints(&stage, &stage.master).unwrap(), before, "nothing has taken effect");
    assert!(matches!(prints(&stage, &next), Err(GuardedError::OtherMaster)));
    stage.agree(number);
    assert_eq!(prints(&stage, &next).unwrap(), before);
    assert!(matches!(prints(&stage, &stage.master), Err(GuardedError::OtherMaster)));
    assert_eq!(
        stage.state().ending(waiting),
        Some(Ending::Void),
        "it was wrapped under the old one"
    );
    assert_eq!(audit(&stage.log_bytes(), None, None).findings, []);
    stage.master = next;
    stage.add(signing(Status::Pending, "10"));
    let copy = stage.place.path().join("copy");
    back_up(&stage.folder(), &stage.master, &copy, &FileDisk, &mut stage.rng).unwrap();
}

#[test]
fn a_key_that_came_in_between_makes_it_void() {
    let mut stage = filled();
    let next = next(&mut stage);
    let replacement = wrapped_under(&mut stage, &next).unwrap();
    let number = proposed(&mut stage, &FileDisk, &replacement).unwrap();
    stage.add(signing(Status::Pending, "5"));
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    let last = stage.writer().approve(&stage.chen, number, NOW, &mut stage.rng);
    assert!(matches!(refused(last), Refusal::Master(_)));
    assert_eq!(prints(&stage, &stage.master).unwrap().len(), 4);
}

#[test]
fn what_a_revoked_key_no_longer_gives_does_not_hold_it_up() {
    let mut stage = filled();
    let held = stage.state().key(&signing(Status::Accepted, "1").id).unwrap().clone();
    let steps = vec![step(&held.entry.id, Status::Accepted, Status::Revoked)];
    std::fs::remove_file(
        stage
            .folder()
            .join(fresh::file(&held.entry.id, held.material.wrapped.as_deref().unwrap()).unwrap()),
    )
    .unwrap();
    let next = next(&mut stage);
    assert!(wrapped_under(&mut stage, &next).is_err(), "a key that counts must open");
    stage.change(Change::Status(steps)).unwrap();
    let replacement = wrapped_under(&mut stage, &next).unwrap();
    let number = proposed(&mut stage, &FileDisk, &replacement).unwrap();
    stage.agree(number);
    assert_eq!(prints(&stage, &next).unwrap().len(), 2);
}

/// A wrapped file that is gone before the last approval: the approval is refused and the store as it was.
#[test]
fn it_does_not_take_effect_without_its_files() {
    let mut stage = filled();
    let next = next(&mut stage);
    let replacement = wrapped_under(&mut stage, &next).unwrap();
    let number = proposed(&mut stage, &FileDisk, &replacement).unwrap();
    std::fs::remove_file(stage.folder().join(replacement.files.keys().next().unwrap())).unwrap();
    stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
    assert!(stage.writer().approve(&stage.chen, number, NOW, &mut stage.rng).is_err());
    assert_eq!(prints(&stage, &stage.master).unwrap().len(), 3);
}

#[test]
fn a_death_at_any_step_leaves_one_master_key_or_the_other() {
    at_every_step(
        |disk| {
            let mut stage = filled();
            let next = next(&mut stage);
            let replacement = wrapped_under(&mut stage, &next).unwrap();
            let lives = proposed(&mut stage, disk, &replacement).is_ok();
            assert_eq!(prints(&stage, &stage.master).unwrap().len(), 3);
            // The officers go on, whatever was left: with files of new nonces and so of new names.
            if !lives {
                let again = wrapped_under(&mut stage, &next).unwrap();
                proposed(&mut stage, &FileDisk, &again).unwrap();
            }
            let number = stage.state().open().last().unwrap().number;
            stage.agree(number);
            assert_eq!(prints(&stage, &next).unwrap().len(), 3);
            lives
        },
        12,
    );
    at_every_step(
        |disk| {
            let mut stage = filled();
            let next = next(&mut stage);
            let replacement = wrapped_under(&mut stage, &next).unwrap();
            let number = proposed(&mut stage, &FileDisk, &replacement).unwrap();
            stage.writer().approve(&stage.wang, number, NOW, &mut stage.rng).unwrap();
            let mut writer = opened(&stage.folder(), disk);
            let lives = writer.approve(&stage.chen, number, NOW, &mut stage.rng).is_ok();
            drop(writer);
            let is_new = stage.state().ending(number) == Some(Ending::Applied);
            assert!(is_new || !lives);
            let (works, other) = if is_new {
                (&next, &stage.master)
            } else {
                (&stage.master, &next)
            };
            assert_eq!(prints(&stage, works).unwrap().len(), 3);
            assert!(prints(&stage, other).is_err());
            lives
        },
        4,
    );
}
