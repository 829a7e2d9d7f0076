//! Rates and algorithms as Python gives them.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use scupper::{Algorithm, Limiter, Quota, Rate, Rates};

use crate::errors::raised;
use crate::labels::Windows;

/// A rate: its limit, its interval in milliseconds, its burst.
pub(crate) type Numbers = (u64, u64, u64);

/// Rates under an algorithm; only GCRA reads a burst.
pub(crate) fn quota_of(rates: Vec<Numbers>, algorithm: Algorithm) -> PyResult<Quota> {
    let rate = |(limit, interval_ms, burst): Numbers| {
        let rate = Rate::new(limit, Duration::from_millis(interval_ms))?;
        if algorithm == Algorithm::Gcra { rate.with_burst(burst) } else { Ok(rate) }
    };
    let rates: scupper::Result<Vec<Rate>> = rates.into_iter().map(rate).collect();
    rates.and_then(Rates::new).and_then(|rates| Quota::new(algorithm, rates)).map_err(|error| raised(&error))
}

pub(crate) fn numbers_of(quota: &Quota) -> Vec<Numbers> {
    let numbers = |rate: &Rate| {
        let interval_ms = u64::try_from(rate.interval().as_millis()).unwrap_or(u64::MAX);
        (rate.limit(), interval_ms, rate.burst())
    };
    quota.rates().iter().map(numbers).collect()
}

/// Whether so many units are more than any rate can allow, and than the core counts.
#[inline]
pub(crate) fn is_countless(weight: u64) -> bool {
    weight > Rate::MAX_LIMIT
}

/// The place of the first rate that never allows so many units.
pub(crate) fn misfit(quota: &Quota, weight: u64) -> Option<usize> {
    quota.rates().iter().position(|rate| rate.burst() < weight)
}

/// The place of a rate that never allows so many units, where they are more than the core counts. A limiter that is closed says
/// that it is.
#[inline]
pub(crate) fn never_fits(limiter: &Limiter, quota: &Quota, weight: u64) -> Option<usize> {
    if is_countless(weight) && !limiter.is_closed() { misfit(quota, weight) } else { None }
}

pub(crate) fn algorithm_of(name: &str) -> PyResult<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| name_of(*algorithm) == name).ok_or_else(|| {
        PyValueError::new_err(format!("{name:?} is no algorithm; there are sliding_window_log, fixed_window and gcra"))
    })
}

pub(crate) fn name_of(algorithm: Algorithm) -> String {
    algorithm.to_string().replace('-', "_")
}

/// Whether who took what is kept: GCRA has no log.
pub(crate) fn has_log(quota: &Quota) -> bool {
    quota.algorithm() != Algorithm::Gcra
}

pub(crate) fn windows_of(quota: &Quota) -> Windows {
    let millis = |rate: &Rate| i64::try_from(rate.interval().as_millis()).unwrap_or(i64::MAX);
    Windows {
        intervals_ms: quota.rates().iter().map(millis).collect(),
        are_aligned: quota.algorithm() == Algorithm::FixedWindow,
    }
}
