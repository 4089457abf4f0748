//! A load on a journal, and what it was told: the promise that the tables are held against afterwards.

use crate::journal::chaining::whole_chains;
use crate::journal::data::{accept, key, message, messages, one, outcome, step};
use hangu::journal::{Accepted, Chain, Journal, JournalError, Move, Read, State, Write, Written};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Exchanges that go from acceptance to delivery, until told to stop.
pub(super) struct Load {
    tasks: JoinSet<Heard>,
    stop: Arc<AtomicBool>,
    /// Writes that were answered.
    pub(super) answered: Arc<AtomicU64>,
}

#[derive(Default)]
pub(super) struct Heard {
    /// By serial: the last state that was answered, and whether a further one may have come unheard.
    states: BTreeMap<String, (State, bool)>,
    /// Serials whose acceptance was refused.
    absent: BTreeSet<String>,
    pub(super) refused: u64,
    pub(super) unknown: u64,
}

impl Load {
    pub(super) fn start(journal: &Arc<dyn Journal>, tasks: u32) -> Self {
        let mut load = Self {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            answered: Arc::default(),
        };
        for task in 0..tasks {
            let (journal, stop, answered) = (Arc::clone(journal), Arc::clone(&load.stop), Arc::clone(&load.answered));
            load.tasks.spawn(async move {
                let mut heard = Heard::default();
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    heard.one_exchange(&*journal, &format!("{task}-{number}"), &answered).await;
                }
                heard
            });
        }
        load
    }

    /// A number of exchanges at once.
    pub(super) async fn some(journal: &Arc<dyn Journal>, prefix: &str, number: u32) -> Heard {
        let mut tasks = JoinSet::new();
        for task in 0..number {
            let (journal, serial) = (Arc::clone(journal), format!("{prefix}-{task}"));
            tasks.spawn(async move {
                let mut heard = Heard::default();
                heard.one_exchange(&*journal, &serial, &AtomicU64::new(0)).await;
                heard
            });
        }
        gathered(tasks).await
    }

    pub(super) async fn stop(self) -> Heard {
        self.stop.store(true, Ordering::SeqCst);
        gathered(self.tasks).await
    }
}

async fn gathered(tasks: JoinSet<Heard>) -> Heard {
    let mut all = Heard::default();
    tasks.join_all().await.into_iter().for_each(|heard| all.join(heard));
    all
}

impl Heard {
    pub(super) fn join(&mut self, other: Self) {
        self.states.extend(other.states);
        self.absent.extend(other.absent);
        self.refused += other.refused;
        self.unknown += other.unknown;
    }

    /// Goes as far as it is let; whatever was refused is tried no further.
    async fn one_exchange(&mut self, journal: &dyn Journal, serial: &str, answered: &AtomicU64) {
        let Some(written) = self.ask(journal, Write::Accept(Box::new(accept(serial))), answered).await else {
            self.absent.insert(serial.to_owned());
            return;
        };
        let Ok(written) = written else { return };
        let Written::Accepted(accepted) = written else {
            panic!("{written:?}")
        };
        let Accepted::New { id, .. } = *accepted else {
            panic!("{accepted:?}")
        };
        self.states.insert(serial.to_owned(), (State::Accepted, false));
        for to in [State::Sent, State::Answered, State::Delivered] {
            let written = self
                .ask(journal, Write::Move(Box::new(towards(id, to, serial))), answered)
                .await;
            let state = match written {
                Some(Ok(written)) => {
                    assert_eq!(written, Written::Moved, "{serial}");
                    (to, false)
                }
                Some(Err(())) => (before(to), true),
                None => (before(to), false),
            };
            self.states.insert(serial.to_owned(), state);
            if state.0 != to {
                return;
            }
        }
    }

    /// None when it was refused, an error when its result is unknown.
    async fn ask(&mut self, journal: &dyn Journal, write: Write, answered: &AtomicU64) -> Option<Result<Written, ()>> {
        match journal.write(write).await {
            Ok(written) => {
                answered.fetch_add(1, Ordering::SeqCst);
                Some(Ok(written))
            }
            Err(JournalError::Refused(_)) => {
                self.refused += 1;
                // Whoever is refused does not ask again at once.
                tokio::time::sleep(Duration::from_millis(20)).await;
                None
            }
            Err(JournalError::Unknown(_)) => {
                self.unknown += 1;
                Some(Err(()))
            }
            Err(JournalError::Damaged(detail)) => panic!("damaged: {detail}"),
        }
    }

    /// Looks for everything that was answered, and for what was refused.
    pub(super) async fn check(&self, journal: &Arc<dyn Journal>) {
        for (serial, (state, or_next)) in &self.states {
            let found = one(&**journal, Read::ByCommunicationKey(key(serial))).await;
            let exchange = found.unwrap_or_else(|| panic!("{serial} was answered and is lost"));
            let expected = exchange.state == *state || (*or_next && before(exchange.state) == *state);
            assert!(expected, "{serial} was {} and is {}", state.name(), exchange.state.name());
            let moves = usize::try_from(exchange.attempts).unwrap();
            assert_eq!(messages(&**journal, exchange.id).await.len(), 1 + moves, "{serial}");
            assert_eq!(
                STATES[moves], exchange.state,
                "{serial}: each state brought one message and one attempt"
            );
        }
        for serial in &self.absent {
            let found = one(&**journal, Read::ByCommunicationKey(key(serial))).await;
            assert_eq!(found, None, "{serial} was refused and is there");
        }
        whole_chains(journal, &Chain::unkeyed("any")).await;
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (begun, refused, unknown) = (self.states.len(), self.refused, self.unknown);
        write!(f, "{begun} exchanges begun, {refused} writes refused, {unknown} unknown")
    }
}

fn towards(id: i64, to: State, serial: &str) -> Move {
    Move {
        messages: vec![message("sent", "reply", to.name(), 2_000)],
        answers: Some(key(serial)),
        attempt: true,
        outcome: (to == State::Answered).then(|| outcome("success", None)),
        ..step(id, &[before(to)], to, 2_000)
    }
}

fn before(state: State) -> State {
    match state {
        State::Accepted | State::Sent | State::Unknown => State::Accepted,
        State::Answered => State::Sent,
        State::Delivered => State::Answered,
    }
}

const STATES: [State; 4] = [State::Accepted, State::Sent, State::Answered, State::Delivered];
