//! Stores by URL: one of each in a process, so that all limiters on it share its connections, or its file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::prelude::*;
use scupper::store::{Store, open};
use scupper::{MemoryStore, Result};

/// Locked by threads that have the interpreter.
static OPENED: Mutex<Option<HashMap<String, Weak<dyn Store>>>> = Mutex::new(None);

/// A store, and what is to be known of it.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The same if it is the memory of this process.
    pub(crate) memory: Option<MemoryStore>,
    /// Whether it decides at the speed of memory, so that letting others have the interpreter meanwhile would take longer.
    pub(crate) is_quick: bool,
}

impl Opened {
    /// The store that a URL names. `memory:` is a new one each time.
    pub(crate) fn at(py: Python<'_>, url: &str) -> Result<Self> {
        if url.eq_ignore_ascii_case("memory:") {
            return Ok(Self::in_memory());
        }
        let is_quick = has_scheme(url, "shm");
        Ok(Self { store: shared(py, url)?, memory: None, is_quick })
    }

    /// New and empty.
    pub(crate) fn in_memory() -> Self {
        let memory = MemoryStore::new();
        Self { store: Arc::new(memory.clone()), memory: Some(memory), is_quick: true }
    }
}

fn shared(py: Python<'_>, url: &str) -> Result<Arc<dyn Store>> {
    if has_scheme(url, "shm") || has_scheme(url, "sqlite") {
        // The core has one of each file, and the path may lead to another file by now. It is opened at once, which takes its time.
        return py.detach(|| open(url));
    }
    if let Some(store) = opened().get_or_insert_default().get(url).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let store = py.detach(|| open(url))?;
    let mut opened = opened();
    let opened = opened.get_or_insert_default();
    opened.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = opened.get(url).and_then(Weak::upgrade) {
        return Ok(store);
    }
    opened.insert(url.to_owned(), Arc::downgrade(&store));
    Ok(store)
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(scheme))
}

fn opened() -> MutexGuard<'static, Option<HashMap<String, Weak<dyn Store>>>> {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}
