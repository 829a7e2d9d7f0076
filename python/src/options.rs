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

#[derive(Clone, Debug)]
pub(crate) struct Options {
    outage: OutagePolicy,
    call_timeout: Option<Duration>,
    max_waiting: usize,
    denial_cache: Duration,
}

impl Options {
    /// Times are seconds; what is None is as in the core. A call may take for ever where the limit is infinite.
    pub(crate) fn read(
        outage: Option<Outage>,
        quota: &Quota,
        call_timeout: Option<f64>,
        max_waiting: Option<usize>,
        denial_cache: Option<f64>,
    ) -> PyResult<Self> {
        Ok(Self {
            outage: outage.map_or(Ok(OutagePolicy::Error), |outage| policy(outage, quota))?,
            call_timeout: match call_timeout {
                Some(f64::INFINITY) => None,
                Some(seconds) => Some(duration("call_timeout", seconds)?),
                None => Some(LimiterBuilder::CALL_TIMEOUT),
            },
            max_waiting: max_waiting.unwrap_or(LimiterBuilder::MAX_WAITING),
            denial_cache: denial_cache
                .map_or(Ok(LimiterBuilder::DENIAL_CACHE), |seconds| duration("denial_cache", seconds))?,
        })
    }

    /// Whether requests may be denied because the store cannot tell.
    pub(crate) const fn denies_in_outages(&self) -> bool {
        matches!(self.outage, OutagePolicy::FailClosed | OutagePolicy::Fallback(_))
    }

    pub(crate) fn set(&self, builder: LimiterBuilder) -> LimiterBuilder {
        let builder = builder.on_outage(self.outage.clone()).call_timeout(self.call_timeout);
        builder.max_waiting(self.max_waiting).denial_cache(self.denial_cache)
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
