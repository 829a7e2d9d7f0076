//! A connection to the file of a store.

use std::cell::RefCell;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Params, Row};

use crate::error::{Error, Result};
use crate::store::sqlite::failure::Failure;

/// An open connection, in the hands of one thread at a time.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    /// The first statement of the transaction that failed: it cannot go on.
    failed: RefCell<Option<Failure>>,
}

impl Link {
    pub(super) fn new(connection: Connection) -> Self {
        // As many as there are, so that none is prepared twice.
        connection.set_prepared_statement_cache_capacity(64);
        Self { connection, failed: RefCell::new(None) }
    }

    /// Begins a transaction that may write. Nobody else writes until its end.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        self.failed.take();
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute(()));
        begun.map(drop).map_err(Failure::before_the_end)
    }

    /// Ends the transaction; what failed in it makes it undone.
    pub(super) fn commit(&self) -> Result<(), Failure> {
        if let Some(failure) = self.failed.take() {
            self.roll_back();
            return Err(failure);
        }
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute(()));
        ended.map(drop).map_err(|error| {
            // One that is still open was not carried out, whatever the error.
            let failure = if self.connection.is_autocommit() {
                Failure::at_the_end(error)
            } else {
                Failure::before_the_end(error)
            };
            self.roll_back();
            failure
        })
    }

    /// Gives the transaction up, for what failed in it or else for this reason.
    #[cold]
    pub(super) fn give_up(&self, reason: Error) -> Failure {
        self.roll_back();
        self.failed.take().unwrap_or(Failure::NotDone(reason))
    }

    /// Undoes what was done since [`begin`](Self::begin), unless `SQLite` has done so.
    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Where it fails, the connection is closed, which undoes it as well.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Has a statement carried out; says how many rows it changed.
    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        self.noting(|| self.connection.prepare_cached(sql)?.execute(params))
    }

    /// The first row of an answer, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.noting(|| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            rows.next()?.map(read).transpose()
        })
    }

    /// All rows of an answer.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.noting(|| self.connection.prepare_cached(sql)?.query_map(params, read)?.collect())
    }

    /// The row that the last insertion made.
    pub(super) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Closes the connection without a checkpoint.
    pub(super) fn leave(self) {
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    fn noting<T>(&self, work: impl FnOnce() -> rusqlite::Result<T>) -> Result<T> {
        // SQLite may have ended the transaction by itself; without it, nothing is to be read or written.
        if let Some(failure) = &*self.failed.borrow() {
            return Err(failure.error(true));
        }
        work().map_err(|error| {
            let failure = Failure::before_the_end(error);
            let told = failure.error(true);
            *self.failed.borrow_mut() = Some(failure);
            told
        })
    }
}
