//! Which course a request takes: it is decided at once, or has to wait.

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::argument::{Patience, Usual};
use crate::bucket::MemoryBucket;
use crate::errand::Errand;
use crate::kept::Answer;
use crate::store_bucket::StoreBucket;

pub(crate) enum Course {
    Decided(bool),
    /// Gives whether it was admitted.
    Waits(Errand),
}

/// True or False.
#[inline]
pub(crate) fn truth(py: Python<'_>, truth: bool) -> Bound<'_, PyAny> {
    PyBool::new(py, truth).to_owned().into_any()
}

/// A bucket by which a limiter decides.
pub(crate) enum Native {
    Memory(Py<MemoryBucket>),
    Store(Py<StoreBucket>),
}

impl Native {
    /// Whether a limiter may decide by it alone, with no code but ours.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Memory(bucket) => bucket.get().is_plain(),
            Self::Store(bucket) => bucket.get().is_plain(),
        }
    }

    /// Decides now, behind those who wait, if it is in the memory of this process. Nothing if it is not, or if the request has to
    /// wait.
    #[inline]
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, usual: &Usual) -> PyResult<Option<bool>> {
        let answer = match self {
            Self::Memory(bucket) => bucket.get().decide(name, usual.weight)?,
            Self::Store(bucket) if bucket.get().is_in_memory => bucket.get().decide(name, usual.weight)?,
            Self::Store(_) => return Ok(None),
        };
        Ok(match answer {
            Answer::Admitted => Some(true),
            Answer::NeverFits => Some(false),
            Answer::Denied => matches!(usual.patience, Patience::Goes).then_some(false),
        })
    }

    /// Begins what may have to wait, for its turn or for the store.
    #[inline(never)]
    pub(crate) fn begin(&self, py: Python<'_>, name: Borrowed<'_, '_, PyAny>, usual: &Usual) -> PyResult<Course> {
        match self {
            Self::Memory(bucket) => Ok(MemoryBucket::begin(bucket, py, name, usual)),
            Self::Store(bucket) => StoreBucket::begin(bucket, py, name, usual),
        }
    }

    /// Lets limiters use it again after it was closed.
    pub(crate) fn reopen(&self) -> PyResult<()> {
        match self {
            Self::Memory(bucket) => bucket.get().reopen(),
            Self::Store(bucket) => bucket.get().reopen(),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Memory(bucket) => visit.call(bucket),
            Self::Store(bucket) => visit.call(bucket),
        }
    }
}

impl FromPyObject<'_, '_> for Native {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(bucket) = object.cast::<MemoryBucket>() {
            return Ok(Self::Memory(bucket.to_owned().unbind()));
        }
        let bucket = object.cast::<StoreBucket>();
        let bucket =
            bucket.map_err(|_| PyTypeError::new_err(format!("a native bucket is wanted, not {}", &*object)))?;
        Ok(Self::Store(bucket.to_owned().unbind()))
    }
}

impl PartialEq for Native {
    /// Whether they are one.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(one), Self::Memory(other)) => one.is(other),
            (Self::Store(one), Self::Store(other)) => one.is(other),
            _ => false,
        }
    }
}
