//! Rows to records. A value that this version does not write is an error, not a guess.

use super::failure::Stop;
use crate::journal::{Effect, Exchange, MessageRecord, Park, Parked, SealedRecord, State, StoredOutcome, Tip};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

pub(super) use crate::journal::columns::{effect_columns, exchange_columns, message_columns, parked_columns, select_exchange};

/// Takes the columns of a row from left to right.
pub(super) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql<'a>>(&mut self) -> Result<T, Stop> {
        let value = self.row.try_get(self.next);
        self.next += 1;
        value.map_err(|_| Stop::Damaged("a column does not read as what this version writes".into()))
    }

    fn digest(&mut self) -> Result<[u8; 32], Stop> {
        self.optional_digest()?.ok_or_else(|| unreadable("a digest"))
    }

    fn optional_digest(&mut self) -> Result<Option<[u8; 32]>, Stop> {
        let bytes: Option<&[u8]> = self.take()?;
        let digest = bytes.map(<[u8; 32]>::try_from).transpose();
        digest.map_err(|_| unreadable("a digest"))
    }
}

/// The only column of the only row.
pub(super) fn single<T: for<'a> FromSql<'a>>(row: Option<&Row>) -> Result<Option<T>, Stop> {
    row.map(|row| Columns::of(row).take()).transpose()
}

pub(super) fn exchange(row: &Row) -> Result<Exchange, Stop> {
    exchange_of(&mut Columns::of(row))
}

/// An exchange with the digest of its content behind it.
pub(super) fn exchange_with_content(row: &Row) -> Result<(Exchange, [u8; 32]), Stop> {
    let mut columns = Columns::of(row);
    Ok((exchange_of(&mut columns)?, columns.digest()?))
}

fn exchange_of(columns: &mut Columns<'_>) -> Result<Exchange, Stop> {
    Ok(Exchange {
        id: columns.take()?,
        state: state(columns.take()?)?,
        outcome: outcome(columns)?,
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

pub(super) fn message(row: &Row) -> Result<MessageRecord, Stop> {
    message_of(&mut Columns::of(row))
}

pub(super) fn message_of(columns: &mut Columns<'_>) -> Result<MessageRecord, Stop> {
    Ok(MessageRecord {
        link: columns.take()?,
        direction: direction(columns.take()?)?,
        part: columns.take()?,
        code: columns.take()?,
        record: SealedRecord {
            key: columns.take()?,
            sealed: columns.take()?,
        },
        at: columns.take()?,
    })
}

pub(super) fn parked(row: &Row) -> Result<Parked, Stop> {
    let mut columns = Columns::of(row);
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
            digest: columns.digest()?,
            at: columns.take()?,
        },
    })
}

pub(super) fn effect(row: &Row) -> Result<Effect, Stop> {
    let mut columns = Columns::of(row);
    Ok(Effect {
        chain: columns.take()?,
        date: columns.take()?,
        seq: columns.take()?,
        exchange: columns.take()?,
        reply: columns.optional_digest()?,
        facts: columns.digest()?,
        digest: columns.digest()?,
        at: columns.take()?,
        pruned: columns.take::<i32>()? == 1,
    })
}

pub(super) fn tip(row: &Row) -> Result<Tip, Stop> {
    let mut columns = Columns::of(row);
    Ok(Tip {
        chain: columns.take()?,
        date: columns.take()?,
        seq: columns.take()?,
        digest: columns.digest()?,
    })
}

pub(super) fn state(name: &str) -> Result<State, Stop> {
    State::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| unreadable("a state"))
}

fn outcome(columns: &mut Columns<'_>) -> Result<Option<StoredOutcome>, Stop> {
    let (name, reason, text): (Option<String>, _, _) = (columns.take()?, columns.take()?, columns.take()?);
    Ok(name.map(|name| StoredOutcome { name, reason, text }))
}

fn direction(name: &str) -> Result<&'static str, Stop> {
    ["received", "sent"]
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| unreadable("a direction"))
}

fn unreadable(what: &str) -> Stop {
    Stop::Damaged(format!("{what} that this version does not know"))
}
