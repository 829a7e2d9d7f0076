//! A place in line.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scupper::store::Admission;
use scupper::{Bucket, Permit, Result, Source, Timestamp};

use crate::judged::{Taken, taken};

/// What was admitted once its turn had come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) tick: Timestamp,
    pub(crate) weight: u64,
    pub(crate) sequence: u64,
}

impl Granted {
    /// As plain numbers.
    pub(crate) fn taken(&self, key: &str) -> Taken {
        let admission = Admission { tick: self.tick, weight: self.weight, sequence: self.sequence };
        taken(key, admission, Source::Store)
    }
}

impl From<&Permit<'_>> for Granted {
    fn from(permit: &Permit<'_>) -> Self {
        Self { tick: permit.tick(), weight: permit.weight(), sequence: permit.sequence() }
    }
}

/// Stands in line from when it is first polled. Dropping it leaves the line, and gives back what was admitted meanwhile.
pub(crate) type Turn = Pin<Box<dyn Future<Output = Result<Granted>> + Send>>;

/// How many have a turn that they have not seen come: while there are none, nobody stands in line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<AtomicUsize>);

struct Counted(Turns);

impl Turns {
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    pub(crate) fn wait_for(&self, bucket: Bucket, weight: u64, limit: Option<Duration>) -> Turn {
        self.0.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(self.clone());
        Box::pin(async move {
            let _counted = counted;
            let request = bucket.request().weight(weight);
            let request = if let Some(limit) = limit { request.timeout(limit) } else { request };
            request.acquire_async().await.map(|permit| Granted::from(&permit))
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
