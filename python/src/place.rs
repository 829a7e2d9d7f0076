//! Where requests are counted: in one bucket, or each name in its own.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the bucket of this key: names are labels.
    One(String),
    /// In the bucket of this prefix and the name.
    PerName(String),
}

impl Place {
    /// The key of a request's bucket.
    ///
    /// # Errors
    /// `TypeError` if a name that is to be a key is not a `str`.
    #[inline]
    pub(crate) fn key<'a>(&'a self, name: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, str>> {
        match self {
            Self::One(key) => Ok(Cow::Borrowed(key)),
            Self::PerName(prefix) => {
                let text = name.cast::<PyString>().map_err(|_| no_key(name))?.to_str()?;
                Ok(if prefix.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(format!("{prefix}{text}")) })
            }
        }
    }
}

#[cold]
fn no_key(name: &Bound<'_, PyAny>) -> PyErr {
    let kind = name.get_type().name().map_or_else(|_| "another type".to_owned(), |kind| kind.to_string());
    PyTypeError::new_err(format!("the name is of type {kind}; where each name has its own bucket, it must be a str"))
}
