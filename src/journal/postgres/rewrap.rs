//! Sealed bytes in the place of others that hold the same, each by compare-and-set.

use super::failure::Stop;
use super::row::{self, Columns, message_columns, parked_columns};
use super::session::{Session, Values};
use super::work::Work;
use crate::journal::rewrap::{Place, Placed, Rewrapped};
use crate::journal::{Parked, Written};
use tokio_postgres::Row;

pub(super) async fn rewrap(work: &Work<'_>, all: &[Rewrapped]) -> Result<Written, Stop> {
    let (mut messages, mut parked) = (Columned::default(), Columned::default());
    for one in all {
        match one.place {
            Place::Message { exchange, seq } => messages.add(exchange, seq, one),
            Place::Parked(id) => parked.add(id, 0, one),
        }
    }
    messages.write(work, MESSAGES).await?;
    parked.write(work, PARKED).await?;
    Ok(Written::Stored)
}

/// Rows by their columns, so that a page is one statement.
#[derive(Default)]
struct Columned<'a> {
    ids: Vec<i64>,
    seqs: Vec<i64>,
    from_keys: Vec<&'a str>,
    from_sealed: Vec<&'a [u8]>,
    to_keys: Vec<&'a str>,
    to_sealed: Vec<&'a [u8]>,
}

impl<'a> Columned<'a> {
    fn add(&mut self, id: i64, seq: i64, one: &'a Rewrapped) {
        self.ids.push(id);
        self.seqs.push(seq);
        self.from_keys.push(&one.from.key);
        self.from_sealed.push(&one.from.sealed);
        self.to_keys.push(&one.to.key);
        self.to_sealed.push(&one.to.sealed);
    }

    async fn write(&self, work: &Work<'_>, statement: &'static str) -> Result<(), Stop> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let values: Values<'_> = &[
            &self.ids,
            &self.seqs,
            &self.from_keys,
            &self.from_sealed,
            &self.to_keys,
            &self.to_sealed,
        ];
        work.session.change(statement, values).await?;
        Ok(())
    }
}

/// Messages that stand under another key, in their order.
pub(super) async fn other_key(session: &Session, values: Values<'_>) -> Result<Vec<Placed>, Stop> {
    let found = session.rows(OTHER_KEY, values).await?;
    let placed = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok(Placed {
            message: row::message_of(&mut columns)?,
            exchange: columns.take()?,
            seq: columns.take()?,
        })
    };
    found.iter().map(placed).collect()
}

/// Parked messages with a larger id, by id.
pub(super) async fn parked_after(session: &Session, after: i64, limit: u32) -> Result<Vec<Parked>, Stop> {
    let found = session.rows(PARKED_AFTER, &[&after, &i64::from(limit)]).await?;
    found.iter().map(row::parked).collect()
}

const OTHER_KEY: &str = concat!(
    "SELECT ",
    message_columns!(),
    ", exchange_id, seq FROM message WHERE (exchange_id, seq) > ($2, $3) AND exchange_id <= $4 AND key_serial <> $1 \
     ORDER BY exchange_id, seq LIMIT $5"
);
/// By `= ANY` the rows are found by their index, whatever the planner believes of the table.
const MESSAGES: &str = "UPDATE message SET key_serial = new.key, sealed = new.sealed
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::bytea[])
        AS new (id, seq, from_key, from_sealed, key, sealed)
    WHERE message.exchange_id = ANY($1) AND message.exchange_id = new.id AND message.seq = new.seq
        AND message.key_serial = new.from_key AND message.sealed = new.from_sealed";
/// The second column is without meaning.
const PARKED: &str = "UPDATE parked SET key_serial = new.key, sealed = new.sealed
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::bytea[])
        AS new (id, seq, from_key, from_sealed, key, sealed)
    WHERE parked.id = ANY($1) AND parked.id = new.id AND parked.key_serial = new.from_key AND parked.sealed = new.from_sealed";
const PARKED_AFTER: &str = concat!(
    "SELECT ",
    parked_columns!(),
    " FROM parked WHERE id > $1 ORDER BY id LIMIT $2"
);
