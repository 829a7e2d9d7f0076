//! A host where something happens when its clock is next read.

use std::fmt;

use crate::error::Result;
use crate::store::host_clock::{Boot, Host, TestHost};
use crate::sync::{Mutex, lock};

type Act = Box<dyn FnOnce() + Send>;

pub(super) struct Meddling {
    pub(super) host: TestHost,
    act: Mutex<Option<Act>>,
}

impl Meddling {
    pub(super) fn on(host: TestHost) -> Self {
        Self { host, act: Mutex::default() }
    }

    /// Does this when the clock is next read, by whoever reads it.
    pub(super) fn next(&self, act: impl FnOnce() + Send + 'static) {
        *lock(&self.act) = Some(Box::new(act));
    }

    /// Whether nobody has read the clock since.
    pub(super) fn is_about_to_meddle(&self) -> bool {
        lock(&self.act).is_some()
    }
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddling").finish_non_exhaustive()
    }
}

impl Host for Meddling {
    fn boot(&self) -> Result<Boot> {
        self.host.boot()
    }

    fn since_boot(&self) -> u64 {
        let act = lock(&self.act).take();
        if let Some(act) = act {
            act();
        }
        self.host.since_boot()
    }

    fn wall(&self) -> u64 {
        self.host.wall()
    }
}
