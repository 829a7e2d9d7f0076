//! What is raised for what went wrong in the core.

use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use scupper::{Error, ErrorKind};

/// As Python knows it: `ValueError` for what cannot be, `RuntimeError` for what did not work.
#[cold]
pub(crate) fn raised(error: &Error) -> PyErr {
    match error.kind() {
        ErrorKind::InvalidRate | ErrorKind::InvalidRequest | ErrorKind::InvalidConfig | ErrorKind::Corrupt => {
            PyValueError::new_err(error.message().to_owned())
        }
        ErrorKind::Closed => closed(),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

#[cold]
pub(crate) fn closed() -> PyErr {
    PyRuntimeError::new_err("limiter is closed")
}
