//! One transaction around a number of writes, and what became of it.
//!
//! Writes that have nothing in common go out side by side on the one connection; those that share an exchange or a key go one
//! after another, in the order in which they were asked for.

use super::failure::{self, Failure, Stop};
use super::session::Session;
use super::work::Work;
use super::{LeaseClock, apply};
use crate::journal::{Chain, JournalError, OriginalKey, Write, Written};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::timeout;

/// What each write of a batch became.
pub(super) type Answers = Vec<Result<Written, JournalError>>;

/// How a transaction is run.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) chain: Chain,
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
    let gives_leases = writes.iter().any(|write| gives_lease(write));
    let moved = moved(writes);
    let ((), (), work) = tokio::try_join!(
        biased;
        async { session.batch(START).await.map_err(Stop::from) },
        lock(session, &moved),
        Work::begin(session, &rules.chain, rules.clock, gives_leases),
    )?;
    let groups = groups(writes);
    let results = join_all(groups.iter().map(|group| one_by_one(&work, rules, writes, group))).await;
    let mut answers: Vec<_> = writes.iter().map(|_| Err(unanswered())).collect();
    let mut consequence = None;
    for (group, result) in groups.iter().zip(results) {
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

/// Locks the exchanges that are about to move, in the order of their ids, so that no two writers wait for each other. One alone
/// is locked by its move.
async fn lock(session: &Session, moved: &[i64]) -> Result<(), Stop> {
    if moved.len() > 1 {
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

fn moved(writes: &[&Write]) -> Vec<i64> {
    let ids = writes.iter().filter_map(|write| match write {
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
    });
    ids.collect::<BTreeSet<_>>().into_iter().collect()
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
