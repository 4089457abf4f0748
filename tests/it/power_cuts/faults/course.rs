//! The courses that a day with unknown answers may have taken, each lived through on a healthy disk.

use super::super::place::Place;
use super::{Day, Reply};
use hangu::journal::{JournalError, Written};
use std::collections::BTreeMap;

#[derive(Clone)]
pub(super) struct Course {
    /// Which batches took effect.
    pub(super) taken: Vec<bool>,
    /// The digest before any of them, and after each that took effect.
    pub(super) digests: Vec<u64>,
    results: Vec<Vec<Result<Written, JournalError>>>,
}

impl Course {
    /// The digests that may be found once so many batches were answered or are settled otherwise.
    pub(super) fn after(&self, batches: usize) -> &[u64] {
        let taken = self.taken[..batches].iter().filter(|taken| **taken).count();
        &self.digests[taken..]
    }
}

/// The same batches taken give the same course, on whichever day.
#[derive(Default)]
pub(super) struct Courses {
    known: BTreeMap<Vec<bool>, Course>,
}

impl Courses {
    /// What was answered leaves open only what became of the unknown ones. A course whose results are not those that were
    /// answered to so many batches was not taken.
    pub(super) fn possible(&mut self, day: &Day, answered: usize) -> Vec<Course> {
        let unknown: Vec<usize> = (0..day.replies.len())
            .filter(|index| day.replies[*index] == Reply::Unknown)
            .collect();
        assert!(unknown.len() < 8, "{} unknown answers", unknown.len());
        let done: Vec<bool> = day.replies.iter().map(|reply| matches!(reply, Reply::Done(_))).collect();
        let mut possible = Vec::new();
        for choice in 0..1_u32 << unknown.len() {
            let mut taken = done.clone();
            for (bit, index) in unknown.iter().enumerate() {
                taken[*index] = choice >> bit & 1 == 1;
            }
            let course = self.known.entry(taken).or_insert_with_key(|taken| live(day, taken));
            if fits(course, day, answered) {
                possible.push(course.clone());
            }
        }
        possible
    }
}

fn live(day: &Day, taken: &[bool]) -> Course {
    let place = Place::new();
    let mut store = place.open(None).unwrap();
    let (mut digests, mut results) = (vec![place.look().unwrap()], Vec::new());
    for (batch, taken) in day.batches.iter().zip(taken) {
        results.push(if *taken {
            store.apply_batch(batch).unwrap()
        } else {
            Vec::new()
        });
        if *taken {
            digests.push(place.look().unwrap());
        }
    }
    Course {
        taken: taken.to_vec(),
        digests,
        results,
    }
}

fn fits(course: &Course, day: &Day, answered: usize) -> bool {
    let mut pairs = course.results.iter().zip(&day.replies).take(answered);
    pairs.all(|(lived, reply)| match reply {
        Reply::Done(results) => results == lived,
        Reply::Unknown | Reply::Refused => true,
    })
}
