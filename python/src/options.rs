//! What may be said about a limiter on a store, besides its rates.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use scupper::{LimiterBuilder, OutagePolicy, Quota};

use crate::quota::{Numbers, quota_of};

/// What becomes of requests when the store cannot tell: the name of a policy, or rates to hold to meanwhile.
#[derive(FromPyObject)]
pub(crate) enum Outage {
    Name(String),
    Rates(Vec<Numbers>),
}

/// Times are seconds; what is None is as in the core.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    outage: OutagePolicy,
    /// Without limit if it holds nothing.
    call_timeout: Option<Option<Duration>>,
    max_waiting: Option<usize>,
    denial_cache: Option<Duration>,
}

impl Options {
    pub(crate) fn read(
        outage: Option<Outage>,
        quota: &Quota,
        call_timeout: Option<f64>,
        max_waiting: Option<usize>,
        denial_cache: Option<f64>,
    ) -> PyResult<Self> {
        let limit =
            |seconds| if seconds == f64::INFINITY { Ok(None) } else { duration("call_timeout", seconds).map(Some) };
        Ok(Self {
            outage: outage.map_or(Ok(OutagePolicy::Error), |outage| policy(outage, quota))?,
            call_timeout: call_timeout.map(limit).transpose()?,
            max_waiting,
            denial_cache: denial_cache.map(|seconds| duration("denial_cache", seconds)).transpose()?,
        })
    }

    pub(crate) fn set(&self, builder: LimiterBuilder) -> LimiterBuilder {
        let builder = builder.on_outage(self.outage.clone());
        let builder = match self.call_timeout {
            Some(limit) => builder.call_timeout(limit),
            None => builder,
        };
        let builder = match self.max_waiting {
            Some(requests) => builder.max_waiting(requests),
            None => builder,
        };
        match self.denial_cache {
            Some(keep) => builder.denial_cache(keep),
            None => builder,
        }
    }
}

fn policy(outage: Outage, quota: &Quota) -> PyResult<OutagePolicy> {
    match outage {
        Outage::Rates(rates) => quota_of(rates, quota.algorithm()).map(OutagePolicy::Fallback),
        Outage::Name(name) => match &*name {
            "error" => Ok(OutagePolicy::Error),
            "fail-open" => Ok(OutagePolicy::FailOpen),
            "fail-closed" => Ok(OutagePolicy::FailClosed),
            _ => Err(PyValueError::new_err(format!(
                "outage is {name:?}; it must be \"error\", \"fail-open\", \"fail-closed\", or rates to hold to in this process \
                 meanwhile"
            ))),
        },
    }
}

pub(crate) fn duration(what: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{what} is {seconds}; it must be a number of seconds >= 0")))
}
