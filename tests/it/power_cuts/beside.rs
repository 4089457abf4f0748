//! The power fails while the log is copied beside the writer, who goes on committing. When what is copied is a matter of time, so
//! a seed gives the same cuts of another day.

use super::cuts::{LOST, open};
use super::place::{Place, options};
use crate::journal::data::{accept, key, message};
use hangu::journal::sqlite::{Options, SqliteJournal};
use hangu::journal::{Journal, Read, Write};
use powercut::{Cut, Disk, Event, Platter, Random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_while_the_log_is_copied() {
    let seed = super::seed();
    println!("seed {seed}");
    let (disk, place) = (Disk::register().unwrap(), Place::new());
    let bounds = Options {
        checkpoint_bytes: 4 * 4096,
        ..options(Some(disk.name()))
    };
    let journal = SqliteJournal::open_with(&place.path(), bounds).unwrap();
    for number in 1..=ACCEPTED {
        let mut request = accept(&number.to_string());
        request.message = message("received", "request", &"x".repeat(500 + number * 37 % 9_000), 2_000);
        journal.write(Write::Accept(Box::new(request))).await.unwrap();
        disk.acknowledge(number);
    }
    journal.close().await;
    let history = disk.take();
    let beside = beside(&history);
    println!("{} events; pages copied beside a commit: {beside}", history.len());
    assert!(beside > 0, "the log was never copied beside the writer");
    for number in 0..CUTS {
        cut(&history, Random::of(seed, number), &place).unwrap_or_else(|wrong| panic!("{wrong}; cut {number}, seed {seed}"));
    }
}

/// Pages that were copied between the first write of a commit and its acknowledgement.
fn beside(history: &[Event]) -> usize {
    let is_log = |file: &u64| {
        history
            .iter()
            .any(|event| matches!(event, Event::Created { name, file: created } if created == file && name.ends_with("-wal")))
    };
    let (mut commits, mut copied) = (false, 0);
    for event in history {
        if let Event::Wrote { file, .. } = event {
            commits |= is_log(file);
            copied += usize::from(commits && !is_log(file));
        }
        commits &= !matches!(event, Event::Acknowledged(_));
    }
    copied
}

fn cut(history: &[Event], mut random: Random, place: &Place) -> Result<(), String> {
    let moment = random.below(history.len() + 1);
    let mut platter = Platter::new(random.next());
    history[..moment].iter().for_each(|event| platter.apply(event));
    let how = *random.one_of(&[Cut::Nothing, Cut::Everything, Cut::Prefix, Cut::Subset, Cut::Torn]);
    open(place, &platter.cut(how, &mut random), "after the cut").map_err(|told| format!("{told}, {how:?} at {moment}"))?;
    let store = place.open(None).map_err(|error| error.to_string())?;
    let is_there = |number: usize| {
        let found = store.query(&Read::ByCommunicationKey(key(&number.to_string())));
        found.is_ok_and(|found| found.exchange().is_ok_and(|exchange| exchange.is_some()))
    };
    let lost = (1..=platter.acknowledged()).find(|number| !is_there(*number));
    lost.map_or(Ok(()), |number| Err(format!("{LOST}: {number}, {how:?} at {moment}")))
}

const ACCEPTED: usize = 150;
const CUTS: u64 = 250;
