//! A reader holds a checkpoint up half way, and the disk fails where the next one goes on: what counted as copied was never
//! synced, and a failed sync loses it although every read shows it.

use super::cuts::{LOST, open};
use super::place::{Place, batches, model};
use super::script::script;
use hangu::journal::sqlite::Store;
use hangu::journal::{JournalError, Write};
use powercut::{Answer, Cut, Disk, Event, Fault, Operation, Platter, Random};
use rusqlite::{Connection, OpenFlags};

#[test]
fn what_counts_as_copied_is_copied_again_after_a_failed_sync() {
    let seed = super::seed();
    println!("seed {seed}");
    let steps = script(seed, BATCHES);
    let batches: Vec<&[Write]> = batches(&steps).collect();
    let legal = model(batches.iter().copied());
    let (mut certain, mut refused) = (0, 0);
    for at in 1.. {
        let (disk, place) = (Disk::register().unwrap(), Place::new());
        let day = live(&batches, at, &disk, &place);
        if disk.failed() == 0 {
            break;
        }
        let Some(told) = day else { continue };
        certain += 1;
        refused += u32::from(told.was_refused);
        judge(&disk.take(), &legal, seed ^ at, &place)
            .unwrap_or_else(|wrong| panic!("{wrong}; sync {at} failed; again: HANGU_POWER_CUTS_SEED={seed}"));
    }
    println!("{certain} days without doubt, on {refused} of them the journal waited for the reader's end");
    assert!(certain > 1 && refused > 0, "{certain} days, {refused} refusals");
}

/// What a day without an unknown answer was like.
struct Told {
    /// Because somebody still read by the index that knows what was copied.
    was_refused: bool,
}

/// None where an answer was unknown: other tests judge such days.
fn live(batches: &[&[Write]], at: u64, disk: &Disk, place: &Place) -> Option<Told> {
    let mut store = place.open(Some(disk.name())).unwrap();
    let (before, rest) = batches.split_at(BEFORE);
    let (held_up, after) = rest.split_at(HELD_UP);
    let mut done = 0;
    done_all(&mut store, before, disk, &mut done);
    let reader = reading(place);
    done_all(&mut store, held_up, disk, &mut done);
    store.after_commit();
    store.when_idle();
    reader.execute_batch("COMMIT").unwrap();
    disk.fail(Fault {
        operation: Operation::Sync,
        at,
        answer: Answer::InputOutput,
        lasting: false,
    });
    let (mut reader, mut told) = (Some(reader), Told { was_refused: false });
    for batch in after {
        let mut answer = store.apply_batch(batch);
        if let (Err(JournalError::Refused(reason)), Some(_)) = (&answer, &reader) {
            told.was_refused |= reason.contains("must end first");
            reader = None;
            answer = store.apply_batch(batch);
        }
        answer.ok()?;
        done += 1;
        disk.acknowledge(done);
        store.after_commit();
        store.when_idle();
    }
    Some(told)
}

/// Nothing is copied meanwhile: the reader shall find a part of the log that is not.
fn done_all(store: &mut Store, batches: &[&[Write]], disk: &Disk, done: &mut usize) {
    for batch in batches {
        store.apply_batch(batch).unwrap();
        *done += 1;
        disk.acknowledge(*done);
    }
}

/// Reads what there is at this moment, until it is told to end.
fn reading(place: &Place) -> Connection {
    let reader = Connection::open_with_flags(place.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM meta;").unwrap();
    reader
}

/// The power fails at some moments after the fault.
fn judge(history: &[Event], legal: &[u64], seed: u64, place: &Place) -> Result<(), String> {
    let failed = history.iter().position(|event| matches!(event, Event::SyncFailed { .. }));
    let from = failed.ok_or("no sync failed")?;
    for number in 0..CUTS {
        let mut random = Random::of(seed, number);
        let moment = from + random.below(history.len() + 1 - from);
        let mut platter = Platter::new(random.next());
        history[..moment].iter().for_each(|event| platter.apply(event));
        let how = *random.one_of(&[Cut::Nothing, Cut::Everything, Cut::Prefix, Cut::Subset, Cut::Torn]);
        let found = open(place, &platter.cut(how, &mut random), "after the cut");
        let is_kept = found
            .as_ref()
            .is_ok_and(|digest| legal[platter.acknowledged()..].contains(digest));
        if !is_kept {
            return Err(format!(
                "{} cut {number}: {how:?} after event {moment}",
                found.err().unwrap_or_else(|| LOST.into())
            ));
        }
    }
    Ok(())
}

const BATCHES: usize = 20;
/// Batches before the reader begins, and while it reads.
const BEFORE: usize = 8;
const HELD_UP: usize = 4;
/// Power cuts of each day.
const CUTS: u64 = 30;
