//! The statements of one transaction, held from their first use to its end: found once for a whole batch of writes, instead of by
//! their text for each.

use super::effect::Tips;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Result, Row};
use std::cell::RefCell;
use std::ops::Deref;

/// A connection inside a transaction. What is asked rarely goes to the connection itself.
pub(super) struct Held<'c> {
    connection: &'c Connection,
    statements: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
    pub(super) tips: Tips,
}

impl<'c> Held<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            statements: RefCell::default(),
            tips: Tips::default(),
        }
    }

    /// Gives the number of rows changed.
    pub(super) fn change(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// The one row, if there is one.
    pub(super) fn row<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.with(sql, |statement| statement.query_row(params, read).optional())
    }

    fn with<T>(&self, sql: &'static str, work: impl FnOnce(&mut CachedStatement<'c>) -> Result<T>) -> Result<T> {
        // They are few, and texts of other lengths are told apart by these.
        let known = self.statements.borrow().iter().position(|(text, _)| *text == sql);
        let mut statement = match known {
            Some(place) => self.statements.borrow_mut().swap_remove(place).1,
            None => self.connection.prepare_cached(sql)?,
        };
        let result = work(&mut statement);
        self.statements.borrow_mut().push((sql, statement));
        result
    }
}

impl Deref for Held<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
