//! Arguments as they are given: any object, or none.

use std::convert::Infallible;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt};

/// An argument that may be left out. `None` is as much an object as any other.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, 'py>(Option<Borrowed<'a, 'py, PyAny>>);

impl<'a, 'py> Given<'a, 'py> {
    pub(crate) const LEFT_OUT: Self = Self(None);

    pub(crate) fn get(self) -> Option<Borrowed<'a, 'py, PyAny>> {
        self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'a, 'py> {
    type Error = Infallible;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(Some(object)))
    }
}

/// What is asked for, where all of it is as usual.
pub(crate) struct Usual {
    /// At least 1.
    pub(crate) weight: u64,
    pub(crate) patience: Patience,
}

/// How a request takes a denial.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// It goes.
    Goes,
    /// It waits its turn.
    Waits,
    /// It waits its turn for so long.
    WaitsFor(Duration),
}

impl Usual {
    /// Nothing where a weight of zero, another type than is documented, or a combination that cannot be is asked for.
    #[inline]
    pub(crate) fn read(weight: Given<'_, '_>, blocking: Given<'_, '_>, timeout: Given<'_, '_>) -> Option<Self> {
        let weight = match weight.get() {
            None => 1,
            Some(weight) => positive(weight)?,
        };
        let blocks = match blocking.get() {
            None => true,
            Some(blocking) => blocking.cast::<PyBool>().ok()?.is_true(),
        };
        let limit = match timeout.get() {
            None => None,
            Some(timeout) => seconds(timeout)?,
        };
        let patience = match (blocks, limit) {
            (true, None) => Patience::Waits,
            (true, Some(limit)) => Patience::WaitsFor(limit),
            (false, None) => Patience::Goes,
            (false, Some(_)) => return None,
        };
        Some(Self { weight, patience })
    }
}

fn positive(weight: Borrowed<'_, '_, PyAny>) -> Option<u64> {
    weight.cast_exact::<PyInt>().ok()?.extract().ok().filter(|weight| *weight > 0)
}

/// A time limit, or none for -1.
fn seconds(timeout: Borrowed<'_, '_, PyAny>) -> Option<Option<Duration>> {
    let is_number = timeout.is_exact_instance_of::<PyInt>() || timeout.is_exact_instance_of::<PyFloat>();
    let seconds: f64 = is_number.then(|| timeout.extract().ok())??;
    #[expect(clippy::float_cmp, reason = "exactly -1 stands for no limit")]
    if seconds == -1.0 {
        return Some(None);
    }
    Duration::try_from_secs_f64(seconds).ok().map(Some)
}
