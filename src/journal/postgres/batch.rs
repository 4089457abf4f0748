//! One transaction around a number of writes, and what became of it.
//!
//! Acceptances and moves that have nothing in common are made together, by one statement for each kind of row. Those that share
//! an exchange or a key go one after another, in the order in which they were asked for. All are on the one connection side by
//! side.

use super::failure::{self, Failure, Stop};
use super::session::Session;
use super::work::{Latest, Needs, Work};
use super::{LeaseClock, accept, apply, change};
use crate::journal::chain::is_final;
use crate::journal::{Accept, Chain, JournalError, Move, OriginalKey, Write, Written};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::timeout;

/// What each write of a batch became.
pub(super) type Answers = Vec<Result<Written, JournalError>>;

/// How a lane's transactions are run.
pub(super) struct Rules {
    pub(super) chain: Chain,
    pub(super) latest: Latest,
    pub(super) clock: LeaseClock,
    /// For the work, and once more for the commit.
    pub(super) limit: Duration,
    pub(super) prune_max: u32,
}

/// Applies the writes under one commit. A failure is one of the whole; of a write that was refused, only its answer tells.
pub(super) async fn commit(session: &Session, rules: &Rules, writes: &[&Write]) -> Result<Answers, Failure> {
    let worked = timeout(rules.limit, work(session, rules, writes)).await;
    let Ok(worked) = worked else {
        session.give_up();
        let detail = "the database did not answer in time; nothing was written";
        return Err(Failure::OfAll(JournalError::Refused(detail.into())));
    };
    match worked {
        Ok(answers) => end(session, rules).await.map(|()| answers),
        Err(stop) => {
            roll_back(session, rules).await;
            Err(failure::of_work(stop))
        }
    }
}

async fn end(session: &Session, rules: &Rules) -> Result<(), Failure> {
    match timeout(rules.limit, session.batch("COMMIT")).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let failure = failure::of_commit(&error);
            if matches!(failure, Failure::Unknown(_)) {
                session.give_up();
            }
            Err(failure)
        }
        Err(_elapsed) => {
            session.give_up();
            Err(Failure::Unknown("the database did not answer the commit in time".into()))
        }
    }
}

/// A connection that does not even roll back is given up, which does it.
async fn roll_back(session: &Session, rules: &Rules) {
    if !matches!(timeout(rules.limit, session.batch("ROLLBACK")).await, Ok(Ok(()))) {
        session.give_up();
    }
}

async fn work(session: &Session, rules: &Rules, writes: &[&Write]) -> Result<Answers, Stop> {
    let needs = Needs {
        clock: writes.iter().any(|write| gives_lease(write)),
        tip: writes.iter().any(|write| settles(write)),
    };
    let plan = Plan::of(writes);
    let moved = plan.locked(writes);
    let ((), (), work) = tokio::try_join!(
        biased;
        async { session.batch(START).await.map_err(Stop::from) },
        lock(session, &moved),
        Work::begin(session, rules, needs),
    )?;
    let (accepts, moves): (Vec<&Accept>, Vec<&Move>) = (of(&plan.accepts), of(&plan.moves));
    let (accepted, moved, others) = tokio::join!(
        accept::accept_all(&work, &accepts),
        change::move_all(&work, &moves),
        join_all(plan.groups.iter().map(|group| one_by_one(&work, rules, writes, group))),
    );
    let places = [places(&plan.accepts), places(&plan.moves)].into_iter().chain(plan.groups);
    let results = [accepted, moved].into_iter().chain(others);
    let mut answers: Vec<_> = writes.iter().map(|_| Err(unanswered())).collect();
    let mut consequence = None;
    for (group, result) in places.zip(results) {
        match result {
            Ok(results) => group
                .iter()
                .zip(results)
                .for_each(|(at, result)| set(&mut answers, *at, result)),
            Err(stop) if failure::is_consequence(&stop) => consequence = Some(stop),
            Err(stop) => return Err(stop),
        }
    }
    consequence.map_or(Ok(answers), Err)
}

/// What of a batch is made together, and what in order, each with its place.
#[derive(Default)]
struct Plan<'a> {
    accepts: Vec<(usize, &'a Accept)>,
    /// By id, in which order they lock their exchanges.
    moves: Vec<(usize, &'a Move)>,
    groups: Vec<Vec<usize>>,
}

impl<'a> Plan<'a> {
    fn of(writes: &[&'a Write]) -> Self {
        let mut plan = Self::default();
        for group in groups(writes) {
            let only = match group[..] {
                [at] => writes.get(at).map(|write| (at, *write)),
                _ => None,
            };
            match only {
                Some((at, Write::Accept(accept))) => plan.accepts.push((at, accept)),
                Some((at, Write::Move(change))) => plan.moves.push((at, change)),
                Some(_) | None => plan.groups.push(group),
            }
        }
        plan.moves.sort_by_key(|(_, change)| change.id);
        plan
    }

    /// What is to be locked beforehand: all that moves, where some of it moves one after another.
    fn locked(&self, writes: &[&Write]) -> Vec<i64> {
        let grouped = self.groups.iter().flatten().filter_map(|at| writes.get(*at));
        let grouped = grouped.filter_map(|write| moved(write));
        let mut ids: BTreeSet<i64> = grouped.collect();
        if !ids.is_empty() {
            ids.extend(self.moves.iter().map(|(_, change)| change.id));
        }
        ids.into_iter().collect()
    }
}

fn of<'a, T>(placed: &[(usize, &'a T)]) -> Vec<&'a T> {
    placed.iter().map(|(_, write)| *write).collect()
}

fn places<T>(placed: &[(usize, &T)]) -> Vec<usize> {
    placed.iter().map(|(at, _)| *at).collect()
}

/// Locks exchanges that are about to move, in the order of their ids, so that no two writers wait for each other. Moves that are
/// made together do so by themselves.
async fn lock(session: &Session, moved: &[i64]) -> Result<(), Stop> {
    if !moved.is_empty() {
        session.rows(LOCK, &[&moved]).await?;
    }
    Ok(())
}

async fn one_by_one(work: &Work<'_>, rules: &Rules, writes: &[&Write], group: &[usize]) -> Result<Answers, Stop> {
    let mut answers = Vec::with_capacity(group.len());
    for write in group.iter().filter_map(|at| writes.get(*at)) {
        answers.push(match apply::apply(work, write, rules.prune_max).await {
            Ok(written) => Ok(written),
            Err(Stop::Refused(reason)) => Err(JournalError::Refused(reason)),
            Err(stop) => return Err(stop),
        });
    }
    Ok(answers)
}

fn set(answers: &mut Answers, at: usize, result: Result<Written, JournalError>) {
    if let Some(answer) = answers.get_mut(at) {
        *answer = result;
    }
}

fn unanswered() -> JournalError {
    JournalError::Refused("the store gave no answer".into())
}

fn gives_lease(write: &Write) -> bool {
    matches!(write, Write::Accept(_) | Write::Renew { .. } | Write::TakeOver { .. })
}

fn settles(write: &Write) -> bool {
    matches!(write, Write::Move(change) if is_final(change.outcome.as_ref()))
}

fn moved(write: &Write) -> Option<i64> {
    match write {
        Write::Move(change) => Some(change.id),
        Write::Accept(_)
        | Write::Reply { .. }
        | Write::Park(_)
        | Write::Resolve { .. }
        | Write::Reserve { .. }
        | Write::Set { .. }
        | Write::Renew { .. }
        | Write::Release { .. }
        | Write::TakeOver { .. }
        | Write::Rewrap(_)
        | Write::Prune { .. } => None,
    }
}

/// Places of writes that share something, each group in order.
pub(super) fn groups(writes: &[&Write]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut of_name: BTreeMap<Name<'_>, usize> = BTreeMap::new();
    for (at, write) in writes.iter().enumerate() {
        let names = names(write);
        let touched: BTreeSet<usize> = names.iter().filter_map(|name| of_name.get(name).copied()).collect();
        let mut members: Vec<usize> = touched.iter().filter_map(|group| groups.remove(group)).flatten().collect();
        of_name
            .values_mut()
            .filter(|group| touched.contains(group))
            .for_each(|group| *group = at);
        of_name.extend(names.into_iter().map(|name| (name, at)));
        members.sort_unstable();
        members.push(at);
        groups.insert(at, members);
    }
    groups.into_values().collect()
}

/// What two writes may have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Exchange(i64),
    Key(&'a str),
    Business(&'a str),
    Original(OriginalKey),
    Sent(&'a str),
    Parked(&'a str, [u8; 32]),
    ParkedId(i64),
    Serial(&'a str, &'a str, &'a str),
    Setting(&'a str),
}

fn names(write: &Write) -> Vec<Name<'_>> {
    match write {
        Write::Accept(accept) => {
            let own = OriginalKey {
                initiator: accept.initiator.clone(),
                msg_id: accept.msg_id.clone(),
                msg_code: accept.msg_code.clone(),
            };
            let mut names = vec![Name::Key(&accept.communication_key), Name::Original(own)];
            names.extend(accept.business_key.as_deref().map(Name::Business));
            names.extend(accept.sends.as_ref().map(|sending| Name::Sent(&sending.out_key)));
            names.extend(accept.cancels.iter().chain(&accept.identities).cloned().map(Name::Original));
            names
        }
        Write::Move(change) => {
            let key = change.out_key.as_deref().map(Name::Sent);
            [Name::Exchange(change.id)].into_iter().chain(key).collect()
        }
        Write::Reply { id, .. } => vec![Name::Exchange(*id)],
        Write::Park(park) => vec![Name::Parked(&park.source, park.digest)],
        Write::Resolve { id, .. } => vec![Name::ParkedId(*id)],
        Write::Reserve {
            instance, date, kind, ..
        } => vec![Name::Serial(instance, date, kind)],
        Write::Set { name, .. } => vec![Name::Setting(name)],
        Write::Renew { .. } | Write::Release { .. } | Write::TakeOver { .. } | Write::Rewrap(_) | Write::Prune { .. } => {
            Vec::new()
        }
    }
}

const START: &str = "START TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE";

const LOCK: &str = "SELECT id FROM exchange WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
