//! Bulkheads: of what is under way to a counterparty, one institution and one operation may hold only a share, so that a dead or
//! slow one does not take the places of the others. What finds no place is in the journal, as accepted, and waits in a line of
//! ids; it holds neither a task nor the bytes of its message.

use crate::config::Shares;
use crate::journal::ExchangeId;
use codecs::payment::Operation;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The bulkhead of one link; cheap to clone.
#[derive(Clone)]
pub struct Bulkhead(Arc<Inner>);

struct Inner {
    shares: Shares,
    state: Mutex<State>,
    /// Rung when a place or a place in a line becomes free.
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// Places held; entries without any go.
    institutions: BTreeMap<String, usize>,
    operations: BTreeMap<Operation, usize>,
    lines: BTreeMap<Lane, VecDeque<(ExchangeId, Instant)>>,
    lined_up: BTreeSet<ExchangeId>,
    /// The lane that was served last; the next one is served next.
    served: Option<Lane>,
}

/// What shares a line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lane {
    /// Where the message names one.
    pub institution: Option<String>,
    pub operation: Operation,
}

/// A place under way; given up when dropped.
pub struct Place {
    bulkhead: Bulkhead,
    lane: Lane,
}

/// What became of a wish for a place.
pub(super) enum Wish {
    Granted(Place),
    /// It stands in line and is called up when its turn comes.
    LinedUp,
    /// The line is full, and its head has waited so long that whoever comes now would wait in vain.
    Busy,
}

impl Bulkhead {
    pub fn new(shares: Shares) -> Self {
        Self(Arc::new(Inner {
            shares,
            state: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// A place at once, or none: for those who can be told to come again.
    pub fn try_place(&self, lane: &Lane) -> Option<Place> {
        let mut state = self.lock();
        let is_free = !state.lines.contains_key(lane) && state.has_room(lane, self.0.shares);
        is_free.then(|| self.grant(&mut state, lane))
    }

    /// A place, or else one in line, behind those that came before. While the line is full and moves, this waits: whoever holds
    /// deliveries then takes no more.
    pub(super) async fn place(&self, lane: &Lane, id: ExchangeId) -> Wish {
        loop {
            let freed = self.0.freed.notified();
            if let Some(wish) = self.look(lane, id) {
                return wish;
            }
            // Whether anything is freed or not, the head of the line grows older.
            tokio::time::timeout(PATIENCE / 4, freed).await.ok();
        }
    }

    fn look(&self, lane: &Lane, id: ExchangeId) -> Option<Wish> {
        let mut state = self.lock();
        if state.lined_up.contains(&id) {
            return Some(Wish::LinedUp);
        }
        if !state.lines.contains_key(lane) && state.has_room(lane, self.0.shares) {
            return Some(Wish::Granted(self.grant(&mut state, lane)));
        }
        let line = state.lines.entry(lane.clone()).or_default();
        if line.len() < self.0.shares.line_max {
            line.push_back((id, Instant::now()));
            state.lined_up.insert(id);
            return Some(Wish::LinedUp);
        }
        let is_stuck = line.front().is_some_and(|(_, since)| since.elapsed() >= PATIENCE);
        is_stuck.then_some(Wish::Busy)
    }

    /// Waits until somebody in line can have a place: one from each line in turn.
    pub(super) async fn next(&self) -> (ExchangeId, Place) {
        loop {
            let freed = self.0.freed.notified();
            if let Some(next) = self.call_up() {
                return next;
            }
            freed.await;
        }
    }

    fn call_up(&self) -> Option<(ExchangeId, Place)> {
        let mut state = self.lock();
        let after = state.served.clone();
        let (later, earlier): (Vec<_>, Vec<_>) = state
            .lines
            .keys()
            .filter(|lane| state.has_room(lane, self.0.shares))
            .cloned()
            .partition(|lane| after.as_ref().is_none_or(|after| lane > after));
        let lane = later.into_iter().chain(earlier).next()?;
        let line = state.lines.get_mut(&lane)?;
        let (id, _) = line.pop_front()?;
        if line.is_empty() {
            state.lines.remove(&lane);
        }
        state.lined_up.remove(&id);
        state.served = Some(lane.clone());
        Some((id, self.grant(&mut state, &lane)))
    }

    fn grant(&self, state: &mut State, lane: &Lane) -> Place {
        if let Some(institution) = &lane.institution {
            *state.institutions.entry(institution.clone()).or_default() += 1;
        }
        *state.operations.entry(lane.operation).or_default() += 1;
        Place {
            bulkhead: self.clone(),
            lane: lane.clone(),
        }
    }

    /// How many wait in all lines.
    pub(super) fn lined_up(&self) -> usize {
        self.lock().lined_up.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, lane: &Lane, shares: Shares) -> bool {
        let held = |name| self.institutions.get(name).copied();
        let institution = lane.institution.as_ref().and_then(held).unwrap_or(0);
        let operation = self.operations.get(&lane.operation).copied().unwrap_or(0);
        institution < shares.institution_max && operation < shares.operation_max
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.bulkhead.lock();
        if let Some(institution) = &self.lane.institution {
            give_up(&mut state.institutions, institution);
        }
        give_up(&mut state.operations, &self.lane.operation);
        drop(state);
        self.bulkhead.0.freed.notify_waiters();
    }
}

fn give_up<K: Ord>(held: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = held.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            held.remove(key);
        }
    }
}

/// How long the head of a full line may have waited before those behind it are sent away.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares {
        institution_max: 2,
        operation_max: 3,
        line_max: 2,
    };

    fn lane(institution: &str, operation: Operation) -> Lane {
        Lane {
            institution: Some(institution.to_owned()),
            operation,
        }
    }

    fn granted(wish: Wish) -> Place {
        match wish {
            Wish::Granted(place) => place,
            Wish::LinedUp => panic!("lined up"),
            Wish::Busy => panic!("busy"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_institution_waits_and_another_goes_on() {
        let bulkhead = Bulkhead::new(SHARES);
        let (slow, quick) = (lane("slow", Operation::Debit), lane("quick", Operation::Debit));
        let held = granted(bulkhead.place(&slow, 1).await);
        let _second = granted(bulkhead.place(&slow, 2).await);
        assert!(matches!(bulkhead.place(&slow, 3).await, Wish::LinedUp));
        assert!(
            matches!(bulkhead.place(&slow, 3).await, Wish::LinedUp),
            "once in line is enough"
        );
        assert_eq!(bulkhead.lined_up(), 1);
        drop(granted(bulkhead.place(&quick, 4).await));
        // Nobody passes those who wait.
        drop(held);
        assert!(bulkhead.try_place(&slow).is_none());
        let (called, _third) = bulkhead.next().await;
        assert_eq!((called, bulkhead.lined_up()), (3, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_has_its_own_share() {
        let bulkhead = Bulkhead::new(SHARES);
        let debit = |name| lane(name, Operation::Debit);
        let held = [
            granted(bulkhead.place(&debit("a"), 1).await),
            granted(bulkhead.place(&debit("b"), 2).await),
            granted(bulkhead.place(&debit("c"), 3).await),
        ];
        assert!(matches!(bulkhead.place(&debit("d"), 4).await, Wish::LinedUp));
        assert!(bulkhead.try_place(&lane("a", Operation::Query)).is_some());
        drop(held);
        assert_eq!(bulkhead.next().await.0, 4);
        let state = bulkhead.lock();
        assert!(state.lines.is_empty() && state.institutions.is_empty() && state.operations.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_line_that_moves_makes_wait_and_one_that_does_not_sends_away() {
        let bulkhead = Bulkhead::new(SHARES);
        let slow = lane("slow", Operation::Debit);
        let held = [
            granted(bulkhead.place(&slow, 1).await),
            granted(bulkhead.place(&slow, 2).await),
        ];
        for id in [3, 4] {
            assert!(matches!(bulkhead.place(&slow, id).await, Wish::LinedUp));
        }
        let asked = Instant::now();
        let freed = async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(held);
            bulkhead.next().await
        };
        let (wish, (called, place)) = tokio::join!(bulkhead.place(&slow, 5), freed);
        assert!(
            matches!(wish, Wish::LinedUp),
            "the line was full and young, and then there was room"
        );
        assert_eq!((called, asked.elapsed() >= PATIENCE / 2), (3, true));
        drop(place);
        let _held = [bulkhead.next().await, bulkhead.next().await];
        for id in [6, 7] {
            assert!(matches!(bulkhead.place(&slow, id).await, Wish::LinedUp));
        }
        tokio::time::sleep(PATIENCE).await;
        assert!(matches!(bulkhead.place(&slow, 8).await, Wish::Busy));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_served_in_turn() {
        let bulkhead = Bulkhead::new(Shares {
            operation_max: 1,
            ..SHARES
        });
        let held = granted(bulkhead.place(&lane("a", Operation::Debit), 1).await);
        for (id, name) in [(2, "a"), (3, "a"), (4, "b")] {
            assert!(matches!(
                bulkhead.place(&lane(name, Operation::Debit), id).await,
                Wish::LinedUp
            ));
        }
        drop(held);
        let mut order = Vec::new();
        for _ in 0..3 {
            let (id, _place) = bulkhead.next().await;
            order.push(id);
        }
        assert_eq!(order, [2, 4, 3]);
    }
}
