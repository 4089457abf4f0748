//! Which words settle a channel's deliveries: several at once where the protocol allows it.
//!
//! Pure bookkeeping of one consume channel. An acknowledgement of several takes everything up to a tag, so it is used only
//! where nothing up to that tag is still in work.

use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// What the user decided about one delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Settlement {
    pub(super) tag: u64,
    pub(super) taken: bool,
}

/// One word to the broker (AMQP 0-9-1, basic.ack and basic.nack).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// Every delivery that is not settled yet, up to this one.
    AckUpTo(u64),
    Ack(u64),
    Requeue(u64),
}

/// Settlements that are told together at most.
const TOGETHER_MAX: usize = 64;

/// What the broker waits to hear of, and what it can be told.
pub(super) struct Book {
    unsettled: Unsettled,
    decided: Vec<Settlement>,
    prefetch: usize,
}

impl Book {
    pub(super) fn new(prefetch: u16) -> Self {
        Self {
            unsettled: Unsettled::default(),
            decided: Vec::new(),
            prefetch: usize::from(prefetch),
        }
    }

    pub(super) fn add(&mut self, tag: u64) {
        self.unsettled.0.insert(tag);
    }

    /// One settlement, and what came with it.
    pub(super) fn note_all(&mut self, first: Option<Settlement>, more: &mut mpsc::Receiver<Settlement>) {
        let more = std::iter::from_fn(|| more.try_recv().ok());
        self.decided.extend(first.into_iter().chain(more));
    }

    /// Whether the broker knows all that was decided.
    pub(super) fn is_told(&self) -> bool {
        self.decided.is_empty()
    }

    /// Whether the broker might be short of places, or somebody waits for what is given back.
    pub(super) fn is_urgent(&self) -> bool {
        let is_given_back = self.decided.iter().any(|settlement| !settlement.taken);
        is_given_back || self.unsettled.0.len() * 2 >= self.prefetch || self.decided.len() >= TOGETHER_MAX
    }

    /// What is to be said of all that was decided.
    pub(super) fn words(&mut self) -> Vec<Word> {
        self.unsettled.take(self.decided.drain(..))
    }
}

/// Deliveries that the broker waits to hear of.
#[derive(Default)]
struct Unsettled(BTreeSet<u64>);

impl Unsettled {
    /// The words that say what was decided, and no more than that.
    fn take(&mut self, settlements: impl Iterator<Item = Settlement>) -> Vec<Word> {
        let (mut acked, mut words) = (BTreeSet::new(), Vec::new());
        for Settlement { tag, taken } in settlements {
            // What is given back is told first, so that no word about several can speak of it.
            self.0.remove(&tag);
            if taken {
                acked.insert(tag);
            } else {
                words.push(Word::Requeue(tag));
            }
        }
        let in_work = self.0.first().copied().unwrap_or(u64::MAX);
        let together = acked.range(..in_work).count();
        if together > 1
            && let Some(last) = acked.range(..in_work).next_back().copied()
        {
            words.push(Word::AckUpTo(last));
            acked.retain(|tag| *tag > last);
        }
        words.extend(acked.into_iter().map(Word::Ack));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(delivered: &[u64], settled: &[(u64, bool)], words: &[Word], left: &[u64]) {
        let mut unsettled = Unsettled::default();
        for tag in delivered {
            unsettled.0.insert(*tag);
        }
        let settlements = settled.iter().map(|&(tag, taken)| Settlement { tag, taken });
        assert_eq!(unsettled.take(settlements), words, "{settled:?} of {delivered:?}");
        assert_eq!(unsettled.0.into_iter().collect::<Vec<_>>(), left);
    }

    #[test]
    fn several_are_acknowledged_at_once_only_below_what_is_in_work() {
        use Word::{Ack, AckUpTo, Requeue};
        check(&[1, 2, 3], &[(2, true), (1, true), (3, true)], &[AckUpTo(3)], &[]);
        check(
            &[1, 2, 3, 4, 5],
            &[(5, true), (1, true), (2, true)],
            &[AckUpTo(2), Ack(5)],
            &[3, 4],
        );
        check(&[1, 2, 3], &[(2, true), (3, true)], &[Ack(2), Ack(3)], &[1]);
        check(&[7], &[(7, true)], &[Ack(7)], &[]);
        check(
            &[1, 2, 3],
            &[(1, true), (2, false), (3, true)],
            &[Requeue(2), AckUpTo(3)],
            &[],
        );
        check(&[1, 2], &[], &[], &[1, 2]);
    }

    /// Whether words are due after `taken` of `delivered` under a prefetch of 8, and one more is decided.
    fn is_urgent(delivered: u64, taken: u64, last: bool) -> bool {
        let mut book = Book::new(8);
        (1..=delivered).for_each(|tag| book.add(tag));
        let (decide, mut decided) = mpsc::channel(8);
        for tag in 1..=taken {
            assert!(decide.try_send(Settlement { tag, taken: true }).is_ok());
        }
        let last = Settlement {
            tag: taken + 1,
            taken: last,
        };
        book.note_all(Some(last), &mut decided);
        assert!(!book.is_told());
        let urgent = book.is_urgent();
        assert!(!book.words().is_empty() && book.is_told());
        urgent
    }

    #[test]
    fn words_wait_only_while_the_broker_has_places_and_nobody_waits() {
        assert!(!is_urgent(1, 0, true));
        assert!(!is_urgent(3, 2, true));
        assert!(is_urgent(4, 0, true), "half of the places are taken");
        assert!(is_urgent(1, 0, false), "given back");
        assert!(is_urgent(3, 2, false));
        let mut book = Book::new(u16::MAX);
        let (_, mut none) = mpsc::channel(1);
        for tag in 1..=64 {
            assert!(!book.is_urgent(), "{tag}");
            book.add(tag);
            book.note_all(Some(Settlement { tag, taken: true }), &mut none);
        }
        assert!(book.is_urgent(), "many at once");
        assert_eq!(book.words(), [Word::AckUpTo(64)]);
    }
}
