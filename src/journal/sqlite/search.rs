//! Search by whoever asks for an exchange: newest first, all given conditions together.
//!
//! The narrowest condition given picks the statement, and so the index; the others filter.

use super::query::all;
use super::row::select_exchange;
use crate::journal::{Exchange, Search, State};
use rusqlite::{Connection, Result, params};

pub(super) fn find(connection: &Connection, search: &Search) -> Result<Vec<Exchange>> {
    all(
        connection,
        statement(search),
        params![
            search.id,
            search.key,
            search.account_digest,
            search.settlement_date,
            search.state.map(State::name),
            search.operation,
            search.limit
        ],
    )
}

fn statement(search: &Search) -> &'static str {
    if search.id.is_some() {
        return BY_ID;
    }
    if search.key.is_some() {
        return BY_KEY;
    }
    if search.account_digest.is_some() {
        return if search.settlement_date.is_some() {
            BY_ACCOUNT_OF_DAY
        } else {
            BY_ACCOUNT
        };
    }
    // Few exchanges are not delivered; nearly all others are, so that those are found soon from the newest down.
    if search.state.is_some_and(|state| state != State::Delivered) {
        return BY_OPEN;
    }
    if search.settlement_date.is_some() {
        return BY_DATE;
    }
    NEWEST
}

/// Adds the conditions that hold whichever statement is picked.
macro_rules! search {
    ($by:literal) => {
        select_exchange!($by, "(?1 IS NULL OR id = ?1) AND (?3 IS NULL OR account_digest = ?3) AND (?4 IS NULL OR settlement_date = ?4) \
             AND (?5 IS NULL OR state = ?5) AND (?6 IS NULL OR operation = ?6) AND (?2 IS NULL OR msg_id = ?2 \
             OR end_to_end_id = ?2 OR out_key = ?2 OR id IN (SELECT exchange_id FROM request WHERE communication_key = ?2)) ORDER BY id DESC LIMIT ?7")
    };
}

pub(super) const BY_ID: &str = search!("WHERE id = ?1 AND ");
pub(super) const BY_KEY: &str = search!(
    "WHERE id IN (SELECT id FROM exchange WHERE msg_id = ?2 UNION SELECT id FROM exchange WHERE end_to_end_id = ?2 \
     UNION SELECT exchange_id FROM sent WHERE out_key = ?2 UNION SELECT exchange_id FROM request WHERE communication_key = ?2) AND "
);
/// Along the index of days: each entry holds the account's digest.
pub(super) const BY_ACCOUNT: &str = search!("WHERE id IN (SELECT id FROM exchange WHERE account_digest = ?3) AND ");
pub(super) const BY_ACCOUNT_OF_DAY: &str =
    search!("WHERE id IN (SELECT id FROM exchange WHERE settlement_date = ?4 AND account_digest = ?3) AND ");
/// The inner SELECT has a range of the index of open exchanges, which is what keeps the whole table from being walked.
pub(super) const BY_OPEN: &str = search!("WHERE id IN (SELECT id FROM exchange WHERE state <> 'delivered' AND owner >= '') AND ");
pub(super) const BY_DATE: &str = search!("WHERE settlement_date = ?4 AND ");
pub(super) const NEWEST: &str = search!("WHERE ");
