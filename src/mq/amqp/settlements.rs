//! Which words settle a channel's deliveries: several at once where the protocol allows it.
//!
//! Pure bookkeeping of one consume channel. An acknowledgement of several takes everything up to a tag, so it is used only
//! where nothing up to that tag is still in work.

use std::collections::BTreeSet;

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

/// Deliveries that the broker waits to hear of.
#[derive(Default)]
pub(super) struct Unsettled(BTreeSet<u64>);

impl Unsettled {
    pub(super) fn add(&mut self, tag: u64) {
        self.0.insert(tag);
    }

    /// The words that say what was decided, and no more than that.
    pub(super) fn take(&mut self, settlements: impl Iterator<Item = Settlement>) -> Vec<Word> {
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
            unsettled.add(*tag);
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
}
