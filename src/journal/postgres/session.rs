//! One connection with its prepared statements. Statements that need nothing of one another's answers go out together, and a
//! statement over many rows goes out once.

use super::table::Table;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};
use tokio_util::sync::CancellationToken;

/// A parameter of a statement, and all of them.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);
pub(super) type Values<'a> = &'a [Value<'a>];

/// A statement with its parameters.
pub(super) type Step<'a> = (&'static str, Values<'a>);

pub(super) struct Session {
    client: Client,
    prepared: Mutex<BTreeMap<&'static str, Statement>>,
    /// Cancelled when the connection is over, by whichever side.
    lost: CancellationToken,
}

impl Session {
    pub(super) fn new(client: Client, lost: CancellationToken) -> Self {
        Self {
            client,
            prepared: Mutex::default(),
            lost,
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled() || self.client.is_closed()
    }

    /// Waits until the connection is over.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Ends the connection: whatever it had in hand is rolled back by the server, or was committed.
    pub(super) fn give_up(&self) {
        self.lost.cancel();
    }

    /// A text of statements without parameters or rows.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    /// Prepares once what a connection is asked once.
    pub(super) async fn ask(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        self.client.query(sql, values).await
    }

    pub(super) async fn rows(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, values).await
    }

    pub(super) async fn row(&self, sql: &'static str, values: Values<'_>) -> Result<Option<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query_opt(&statement, values).await
    }

    /// Gives the number of rows changed.
    pub(super) async fn change(&self, sql: &'static str, values: Values<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, values).await
    }

    /// Executes one statement over all rows of a table.
    pub(super) async fn rows_of(&self, table: &Table<'_>) -> Result<Vec<Row>, Error> {
        if table.is_empty() {
            return Ok(Vec::new());
        }
        self.rows(table.sql(), &table.values()).await
    }

    /// Executes the statements of several tables, of each that has rows, like `run`.
    pub(super) async fn fill(&self, tables: &[Table<'_>]) -> Result<(), Error> {
        let values: Vec<(&'static str, Vec<Value<'_>>)> = tables
            .iter()
            .filter(|table| !table.is_empty())
            .map(|table| (table.sql(), table.values()))
            .collect();
        let steps: Vec<Step<'_>> = values.iter().map(|(sql, values)| (*sql, &values[..])).collect();
        self.run(&steps).await?;
        Ok(())
    }

    /// Executes in the given order without waiting for one before the next.
    pub(super) async fn run(&self, steps: &[Step<'_>]) -> Result<Vec<u64>, Error> {
        let mut statements = Vec::with_capacity(steps.len());
        for (sql, _) in steps {
            statements.push(self.statement(sql).await?);
        }
        let both = statements.iter().zip(steps);
        try_join_all(both.map(|(statement, (_, values))| self.client.execute(statement, values))).await
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Error> {
        let known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(prepared.entry(sql).or_insert(statement).clone())
    }
}
