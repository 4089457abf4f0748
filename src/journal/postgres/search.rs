//! Search by whoever asks for an exchange: newest first, all given conditions together.
//!
//! The narrowest condition given picks the statement, and so the index; the others filter.

use super::failure::Stop;
use super::query::all;
use super::row::select_exchange;
use super::session::{Session, Values};
use crate::journal::{Exchange, Search, State};

pub(super) async fn find(session: &Session, search: &Search) -> Result<Vec<Exchange>, Stop> {
    let account = search.account_digest.as_ref().map(|digest| &digest[..]);
    let (state, limit) = (search.state.map(State::name), i64::from(search.limit));
    let values: Values<'_> = &[
        &search.id,
        &search.key,
        &account,
        &search.settlement_date,
        &state,
        &search.operation,
        &limit,
    ];
    all(session, statement(search), values).await
}

fn statement(search: &Search) -> &'static str {
    if search.id.is_some() {
        return BY_ID;
    }
    if search.key.is_some() {
        return BY_KEY;
    }
    if search.account_digest.is_some() {
        return BY_ACCOUNT;
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
        select_exchange!($by, "(CAST($1 AS BIGINT) IS NULL OR id = $1) AND (CAST($3 AS BYTEA) IS NULL OR account_digest = $3) \
             AND (CAST($4 AS TEXT) IS NULL OR settlement_date = $4) AND (CAST($5 AS TEXT) IS NULL OR state = $5) \
             AND (CAST($6 AS TEXT) IS NULL OR operation = $6) AND (CAST($2 AS TEXT) IS NULL OR msg_id = $2 OR end_to_end_id = $2 \
             OR out_key = $2 OR id IN (SELECT exchange_id FROM request WHERE communication_key = $2)) ORDER BY id DESC LIMIT $7")
    };
}

const BY_ID: &str = search!("WHERE id = $1 AND ");
const BY_KEY: &str = search!(
    "WHERE id IN (SELECT id FROM exchange WHERE msg_id = $2 UNION SELECT id FROM exchange WHERE end_to_end_id = $2 \
     UNION SELECT exchange_id FROM sent WHERE out_key = $2 UNION SELECT exchange_id FROM request WHERE communication_key = $2) AND "
);
const BY_ACCOUNT: &str = search!("WHERE account_digest = $3 AND ");
const BY_OPEN: &str = search!("WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange)) AND ");
const BY_DATE: &str = search!("WHERE settlement_date = $4 AND ");
const NEWEST: &str = search!("WHERE ");
