use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::store::asked::Asked;
use crate::store::batch::{Action, Operation};
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::postgres::arguments::numbers;
use crate::store::postgres::call::Call;
use crate::store::postgres::change_text::{Place, hex, joined};
use crate::store::postgres::general::{Decision, decide};
use crate::store::postgres::id::Id;
use crate::store::postgres::job::Job;
use crate::store::postgres::rights::Lacking;
use crate::store::postgres::row_text::{self, LOAD};
use crate::store::postgres::schema::Schema;
use crate::store::postgres::transaction::Change;
use crate::store::postgres::verdicts::Decided;
use crate::time::Timestamp;

/// One bucket of a [`PostgresStore`](super::PostgresStore) for who has connections of another kind, as from Python: what to ask the
/// server, in texts that any client can send, and what its answers say. Who sends them sees to the order.
///
/// Statements without parameters may be sent together, and with no settings of the session but the time zone of anybody.
#[derive(Clone, Debug)]
pub struct PostgresScript {
    schema: Schema,
    id: Id,
    key: String,
}

/// What becomes of an operation in a transaction.
#[derive(Debug)]
pub struct Applied {
    /// The answer to it; an error changes nothing.
    pub outcome: Outcome,
    /// The statements that make it so, to be sent before the transaction's end; none where nothing changes.
    pub statements: String,
}

/// The function with a bucket, its key, its quota and a weight.
const ACQUIRE: &str = "SELECT pg_catalog.array_to_string({s}.decide(ARRAY[$1::text::uuid], ARRAY[pg_catalog.decode($2::text, 'hex')], \
    ARRAY[1], $3::text::bigint[], ARRAY[1], ARRAY[$4::text::bigint], ARRAY[1], ARRAY[0], true), ' ')";

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; \
    SELECT pg_catalog.pg_advisory_xact_lock({s}.lock_of('{id}')); ";

/// Five texts: whether the schema says its version, whether the server is a standby, the role, the database, and the table of
/// another library that has this name.
const STATE: &str = "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'version' \
    AND pronamespace = pg_catalog.to_regnamespace($name${s}$name$)) THEN 't' END, \
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN 't' END, current_user::text, pg_catalog.current_database()::text, \
    (SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident( \
    pg_catalog.convert_from(pg_catalog.decode('{table}', 'hex'), 'UTF8'))) AND 3 = (SELECT count(*) FROM pg_catalog.pg_attribute AS a \
    WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attname IN ('name', 'weight', 'item_timestamp')))";

impl PostgresScript {
    /// The bucket of this key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if there can be no schema of this name.
    pub fn new(schema: &str, key: &str) -> Result<Self> {
        Ok(Self { schema: Schema::new(schema)?, id: Id::of(key), key: key.to_owned() })
    }

    /// What the bucket's row is found by.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// What makes the schema, in a transaction of its own.
    #[must_use]
    pub fn schema_sql(&self) -> String {
        self.schema.sql()
    }

    /// Gives one row of five texts: see [`is_there`](Self::is_there). The last is the name of `table` where there is one with the
    /// columns of pyrate-limiter's.
    #[must_use]
    pub fn state_sql(&self, table: &str) -> String {
        self.schema.within(&STATE.replace("{table}", &hex(table.as_bytes())))
    }

    /// Gives the version.
    #[must_use]
    pub fn version_sql(&self) -> String {
        self.schema.within("SELECT {s}.version()::text")
    }

    /// Whether the version is one that this library knows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if not.
    pub fn check_version(&self, version: &str) -> Result<()> {
        self.schema.check(version.parse().ok())
    }

    /// Gives rows of three texts for [`is_complete`](Self::is_complete).
    #[must_use]
    pub fn rights_sql(&self) -> String {
        Lacking::query(&self.schema)
    }

    /// Whether nothing is missing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] with what is to be done if the role may not do all that it takes.
    pub fn is_complete(&self, rows: impl IntoIterator<Item = [Option<String>; 3]>) -> Result<bool> {
        let mut lacking = Lacking::default();
        for [role, rights, place] in rows {
            lacking.add(role.as_deref(), rights.as_deref(), place.as_deref());
        }
        if !lacking.is_incomplete() {
            lacking.check(&self.schema)?;
        }
        Ok(!lacking.is_incomplete())
    }

    /// What is to be done where this role may not make the schema in this database.
    #[must_use]
    pub fn not_made(&self, role: &str, database: &str) -> String {
        self.schema.not_made(role, database)
    }

    /// The one call that acquires, with four parameters: what [`acquire`](Self::acquire) gives. It has to be a transaction alone.
    #[must_use]
    pub fn acquire_sql(&self) -> String {
        self.schema.within(ACQUIRE)
    }

    /// Its parameters.
    #[must_use]
    pub fn acquire(&self, quota: &Quota, weight: u64) -> [String; 4] {
        let key = hex(self.key.as_bytes());
        [self.id(), key, format!("{{{}}}", joined(&numbers(quota))), weight.to_string()]
    }

    /// What the call answered to an acquire; nothing if nothing was done, and it has to be done in a transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] for an answer that cannot be.
    pub fn verdict(&self, quota: &Quota, weight: u64, answer: &str) -> Result<Option<Verdict>> {
        let unreadable = || Error::new(ErrorKind::Unknown, format!("Postgres answered what is no verdict: {answer:?}"));
        let (mut call, _) = Call::of(vec![job(&Operation::acquire(&self.key, quota, weight))]);
        let (_, group) = call.only().ok_or_else(unreadable)?;
        let numbers = row_text::numbers(answer).map_err(|_| unreadable())?;
        match Decided::of(&group, &numbers) {
            Decided::Undecided => Ok(None),
            Decided::Verdicts(verdicts) => verdicts.into_iter().next().map(Some).ok_or_else(unreadable),
            Decided::Busy | Decided::Unreadable => Err(unreadable()),
        }
    }

    /// Begins a transaction, waits for the bucket, and gives it in one text for [`apply`](Self::apply), as the last result.
    #[must_use]
    pub fn begin_sql(&self) -> String {
        self.own(BEGIN) + &self.load_sql()
    }

    /// Gives the bucket in one text, waiting for nobody: for looks.
    #[must_use]
    pub fn load_sql(&self) -> String {
        self.own(LOAD)
    }

    /// Carries out one operation on the bucket of this text.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if that is no bucket.
    pub fn apply(&self, action: Action<'_>, at: Option<Timestamp>, bucket: &str) -> Result<Applied> {
        let operation = Operation { key: &self.key, at, action };
        let decided = decide(&job(&operation), row_text::rows(bucket)?);
        let Some(Decision { mut outcomes, change }) = decided else {
            return Err(Error::new(ErrorKind::Corrupt, "the stored bucket cannot be read: its log is not whole"));
        };
        let outcome = outcomes.pop().unwrap_or_else(|| operation.without_bucket());
        let change = if outcome.is_ok() { change } else { Change::Nothing };
        let place = Place { schema: &self.schema, id: self.id, key: &self.key };
        Ok(Applied { outcome, statements: place.statements(&change) })
    }

    /// When the unit was taken that lies so many units before the newest in a log; nothing where there are not so many in use, or no
    /// log is kept.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if that is no bucket, and as [`apply`](Self::apply) a look with this quota.
    pub fn taken_at(
        &self,
        quota: &Quota,
        at: Option<Timestamp>,
        bucket: &str,
        place: u64,
    ) -> Result<Option<Timestamp>> {
        let Reply::Peeked(seen) = self.apply(Action::Peek { quota }, at, bucket)?.outcome? else { return Ok(None) };
        if seen.usage.iter().all(|usage| usage.used <= place) {
            return Ok(None);
        }
        let Some(stored) = row_text::rows(bucket)?.stored()? else { return Ok(None) };
        let events = stored.log.events()?;
        let Some(unit) = events.last().and_then(|(_, total)| total.checked_sub(place)) else { return Ok(None) };
        let after = events.partition_point(|(_, total)| *total < unit);
        Ok(events.get(after).map(|(tick, _)| Timestamp::from_micros(*tick)))
    }

    /// Looks at some rows after the one of this id, deletes idle ones, and gives the id to go on from, if any.
    #[must_use]
    pub fn sweep_sql(&self, after: &str, most: u32) -> String {
        let after = Id::parse(&after.replace('-', "")).unwrap_or(Id::FIRST);
        self.schema.within(&format!("SELECT next::text FROM {{s}}.sweep('{after}', {most})"))
    }

    fn own(&self, sql: &str) -> String {
        self.schema.within(&sql.replace("{id}", &self.id()))
    }
}

/// One that nobody waits for.
fn job(operation: &Operation<'_>) -> Job {
    Job::new(Asked::of(operation), oneshot::channel().0)
}
