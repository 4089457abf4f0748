//! Rows as the parameters of one statement: each column is an array, which the statement takes apart again. So a batch costs one
//! statement for each kind of row, however many there are.

use super::session::Value;
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{IsNull, ToSql, Type};

/// A statement whose parameters are arrays, with its rows.
pub(super) struct Table<'a> {
    sql: &'static str,
    columns: Vec<Vec<Cell<'a>>>,
}

impl<'a> Table<'a> {
    /// A statement whose n-th parameter holds the n-th value of each row.
    pub(super) fn new<const N: usize>(sql: &'static str, rows: impl IntoIterator<Item = [Value<'a>; N]>) -> Self {
        let mut columns: Vec<Vec<Cell<'a>>> = (0..N).map(|_| Vec::new()).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(Cell(value));
            }
        }
        Self { sql, columns }
    }

    pub(super) fn sql(&self) -> &'static str {
        self.sql
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.iter().all(Vec::is_empty)
    }

    pub(super) fn values(&self) -> Vec<Value<'_>> {
        self.columns.iter().map(|column| column as Value<'_>).collect()
    }
}

/// A value as the element of an array.
#[derive(Debug)]
struct Cell<'a>(Value<'a>);

impl ToSql for Cell<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The type is that of the array's elements, which this value has or refuses here.
        self.0.to_sql_checked(of, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(of, out)
    }
}
