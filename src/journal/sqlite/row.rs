//! Rows to records. A value that this version does not write is an error, not a guess.

use crate::journal::chain::Facts;
use crate::journal::{Exchange, MessageRecord, Park, Parked, SealedRecord, State, StoredOutcome};
use rusqlite::types::{FromSql, Type};
use rusqlite::{Error, Result, Row};

pub(super) use crate::journal::columns::{exchange_columns, facts_columns, message_columns, parked_columns, select_exchange};

/// Takes the columns of a row from left to right.
struct Columns<'a, 'stmt> {
    row: &'a Row<'stmt>,
    next: usize,
}

impl Columns<'_, '_> {
    fn take<T: FromSql>(&mut self) -> Result<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }
}

pub(super) fn exchange(row: &Row<'_>) -> Result<Exchange> {
    let mut columns = Columns { row, next: 0 };
    Ok(Exchange {
        id: columns.take()?,
        state: state(&columns.take::<String>()?)?,
        outcome: outcome(&mut columns)?,
        operation: columns.take()?,
        institution: columns.take()?,
        amount_fen: columns.take()?,
        link_in: columns.take()?,
        link_out: columns.take()?,
        communication_key: columns.take()?,
        business_key: columns.take()?,
        initiator: columns.take()?,
        msg_id: columns.take()?,
        msg_code: columns.take()?,
        end_to_end_id: columns.take()?,
        settlement_date: columns.take()?,
        batch: columns.take()?,
        out_key: columns.take()?,
        owner: columns.take()?,
        epoch: columns.take()?,
        lease_until: columns.take()?,
        deadline: columns.take()?,
        due: columns.take()?,
        attempts: columns.take()?,
        queries: columns.take()?,
        accepted_at: columns.take()?,
        sent_at: columns.take()?,
        attempted_at: columns.take()?,
        answered_at: columns.take()?,
        delivered_at: columns.take()?,
    })
}

/// What an exchange's record in the chain stands for, borrowed from its row.
pub(super) fn facts<'a>(row: &'a Row<'_>) -> Result<Facts<'a>> {
    let maybe = |column| -> Result<Option<&'a str>> { Ok(row.get_ref(column)?.as_str_or_null()?) };
    let text = |column| -> Result<&'a str> { Ok(row.get_ref(column)?.as_str()?) };
    Ok(Facts {
        id: row.get(0)?,
        outcome: maybe(1)?,
        reason: maybe(2)?,
        operation: text(3)?,
        institution: maybe(4)?,
        amount_fen: row.get(5)?,
        link_in: text(6)?,
        link_out: maybe(7)?,
        communication_key: text(8)?,
        business_key: maybe(9)?,
        initiator: text(10)?,
        msg_id: text(11)?,
        msg_code: text(12)?,
        end_to_end_id: maybe(13)?,
        settlement_date: maybe(14)?,
        batch: maybe(15)?,
        out_key: maybe(16)?,
        accepted_at: row.get(17)?,
    })
}

pub(super) fn message(row: &Row<'_>) -> Result<MessageRecord> {
    let mut columns = Columns { row, next: 0 };
    Ok(MessageRecord {
        link: columns.take()?,
        direction: direction(&columns.take::<String>()?)?,
        part: columns.take()?,
        code: columns.take()?,
        record: SealedRecord {
            key: columns.take()?,
            sealed: columns.take()?,
        },
        at: columns.take()?,
    })
}

pub(super) fn parked(row: &Row<'_>) -> Result<Parked> {
    let mut columns = Columns { row, next: 0 };
    Ok(Parked {
        id: columns.take()?,
        status: columns.take()?,
        note: columns.take()?,
        exchange: columns.take()?,
        park: Park {
            link: columns.take()?,
            source: columns.take()?,
            step: columns.take()?,
            code: columns.take()?,
            field: columns.take()?,
            reason: columns.take()?,
            record: SealedRecord {
                key: columns.take()?,
                sealed: columns.take()?,
            },
            digest: columns.take()?,
            at: columns.take()?,
        },
    })
}

pub(super) fn state(name: &str) -> Result<State> {
    State::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| unreadable("a state"))
}

fn outcome(columns: &mut Columns<'_, '_>) -> Result<Option<StoredOutcome>> {
    let (name, reason, text): (Option<String>, _, _) = (columns.take()?, columns.take()?, columns.take()?);
    Ok(name.map(|name| StoredOutcome { name, reason, text }))
}

fn direction(name: &str) -> Result<&'static str> {
    ["received", "sent"]
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| unreadable("a direction"))
}

fn unreadable(what: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, format!("{what} that this version does not know").into())
}
