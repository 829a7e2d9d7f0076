use std::fmt;

use tokio_postgres::{Client, Error as PostgresError, Statement};

use crate::detached::Detached;
use crate::store::postgres::statement::{Prepared, Query, Texts};
use crate::sync::Arc;

/// One connection to the server.
pub(super) struct Session {
    client: Client,
    driver: Arc<Detached>,
    prepared: Prepared,
    texts: Arc<Texts>,
}

/// An answer that is due, or a transaction that is open. If this goes away before it is done, the connection is cut off: whatever
/// is said on it later would be said to somebody else.
#[must_use]
pub(super) struct Due<'a> {
    session: &'a Session,
    is_done: bool,
}

impl Session {
    pub(super) fn new(client: Client, driver: Arc<Detached>, texts: Arc<Texts>) -> Self {
        Self { client, driver, prepared: Prepared::default(), texts }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn statement(&self, query: Query) -> Result<Statement, PostgresError> {
        self.prepared.get(query, &self.client, &self.texts).await
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed() && !self.driver.is_over()
    }

    /// Nothing more is said on it.
    pub(super) fn cut(&self) {
        self.driver.end();
    }

    /// From now on an answer is due.
    pub(super) const fn begin(&self) -> Due<'_> {
        Due { session: self, is_done: false }
    }
}

impl Due<'_> {
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.session.cut();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}
