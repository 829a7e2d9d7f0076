use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;

use socket2::Socket;
use tokio_postgres::{Client, Error as PostgresError, Statement};

use crate::detached::Detached;
use crate::store::postgres::dial::Target;
use crate::store::postgres::notices::Notices;
use crate::store::postgres::statement::{Prepared, Query, Texts};
use crate::store::wire::Record;
use crate::sync::Arc;

/// One connection to the server.
pub(super) struct Session {
    client: Client,
    target: Target,
    driver: Arc<Detached>,
    record: Arc<Record>,
    /// Tells what the driver has not been told yet.
    probe: Socket,
    notices: Arc<Notices>,
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
    pub(super) fn new(
        (client, target): (Client, Target),
        driver: Arc<Detached>,
        (record, probe): (Arc<Record>, Socket),
        notices: Arc<Notices>,
        texts: Arc<Texts>,
    ) -> Self {
        Self { client, target, driver, record, probe, notices, prepared: Prepared::default(), texts }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// The server that it is with.
    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    pub(super) async fn statement(&self, query: Query) -> Result<Statement, PostgresError> {
        self.prepared.get(query, &self.client, &self.texts).await
    }

    /// Whether calls can still be made, while none is under way; false as soon as the server closes the connection.
    pub(super) fn is_open(&self) -> bool {
        !self.record.has_ended() && !self.driver.is_over() && !self.client.is_closed() && !self.was_closed()
    }

    /// Whether the system knows that the other end is closed, ahead of whoever waits for it to say so. What comes unasked is a
    /// farewell: a server that sends its clients away says why.
    fn was_closed(&self) -> bool {
        match self.probe.peek(&mut [MaybeUninit::uninit()]) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    /// How many bytes have left so far.
    pub(super) fn sent(&self) -> u64 {
        self.record.written()
    }

    /// Whether the server has answered something since the last time that a synchronous standby may not have.
    pub(super) fn was_on_its_own(&self) -> bool {
        self.notices.was_on_its_own()
    }

    /// Nothing more is said on it, from now on.
    pub(super) fn cut(&self) {
        self.record.seal();
        self.driver.end();
        // The driver may have been its last holder but one.
        let _ = self.probe.shutdown(Shutdown::Both);
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
