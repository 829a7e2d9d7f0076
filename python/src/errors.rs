//! What is raised for what went wrong in the core.

use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use scupper::{Error, ErrorKind};

create_exception!(
    scupper,
    StoreError,
    PyRuntimeError,
    "A store could not tell whether there was room: it is away, did not answer, is full or damaged.\n\n\
     ``kind`` says which, as in ``\"Unavailable\"``, ``\"Unknown\"`` or ``\"Capacity\"``."
);

/// What the module has of it.
pub(crate) fn export(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let class = module.py().get_type::<StoreError>();
    class.setattr("kind", "Unknown")?;
    module.add("StoreError", class)
}

/// As Python knows it: `ValueError` for what cannot be, `StoreError`, a `RuntimeError`, for what did not work.
#[cold]
pub(crate) fn raised(error: &Error) -> PyErr {
    match error.kind() {
        ErrorKind::InvalidRate | ErrorKind::InvalidRequest | ErrorKind::InvalidConfig | ErrorKind::Corrupt => {
            PyValueError::new_err(error.message().to_owned())
        }
        ErrorKind::Closed => closed(),
        kind => {
            let raised = StoreError::new_err(error.to_string());
            // Its class is native, and so no code of anybody's runs here.
            Python::attach(|py| raised.value(py).setattr("kind", format!("{kind:?}")).err().unwrap_or(raised))
        }
    }
}

#[cold]
pub(crate) fn closed() -> PyErr {
    PyRuntimeError::new_err("limiter is closed")
}
