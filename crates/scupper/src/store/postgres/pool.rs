use std::fmt;
use std::future::Future;
use std::time::Instant;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::store::io::Runner;
use crate::store::pause::pause;
use crate::store::postgres::entry::Entry;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::held::held_back;
use crate::store::postgres::session::Session;
use crate::sync::{Arc, Mutex, lock};

/// Connections that calls take in turns: made when they are first needed, and never given to anybody again once something
/// went wrong with them.
pub(super) struct Pool {
    entry: Arc<Entry>,
    pool: managed::Pool<Manager>,
}

pub(super) struct Manager {
    entry: Arc<Entry>,
    runner: Runner,
    /// How the last attempt to connect failed, how many in a row have, and when the next may be made.
    failure: Mutex<Option<(Error, u32, Instant)>>,
}

/// A connection for one call.
pub(super) type Lease = Object<Manager>;

impl Pool {
    pub(super) fn new(entry: Arc<Entry>, runner: Runner) -> Result<Self> {
        let manager = Manager { entry: Arc::clone(&entry), runner, failure: Mutex::default() };
        let pool = managed::Pool::builder(manager)
            .max_size(entry.settings.pool)
            .wait_timeout(Some(entry.settings.patience))
            // Where little is asked for, one connection does it, and stays warm.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build();
        let pool = pool.map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "the pool of connections cannot be set up").with_source(error)
        })?;
        Ok(Self { entry, pool })
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// A connection that is open, and nobody else's meanwhile.
    pub(super) async fn lease(&self) -> Result<Lease> {
        match self.pool.get().await {
            Ok(session) => Ok(session),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Closed) => Err(Error::new(ErrorKind::Closed, "the store was closed")),
            Err(error) => {
                let what = format!(
                    "all {} connections to Postgres at {} are in use, and this request was not sent",
                    self.entry.settings.pool, self.entry.place
                );
                Err(Error::new(ErrorKind::Unavailable, what).with_source(error))
            }
        }
    }

    /// Sees to a call: within the time that there is for one, and with the connection cut off if that is not enough.
    pub(super) async fn call<T>(
        &self,
        lease: &Lease,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let sent = lease.sent();
        let due = lease.begin();
        let outcome = timeout(self.entry.settings.answer_within, held_back(work)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            self.call_off(lease);
            Err(Failure::late(&self.entry.place))
        });
        let outcome = outcome.and_then(|answer| {
            if lease.was_on_its_own() { Err(Failure::on_its_own(&self.entry.place)) } else { Ok(answer) }
        });
        let is_at_rest = match &outcome {
            Ok(_) => true,
            Err(failure) => failure.keeps_connection && self.comes_to_rest(lease).await,
        };
        if is_at_rest {
            due.done();
            return outcome;
        }
        // Nothing is written from here on, so what has not left stays.
        drop(due);
        outcome.map_err(|failure| if lease.sent() == sent { failure.unsent() } else { failure })
    }

    /// A server ends a call in time by itself, but where it waits for a synchronous standby: for that it knows no limit, and its
    /// connections would add up until there were none left.
    fn call_off(&self, lease: &Lease) {
        let (entry, session, target) = (Arc::clone(&self.entry), lease.client().cancel_token(), lease.target().clone());
        self.pool.manager().runner.spawn(async move { entry.call_off(session, &target).await });
    }

    /// Behind an error the server says that it is ready, and may say so later: what is heard then is no farewell.
    async fn comes_to_rest(&self, lease: &Lease) -> bool {
        let heard = timeout(self.entry.settings.answer_within, held_back(lease.client().check_connection())).await;
        matches!(heard, Ok(Ok(())))
    }
}

impl managed::Manager for Manager {
    type Type = Session;
    type Error = Error;

    async fn create(&self) -> Result<Session> {
        let failures = match &*lock(&self.failure) {
            Some((error, _, next)) if Instant::now() < *next => return Err(error.again()),
            Some((_, failures, _)) => *failures,
            None => 0,
        };
        let opened = Box::pin(self.entry.open(&self.runner)).await;
        *lock(&self.failure) = match &opened {
            Ok(_) => None,
            Err(error) => Some((error.again(), failures.saturating_add(1), Instant::now() + pause(failures))),
        };
        opened
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Error> {
        if session.is_open() {
            return Ok(());
        }
        Err(RecycleError::message("the connection is of no more use"))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.pool.status()).finish_non_exhaustive()
    }
}
