//! Times as Python has them: milliseconds, and seconds for time limits.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;
use scupper::Timestamp;
use scupper::store::BucketState;

/// A time of the caller's: in whole milliseconds, and as it is on the bucket's clock.
#[derive(Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) millis: i64,
    pub(crate) at: Timestamp,
}

impl Tick {
    fn of(at: Timestamp) -> Option<Self> {
        (at <= BucketState::LATEST).then(|| Self { millis: rounded_down(at), at })
    }

    fn of_float(millis: f64) -> Option<Self> {
        let since_origin = Duration::try_from_secs_f64(millis / 1_000.0).ok()?;
        Self::of(Timestamp::from_micros(u64::try_from(since_origin.as_micros()).ok()?))
    }

    fn of_int(millis: i64) -> Option<Self> {
        Self::of(Timestamp::from_micros(u64::try_from(millis).ok()?.checked_mul(1_000)?))
    }
}

impl<'py> FromPyObject<'_, 'py> for Tick {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let tick = if object.is_instance_of::<PyFloat>() {
            Self::of_float(object.extract()?)
        } else {
            Self::of_int(object.extract()?)
        };
        tick.ok_or_else(|| {
            let latest = rounded_down(BucketState::LATEST);
            PyValueError::new_err(format!("the timestamp is {}; it must be at least 0 and at most {latest}", &*object))
        })
    }
}

pub(crate) fn rounded_down(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros() / 1_000).unwrap_or(i64::MAX)
}

/// The first millisecond that is not earlier: who comes back then is admitted.
pub(crate) fn rounded_up(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// How long something is to last.
pub(crate) fn duration_of(what: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!("the {what} is {seconds}; it must be a number of seconds >= 0, and finite"))
    })
}

/// How long to wait at the most.
pub(crate) fn limit_of(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let wrong =
        |seconds: f64| PyValueError::new_err(format!("the timeout is {seconds}; it must be a number of seconds >= 0"));
    timeout.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| wrong(seconds))).transpose()
}
