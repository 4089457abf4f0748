//! Every write and every sync fails once, and from then on: no answer may promise what the disk did not take.

mod course;
mod whole;

use super::cuts::{LOST, open};
use super::place::Place;
use super::script::{Step, script};
use crate::journal::data::accept;
use course::{Course, Courses};
use hangu::journal::sqlite::Store;
use hangu::journal::{JournalError, Write, Written};
use powercut::{Answer, Cut, Disk, Event, Fault, Operation, Platter, Random};
use std::thread;

#[test]
fn whichever_write_or_sync_fails_no_answer_is_false() {
    let seed = super::seed();
    println!("seed {seed}");
    let steps = &script(seed, BATCHES);
    thread::scope(|scope| {
        for fault in &FAULTS {
            scope.spawn(|| fail_each(steps, *fault, seed));
        }
    });
}

fn fail_each(steps: &[Step], fault: Fault, seed: u64) {
    let (disk, place) = (Disk::register().unwrap(), Place::new());
    let (mut courses, mut tally) = (Courses::default(), Tally::default());
    let mut operations = 0;
    loop {
        let fault = Fault {
            at: operations + 1,
            ..fault
        };
        let day = Day::new(steps, fault, &disk, &place);
        if disk.failed() == 0 {
            break;
        }
        let told = day
            .judge(&mut courses, &place)
            .and_then(|course| day.judge_cuts(&mut courses, &course, seed, &place));
        if let Err(told) = told {
            panic!("{told}; {fault:?}; again: HANGU_POWER_CUTS_SEED={seed} cargo test --test it power_cuts::faults");
        }
        tally.add(&day.replies);
        operations += 1;
    }
    assert!(operations > 15, "only {operations} operations to fail");
    println!("{fault:?}: each of {operations} operations failed; batches {tally:?}");
}

/// A day on which something fails: what its batches were answered, in the order in which they were asked.
struct Day {
    fault: Fault,
    batches: Vec<Vec<Write>>,
    replies: Vec<Reply>,
    history: Vec<Event>,
}

#[derive(PartialEq, Debug)]
enum Reply {
    Done(Vec<Result<Written, JournalError>>),
    /// There or not.
    Unknown,
    /// Not there.
    Refused,
}

#[derive(Default, Debug)]
struct Tally {
    done: usize,
    unknown: usize,
    refused: usize,
}

impl Tally {
    fn add(&mut self, replies: &[Reply]) {
        for reply in replies {
            match reply {
                Reply::Done(_) => self.done += 1,
                Reply::Unknown => self.unknown += 1,
                Reply::Refused => self.refused += 1,
            }
        }
    }
}

impl Day {
    fn new(steps: &[Step], fault: Fault, disk: &Disk, place: &Place) -> Self {
        place.clear();
        disk.reset();
        disk.fail(fault);
        let mut office = Office::new(disk, place);
        for step in steps {
            match step {
                Step::Batch(writes) => office.ask(writes),
                Step::Idle => office.idle(),
                Step::Restart => office.store = None,
            }
        }
        disk.heal();
        office.ask(&[Write::Accept(Box::new(accept("after the fault")))]);
        let Office { replies, batches, .. } = office;
        Self {
            fault,
            batches,
            replies,
            history: disk.take(),
        }
    }

    /// The file holds what was promised, nothing that was refused, nothing by halves; and the journal goes on.
    fn judge(&self, courses: &mut Courses, place: &Place) -> Result<Course, String> {
        // Without its log the journal would answer before the end of the rollback journal is durable.
        let mut later = self
            .history
            .iter()
            .skip_while(|event| !matches!(event, Event::Acknowledged(_)));
        if later.any(|event| matches!(event, Event::Created { name, .. } if name.ends_with("-journal"))) {
            return Err("the journal works without its log".into());
        }
        if !matches!(self.replies.last(), Some(Reply::Done(_))) {
            return Err("the journal does not go on after the fault".into());
        }
        drop(place.open(None).map_err(|error| format!("not opened: {error}"))?);
        let digest = place.look().map_err(|error| error.to_string())?;
        let possible = courses.possible(self, self.replies.len());
        let course = possible.into_iter().find(|course| course.digests.last() == Some(&digest));
        course.ok_or_else(|| format!("what is there is not what was answered: {:?}", self.replies))
    }

    /// The power fails at some moments after the fault. What a failed sync did not write may be lost although it was read
    /// back since; what was answered later must not rest on it.
    fn judge_cuts(&self, courses: &mut Courses, taken: &Course, seed: u64, place: &Place) -> Result<(), String> {
        let failed = self
            .history
            .iter()
            .position(|event| matches!(event, Event::SyncFailed { .. }));
        let (from, cuts) = failed.map_or((0, CUTS_AFTER_WRITE), |failed| (failed, CUTS_AFTER_SYNC));
        for number in 0..cuts {
            let mut random = Random::of(seed ^ self.fault.at, number);
            let moment = from + random.below(self.history.len() + 1 - from);
            let mut platter = Platter::new(random.next());
            self.history[..moment].iter().for_each(|event| platter.apply(event));
            let how = *random.one_of(&[Cut::Nothing, Cut::Everything, Cut::Prefix, Cut::Subset, Cut::Torn]);
            let place_and_time = |told: &str| format!("{told}; cut {number}: {how:?} after event {moment}");
            let digest = open(place, &platter.cut(how, &mut random), "after the cut").map_err(|told| place_and_time(&told))?;
            // Once a later batch was answered, it is settled what became of those before it.
            let settled = platter.acknowledged();
            let possible = courses.possible(self, settled);
            let mut agreeing = possible
                .iter()
                .filter(|course| course.taken[..settled] == taken.taken[..settled]);
            if !agreeing.any(|course| course.after(settled).contains(&digest)) {
                return Err(place_and_time(LOST));
            }
        }
        Ok(())
    }
}

/// Whoever uses the journal, and opens it again when that failed.
struct Office<'a> {
    disk: &'a Disk,
    place: &'a Place,
    store: Option<Store>,
    batches: Vec<Vec<Write>>,
    replies: Vec<Reply>,
    failures: usize,
}

impl<'a> Office<'a> {
    fn new(disk: &'a Disk, place: &'a Place) -> Self {
        Self {
            disk,
            place,
            store: None,
            batches: Vec::new(),
            replies: Vec::new(),
            failures: 0,
        }
    }

    fn ask(&mut self, writes: &[Write]) {
        let reply = match self.apply(writes) {
            Ok(results) => {
                self.disk.acknowledge(self.batches.len() + 1);
                Reply::Done(results)
            }
            Err(JournalError::Unknown(_)) => Reply::Unknown,
            Err(JournalError::Refused(_)) => Reply::Refused,
            Err(JournalError::Damaged(told)) => panic!("a failing disk is called damage: {told}"),
        };
        if !matches!(reply, Reply::Done(_)) {
            self.failures += 1;
            // A lasting fault ends some time.
            if self.failures == PATIENCE {
                self.disk.heal();
            }
        }
        self.batches.push(writes.to_vec());
        self.replies.push(reply);
        if let Some(store) = &mut self.store {
            store.after_commit();
        }
    }

    fn apply(&mut self, writes: &[Write]) -> Result<Vec<Result<Written, JournalError>>, JournalError> {
        if self.store.is_none() {
            self.store = Some(self.place.open(Some(self.disk.name()))?);
        }
        match &mut self.store {
            Some(store) => store.apply_batch(writes),
            None => panic!("it was opened"),
        }
    }

    fn idle(&mut self) {
        if let Some(store) = &mut self.store {
            store.when_idle();
        }
    }
}

/// What fails, and how; which one of them is counted up.
const FAULTS: [Fault; 6] = [
    fault(Operation::Write, Answer::InputOutput, false),
    fault(Operation::Write, Answer::InputOutput, true),
    fault(Operation::Write, Answer::Full, false),
    fault(Operation::Write, Answer::Full, true),
    fault(Operation::Sync, Answer::InputOutput, false),
    fault(Operation::Sync, Answer::InputOutput, true),
];

const fn fault(operation: Operation, answer: Answer, lasting: bool) -> Fault {
    Fault {
        operation,
        at: 1,
        answer,
        lasting,
    }
}

/// Batches of the day on which things fail.
const BATCHES: usize = 7;

/// Power cuts made of each day on which a write failed, and of each on which a sync did.
const CUTS_AFTER_WRITE: u64 = 2;
const CUTS_AFTER_SYNC: u64 = 40;

/// A lasting fault ends after so many batches without success.
const PATIENCE: usize = 3;
