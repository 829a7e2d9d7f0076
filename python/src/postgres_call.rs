//! One bucket in Postgres, over connections of the user's own: Python sends, and this says what.

use pyo3::prelude::*;
use scupper::store::{Action, Denial, PostgresScript, Reply, Standing, Verdict};
use scupper::{Error, ErrorKind, Quota, Timestamp};

use crate::errors::raised;
use crate::millis::{Tick, rounded_down, rounded_up};
use crate::quota::{Numbers, algorithm_of, quota_of};

/// What to ask Postgres about one bucket, and what its answers say.
#[pyclass(module = "scupper._scupper", frozen)]
pub(crate) struct PostgresCall {
    script: PostgresScript,
    quota: Quota,
}

/// Whether it was admitted; if not, the place of the rate in the way, if it is one, and the wait in milliseconds, if any will do.
type Judged = (bool, Option<usize>, Option<i64>);

#[pymethods]
impl PostgresCall {
    #[new]
    fn new(schema: &str, key: &str, rates: Vec<Numbers>, algorithm: &str) -> PyResult<Self> {
        let script = PostgresScript::new(schema, key).map_err(|error| raised(&error))?;
        Ok(Self { script, quota: quota_of(rates, algorithm_of(algorithm)?)? })
    }

    /// The same bucket under other rates.
    fn under(&self, rates: Vec<Numbers>, algorithm: &str) -> PyResult<Self> {
        Ok(Self { script: self.script.clone(), quota: quota_of(rates, algorithm_of(algorithm)?)? })
    }

    #[getter]
    fn id(&self) -> String {
        self.script.id()
    }

    fn schema_sql(&self) -> String {
        self.script.schema_sql()
    }

    fn state_sql(&self, table: &str) -> String {
        self.script.state_sql(table)
    }

    fn version_sql(&self) -> String {
        self.script.version_sql()
    }

    fn check_version(&self, version: &str) -> PyResult<()> {
        self.script.check_version(version).map_err(|error| raised(&error))
    }

    fn rights_sql(&self) -> String {
        self.script.rights_sql()
    }

    fn is_complete(&self, rows: Vec<[Option<String>; 3]>) -> PyResult<bool> {
        self.script.is_complete(rows).map_err(|error| raised(&error))
    }

    fn not_made(&self, role: &str, database: &str) -> String {
        self.script.not_made(role, database)
    }

    fn acquire_sql(&self) -> String {
        self.script.acquire_sql()
    }

    /// The parameters of that.
    fn acquire(&self, weight: u64) -> [String; 4] {
        self.script.acquire(&self.quota, weight)
    }

    /// The verdict, or none where a transaction must tell.
    fn judged(&self, weight: u64, answer: &str) -> PyResult<Option<Judged>> {
        let verdict = self.script.verdict(&self.quota, weight, answer).map_err(|error| raised(&error))?;
        Ok(verdict.map(|verdict| judged(verdict, None)))
    }

    fn begin_sql(&self) -> String {
        self.script.begin_sql()
    }

    fn load_sql(&self) -> String {
        self.script.load_sql()
    }

    /// The verdict in a transaction, and the statements that make it so.
    #[pyo3(signature = (weight, at, bucket))]
    fn acquire_in(&self, weight: u64, at: Option<Tick>, bucket: &str) -> PyResult<(Judged, String)> {
        let at = at.map(|tick| tick.at);
        let action = Action::Acquire { quota: &self.quota, weight, standing: Standing::Alone };
        let (reply, statements) = self.applied(action, at, bucket)?;
        let Reply::Acquired(verdict) = reply else { return Err(unexpected()) };
        Ok((judged(verdict, at), statements))
    }

    /// The statements that forget all that was taken.
    #[pyo3(signature = (at, bucket))]
    fn reset_in(&self, at: Option<Tick>, bucket: &str) -> PyResult<String> {
        Ok(self.applied(Action::Reset, at.map(|tick| tick.at), bucket)?.1)
    }

    /// The most units that any of the rates has in use.
    #[pyo3(signature = (at, bucket))]
    fn used(&self, at: Option<Tick>, bucket: &str) -> PyResult<u64> {
        let (reply, _) = self.applied(Action::Peek { quota: &self.quota }, at.map(|tick| tick.at), bucket)?;
        let Reply::Peeked(seen) = reply else { return Err(unexpected()) };
        Ok(seen.usage.iter().map(|usage| usage.used).max().unwrap_or_default())
    }

    /// When a unit was taken, by its place before the newest.
    #[pyo3(signature = (at, bucket, place))]
    fn taken_at(&self, at: Option<Tick>, bucket: &str, place: u64) -> PyResult<Option<i64>> {
        let taken = self.script.taken_at(&self.quota, at.map(|tick| tick.at), bucket, place);
        Ok(taken.map_err(|error| raised(&error))?.map(rounded_down))
    }

    fn sweep_sql(&self, after: &str, most: u32) -> String {
        self.script.sweep_sql(after, most)
    }
}

impl PostgresCall {
    fn applied(&self, action: Action<'_>, at: Option<Timestamp>, bucket: &str) -> PyResult<(Reply, String)> {
        let applied = self.script.apply(action, at, bucket).map_err(|error| raised(&error))?;
        Ok((applied.outcome.map_err(|error| raised(&error))?, applied.statements))
    }
}

/// A caller's time is in whole milliseconds, and so the wait is from there to the first that will do.
fn judged(verdict: Verdict, at: Option<Timestamp>) -> Judged {
    match verdict {
        Verdict::Admitted(_) => (true, None, None),
        Verdict::NeverFits { rate } => (false, Some(rate), None),
        Verdict::Denied(Denial { now, retry_at, rate, .. }) => {
            let wait = match at {
                Some(at) => rounded_up(retry_at) - rounded_down(at),
                None => rounded_up(Timestamp::from_micros(retry_at.as_micros().saturating_sub(now.as_micros()))),
            };
            (false, rate, Some(wait))
        }
    }
}

#[cold]
fn unexpected() -> PyErr {
    raised(&Error::new(ErrorKind::Unknown, "the bucket gave the answer to another question"))
}
