//! One write inside a transaction.

use super::batch::Answers;
use super::failure::Stop;
use super::work::Work;
use super::{accept, change, owning, park, prune, rewrap, serial};
use crate::journal::{JournalError, Write, Written};

/// Applies a write. `Stop::Refused` has changed nothing; after any other stop the transaction must be rolled back.
pub(super) async fn apply(work: &Work<'_>, write: &Write, prune_max: u32) -> Result<Written, Stop> {
    match write {
        Write::Accept(request) => only(accept::accept_all(work, &[request]).await?),
        Write::Move(change) => only(change::move_all(work, &[change]).await?),
        Write::Reply {
            replaces,
            id,
            answers,
            message,
        } => change::reply(work, *id, answers, message, replaces.as_deref()).await,
        Write::Park(park) => park::park(work, park).await,
        Write::Resolve { id, to, note, at } => park::resolve(work, *id, *to, note.as_deref(), *at).await,
        Write::Reserve {
            instance,
            date,
            kind,
            count,
        } => serial::reserve(work, instance, date, kind, *count).await,
        Write::Set { name, expect, value, at } => serial::set(work, name, expect.as_deref(), value, *at).await,
        Write::Renew { owner, now, lease_until } => owning::renew(work, owner, work.lease_until(*lease_until, *now)).await,
        Write::Release { owner } => owning::release(work, owner).await,
        Write::TakeOver {
            owner,
            now,
            lease_until,
            include_own,
            limit,
        } => {
            let take = owning::TakeOver {
                owner,
                now: work.now(*now),
                lease_until: work.lease_until(*lease_until, *now),
                include_own: *include_own,
                limit: *limit,
            };
            owning::take_over(work, &take).await
        }
        Write::Rewrap(all) => rewrap::rewrap(work, all).await,
        Write::Prune { before } => Ok(Written::Pruned(prune::prune(work, *before, prune_max).await?)),
    }
}

/// The answer to a write that was made alone.
fn only(mut answers: Answers) -> Result<Written, Stop> {
    match answers.pop() {
        Some(Ok(written)) => Ok(written),
        Some(Err(JournalError::Refused(reason))) => Stop::refused(reason),
        Some(Err(error)) => Err(Stop::Damaged(error.to_string())),
        None => Err(Stop::Again("a write had no answer")),
    }
}
