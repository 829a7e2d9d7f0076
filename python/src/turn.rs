//! A place in line.

use std::pin::Pin;
use std::time::Duration;

use scupper::{Bucket, Permit, Result, Timestamp};

/// What was admitted once its turn had come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) tick: Timestamp,
    pub(crate) sequence: u64,
}

impl From<&Permit<'_>> for Granted {
    fn from(permit: &Permit<'_>) -> Self {
        Self { tick: permit.tick(), sequence: permit.sequence() }
    }
}

/// Stands in line from when it is first polled. Dropping it leaves the line, and gives back what was admitted meanwhile.
pub(crate) type Turn = Pin<Box<dyn Future<Output = Result<Granted>> + Send>>;

pub(crate) fn wait_for(bucket: Bucket, weight: u64, limit: Option<Duration>) -> Turn {
    Box::pin(async move {
        let request = bucket.request().weight(weight);
        let request = if let Some(limit) = limit { request.timeout(limit) } else { request };
        request.acquire_async().await.map(|permit| Granted::from(&permit))
    })
}
