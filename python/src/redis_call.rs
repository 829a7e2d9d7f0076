//! Calls of the script in Redis, for a bucket that Python reaches by a client of the user's.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scupper::store::{Action, Operation, RedisCall, RedisContents, Reply, Verdict};
use scupper::{Quota, Timestamp};

use crate::errors::raised;
use crate::millis::{Tick, rounded_down};
use crate::quota::{Numbers, algorithm_of, numbers_of, quota_of};

/// Makes the calls for one bucket.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct RedisCalls {
    key: String,
    quota: Quota,
}

impl RedisCalls {
    fn call(&self, action: Action<'_>, at: Option<Tick>) -> PyResult<PendingCall> {
        let mut operation = Operation::new(&self.key, action);
        operation.at = at.map(|tick| tick.at);
        let call = RedisCall::new(&operation).map_err(|error| raised(&error))?;
        Ok(PendingCall { call, quota: self.quota.clone() })
    }
}

#[pymethods]
impl RedisCalls {
    /// The script, for a server that does not have it.
    #[classattr]
    const SCRIPT: &'static str = RedisCall::SCRIPT;

    /// What a server calls the script.
    #[classattr]
    fn hash() -> &'static str {
        RedisCall::script_hash()
    }

    /// `key` is the whole key. `rates` and `algorithm` are as for `MemoryBucket`.
    #[new]
    fn new(key: String, rates: Vec<Numbers>, algorithm: &str) -> PyResult<Self> {
        Ok(Self { key, quota: quota_of(rates, algorithm_of(algorithm)?)? })
    }

    /// Takes units, at a time of the caller's in milliseconds or the server's. `read` gives None if they were taken; else the place
    /// of the rate in the way, and milliseconds to wait: -1 for ever.
    #[pyo3(signature = (weight, timestamp_ms = None))]
    fn acquire(&self, weight: u64, timestamp_ms: Option<Tick>) -> PyResult<PendingCall> {
        let action = Operation::acquire(&self.key, &self.quota, weight).action;
        self.call(action, timestamp_ms)
    }

    /// Looks. `read` gives the units that count against each rate.
    #[pyo3(signature = (timestamp_ms = None))]
    fn look(&self, timestamp_ms: Option<Tick>) -> PyResult<PendingCall> {
        self.call(Action::Peek { quota: &self.quota }, timestamp_ms)
    }

    /// Forgets all that was taken. `read` says whether anything was owed.
    #[pyo3(signature = (timestamp_ms = None))]
    fn reset(&self, timestamp_ms: Option<Tick>) -> PyResult<PendingCall> {
        self.call(Action::Reset, timestamp_ms)
    }

    /// The millisecond of the unit so many before the newest in the value of the key; None where it has not so many.
    #[staticmethod]
    fn unit(value: &[u8], before_newest: u64) -> PyResult<Option<i64>> {
        let contents = RedisContents::read(value).map_err(|error| raised(&error))?;
        Ok(contents.unit(before_newest).map(rounded_down))
    }

    /// For each rate of the value of a key under "gcra": the rate, and when all has drained, in microseconds and a rest in
    /// 1/limit.
    #[staticmethod]
    fn drained(value: &[u8]) -> PyResult<Vec<(Numbers, u64, u64)>> {
        let contents = RedisContents::read(value).map_err(|error| raised(&error))?;
        let rates = numbers_of(contents.quota()).into_iter().zip(contents.drained());
        Ok(rates.map(|(rate, &(micros, part))| (rate, micros, part)).collect())
    }
}

/// One call, and what its answer means.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct PendingCall {
    call: RedisCall,
    quota: Quota,
}

#[pymethods]
impl PendingCall {
    /// What follows the key.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.call.arguments().iter().map(|argument| PyBytes::new(py, argument)).collect()
    }

    /// What came of it, from the second string of the answer.
    fn read<'py>(&self, py: Python<'py>, answer: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let reply = self.call.read(answer).map_err(|error| raised(&error))?;
        match reply {
            Reply::Acquired(verdict) => self.denial(verdict).into_pyobject(py),
            Reply::Peeked(snapshot) => {
                let used: Vec<u64> = snapshot.usage.iter().map(|usage| usage.used).collect();
                used.into_pyobject(py)
            }
            Reply::Reset(has_owed) => Ok(has_owed.into_pyobject(py)?.to_owned().into_any()),
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

impl PendingCall {
    /// The place of a rate that is in the way, and how long to wait.
    fn denial(&self, verdict: Verdict) -> Option<(usize, i64)> {
        match verdict {
            Verdict::Admitted(_) => None,
            Verdict::Denied(denial) => Some((denial.rate.unwrap_or(0), wait_ms(denial.now, denial.retry_at))),
            Verdict::NeverFits { rate } => Some((rate.min(self.quota.rates().len() - 1), -1)),
        }
    }
}

/// Whole milliseconds after which it is not earlier.
fn wait_ms(now: Timestamp, retry_at: Timestamp) -> i64 {
    let micros = retry_at.as_micros().saturating_sub(now.as_micros());
    i64::try_from(micros.div_ceil(1_000)).unwrap_or(i64::MAX)
}
