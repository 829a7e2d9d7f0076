use std::fmt;

use crate::error::Result;
use crate::store::batch::Batch;
use crate::store::contract::Store;
use crate::store::io::Io;
use crate::store::postgres::entry::Entry;
use crate::store::postgres::intake::Intake;
use crate::store::postgres::schema::Schema;
use crate::store::postgres::way::Way;
use crate::store::started::Started;
use crate::store::submission::Submission;
use crate::sync::Arc;

/// Buckets in a Postgres database: one limit for many machines, where the data already is.
///
/// Each decision is one call of a function on the server, at the server's own time: no client's clock matters. Calls of this
/// process gather while others are under way and go out together, so that a flood costs the server little. A bucket is a row
/// that leaves by itself; `docs/postgres.md` tells its form, and what a crash of a server can forget.
///
/// The tables and functions are in a schema of their own, which is made at the first use if the role may make it; otherwise its
/// owner runs [`schema_sql`](Self::schema_sql) once. Nothing else in the database is touched.
///
/// A URL is `postgres://user:password@host:5432/database?schema=scupper`, or begins with `postgresql://`; what is left out is as
/// any client of Postgres has it, but for variables of the environment, which are not read. Special characters of users,
/// passwords and options are written like `%40`.
///
/// | option | what it says |
/// |---|---|
/// | `schema` | where the tables are: `scupper` unless set |
/// | `durability` | `strict`, unless set, or `relaxed`: [`Durability`](super::Durability) |
/// | `pool` | connections at the most: 8 unless set |
/// | `connect_timeout` | whole seconds that making a connection may take: 0.75 unless set, or if 0 |
/// | `sslmode` | `disable`, `prefer` (unless set), `require`, `verify-ca` or `verify-full` |
/// | `sslrootcert` | a file in PEM with the authorities that are asked: only with `require`, which is `verify-ca` then, `verify-ca` or `verify-full`; those that this host trusts unless set |
/// | `sslcert`, `sslkey` | files in PEM with a certificate of this client and its key: not with `disable` |
/// | `host`, `port`, `user`, `password`, `dbname`, `application_name`, `options`, `target_session_attrs`, `channel_binding`, … | as for any client |
///
/// Clones share their connections, which end with the last of them. Talking to the server is done by a thread of the store's own,
/// so that it works in any runtime or none, and blocking on it inside of an asynchronous task holds up that task's thread alone.
/// Nothing that may have been carried out is sent again: a call that broke off after it was sent is
/// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown), one that was not sent, or that the server undid,
/// [`Unavailable`](crate::ErrorKind::Unavailable).
///
/// # Examples
/// ```no_run
/// use scupper::{Limiter, PostgresStore};
///
/// let store = PostgresStore::open("postgres://app:secret@10.0.0.1/app")?;
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).store(store).build()?;
/// if limiter.try_acquire("user:42")?.is_admitted() {
///     println!("one of five in this second, whichever machine asks");
/// }
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    entry: Arc<Entry>,
    active: Started<Active>,
}

struct Active {
    way: Arc<Way>,
    io: Io,
}

impl PostgresStore {
    pub(super) fn at(entry: Entry) -> Self {
        Self(Arc::new(Inner { entry: Arc::new(entry), active: Started::nothing() }))
    }

    /// Where the tables and functions are unless another schema is named.
    pub const DEFAULT_SCHEMA: &'static str = Schema::DEFAULT;

    /// The SQL that makes this schema, with its tables and functions, for an owner of the database to run beforehand: where the
    /// role of the store may not. It can be run again, also while the store is in use.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if there can be no schema of this name.
    ///
    /// # Examples
    /// ```
    /// let sql = scupper::PostgresStore::schema_sql("limits")?;
    /// assert!(sql.contains("CREATE TABLE IF NOT EXISTS \"limits\".bucket"));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn schema_sql(schema: &str) -> Result<String> {
        Ok(Schema::new(schema)?.sql())
    }

    /// How this process's last sweep of idle rows ended: `Ok` also before the first one. Rows are swept in passing, a second apart
    /// at the most, and one sweep that fails is made up for by the next; no decision hears of it, but for a right that was taken
    /// away: decisions fail, too, as soon as a connection is made anew. Where sweeps go on failing, rows stay, so that this is what
    /// a health check is to look at.
    ///
    /// # Errors
    /// That of the sweep: [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the role may not delete,
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the server could not be reached or somebody else had the table
    /// for too long, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for a damaged table, and others.
    ///
    /// # Examples
    /// ```no_run
    /// let store = scupper::PostgresStore::connect_blocking("postgres://app:secret@10.0.0.1/app")?;
    /// if let Err(error) = store.last_sweep() {
    ///     eprintln!("idle rows stay: {error}");
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn last_sweep(&self) -> Result<()> {
        self.0.active()?.way.last_sweep()
    }

    /// Whether the server can be reached, and is ready.
    pub(super) async fn check(&self) -> Result<()> {
        let active = self.0.active()?;
        let way = Arc::clone(&active.way);
        active.io.runner().carry_out(async move { way.check().await }).await
    }
}

impl Inner {
    fn active(&self) -> Result<Arc<Active>> {
        self.active.get(|| {
            let io = Io::start("scupper-postgres")?;
            let way = Arc::new(Way::new(&self.entry, io.runner().clone())?);
            Ok(Active { way, io })
        })
    }
}

impl Store for PostgresStore {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let active = match self.0.active() {
            Ok(active) => active,
            Err(error) => return Submission::failed(batch, &error),
        };
        let intake = Intake::of(batch);
        for job in intake.jobs {
            active.way.send(job);
        }
        for asked in intake.lists {
            active.way.list(asked);
        }
        intake.answers.submission(active)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = &self.0.entry;
        f.debug_struct("PostgresStore")
            .field("place", &entry.place)
            .field("schema", &entry.schema.name())
            .finish_non_exhaustive()
    }
}
