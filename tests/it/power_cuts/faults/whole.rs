//! The same through the whole journal: its threads, its waiting lines, its reader, several askers at a time. How many writes
//! share a commit is a matter of time here.

use super::super::place::{Place, options};
use super::FAULTS;
use crate::journal::data::{accept, key};
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{Journal, JournalError, Read, Write};
use powercut::{Disk, Fault};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

const ASKERS: usize = 2;
const REQUESTS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_asker_of_the_whole_journal_is_told_what_is_not_so() {
    let (disk, place) = (Disk::register().unwrap(), Place::new());
    for fault in FAULTS {
        let mut days = 0;
        for at in 1.. {
            let answers = day(Fault { at, ..fault }, &disk, &place).await;
            if disk.failed() == 0 {
                break;
            }
            days += 1;
            assert_eq!(judge(&answers, &place), [""; 0], "{fault:?} at {at}");
        }
        assert!(days > 1, "{fault:?}: only {days} days");
        println!("{fault:?}: {days} days");
    }
}

/// What each serial was answered.
type Answers = BTreeMap<String, Result<(), JournalError>>;

async fn day(fault: Fault, disk: &Disk, place: &Place) -> Answers {
    place.clear();
    disk.reset();
    let journal = Arc::new(SqliteJournal::open_with(&place.path(), options(Some(disk.name()))).unwrap());
    disk.fail(fault);
    let mut tasks = JoinSet::new();
    for asker in 0..ASKERS {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move { ask(&journal, asker).await });
    }
    let mut answers: Answers = tasks.join_all().await.into_iter().flatten().collect();
    disk.heal();
    let last = accepted(&journal, "after the fault").await;
    assert_eq!(last, Ok(()), "{fault:?}: the journal does not go on");
    answers.insert("after the fault".into(), last);
    journal.close().await;
    answers
}

async fn ask(journal: &SqliteJournal, asker: usize) -> Answers {
    let mut answers = Answers::new();
    for number in 0..REQUESTS {
        let serial = format!("{asker}-{number}");
        let answer = accepted(journal, &serial).await;
        if answer.is_ok() {
            match journal.read(Read::ByCommunicationKey(key(&serial))).await {
                // After a failed copy nothing is read until the next write; the only refusal there may be.
                Err(JournalError::Refused(reason)) if reason.contains("while the log was copied") => {}
                read => {
                    let found = read.unwrap().exchange().unwrap();
                    assert!(found.is_some(), "{serial} was accepted and is not read back");
                }
            }
        }
        answers.insert(serial, answer);
    }
    answers
}

async fn accepted(journal: &SqliteJournal, serial: &str) -> Result<(), JournalError> {
    journal.write(Write::Accept(Box::new(accept(serial)))).await.map(|_| ())
}

/// What is wrong; empty when nothing is.
fn judge(answers: &Answers, place: &Place) -> Vec<String> {
    let store = place.open(None).unwrap();
    let mut wrong = place.faults().unwrap();
    for (serial, answer) in answers {
        let read = store.query(&Read::ByCommunicationKey(key(serial))).unwrap();
        let found = read.exchange().unwrap();
        let whole = found.as_ref().is_some_and(|found| {
            let messages = store.query(&Read::Messages(found.id)).unwrap().messages().unwrap();
            messages == [accept(serial).message]
        });
        let is_so = match answer {
            Ok(()) => whole,
            Err(JournalError::Refused(_)) => found.is_none(),
            Err(JournalError::Unknown(_)) => found.is_none() || whole,
            // A failing disk is not damage.
            Err(JournalError::Damaged(_)) => false,
        };
        if !is_so {
            wrong.push(format!("{serial} was answered {answer:?}, and {found:?} is there"));
        }
    }
    wrong
}
