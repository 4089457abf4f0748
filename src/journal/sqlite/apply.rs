//! One write on a connection that is inside a transaction.

use super::failure::Stop;
use super::held::Held;
use super::{accept, change, park, prune, rewrap, serial};
use crate::journal::{Chain, Write, Written};

/// Applies a write. `Stop::Refused` has changed nothing; after `Stop::Sql` the transaction must be rolled back.
pub(super) fn apply(connection: &Held<'_>, chain: &Chain, write: &Write) -> Result<Written, Stop> {
    match write {
        Write::Accept(request) => accept::accept(connection, chain, request),
        Write::Move(change) => change::move_exchange(connection, chain, change),
        Write::Reply {
            replaces,
            id,
            answers,
            message,
        } => change::reply(connection, *id, answers, message, replaces.as_deref()),
        Write::Park(park) => park::park(connection, park),
        Write::Resolve { id, to, note, at } => park::resolve(connection, *id, *to, note.as_deref(), *at),
        Write::Reserve {
            instance,
            date,
            kind,
            count,
        } => serial::reserve(connection, instance, date, kind, *count),
        Write::Set { name, expect, value, at } => serial::set(connection, name, expect.as_deref(), value, *at),
        Write::Renew { owner, lease_until, .. } => change::renew(connection, owner, *lease_until),
        Write::Release { owner } => change::release(connection, owner),
        Write::TakeOver {
            owner,
            now,
            lease_until,
            include_own,
            limit,
        } => {
            let take = change::TakeOver {
                owner,
                now: *now,
                lease_until: *lease_until,
                include_own: *include_own,
                limit: *limit,
            };
            change::take_over(connection, &take)
        }
        Write::Rewrap(all) => {
            connection.tips.forget();
            Ok(rewrap::rewrap(connection, all)?)
        }
        Write::Prune { before } => {
            connection.tips.forget();
            Ok(Written::Pruned(prune::prune(connection, *before, u32::MAX)?))
        }
    }
}
