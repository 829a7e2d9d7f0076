//! Arguments as they are given: any object, or none.

use std::convert::Infallible;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

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

/// Seconds that stand for no limit.
const NO_LIMIT: f64 = -1.0;

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
    /// Nothing where a weight of zero, what is no such argument, or a combination that cannot be is asked for.
    ///
    /// What is as good as the documented type counts as that: who comes by way of Python stands in another line than those who wait
    /// here, and might pass them.
    #[inline]
    pub(crate) fn read(weight: Given<'_, '_>, blocking: Given<'_, '_>, timeout: Given<'_, '_>) -> Option<Self> {
        let weight = match weight.get() {
            None => 1,
            Some(weight) => positive(weight)?,
        };
        let blocks = match blocking.get() {
            None => true,
            Some(blocking) => blocking.is_truthy().ok()?,
        };
        let at_will = if blocks { Patience::Waits } else { Patience::Goes };
        let patience = match timeout.get() {
            None => at_will,
            Some(timeout) => match number(timeout)? {
                NO_LIMIT => at_will,
                seconds if blocks => Patience::WaitsFor(Duration::try_from_secs_f64(seconds).ok()?),
                _ => return None,
            },
        };
        Some(Self { weight, patience })
    }
}

/// Of whatever stands for a whole number, as those of `NumPy` do.
fn positive(weight: Borrowed<'_, '_, PyAny>) -> Option<u64> {
    weight.extract().ok().filter(|weight| *weight > 0)
}

fn number(timeout: Borrowed<'_, '_, PyAny>) -> Option<f64> {
    let is_number = timeout.is_instance_of::<PyInt>() || timeout.is_instance_of::<PyFloat>();
    is_number.then(|| timeout.extract().ok())?
}
