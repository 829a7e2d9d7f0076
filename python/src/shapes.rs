//! What the core tells of a bucket, as plain objects. Times are seconds.

use pyo3::prelude::*;
use scupper::{Decision, Limiter, Rate, Snapshot};

use crate::permit::Permit;

/// Whether the units were taken, how many more would fit, when to come back, whether that is never, when nothing is in use any
/// more, the place of the rate that says so, and what was taken.
pub(crate) type Verdict = (bool, Option<u64>, Option<f64>, bool, f64, Option<usize>, Option<Py<Permit>>);

/// How long the bucket is held, and of each rate the units in use, those that would fit, and when none is in use any more.
pub(crate) type Usages = (f64, Vec<(u64, u64, f64)>);

pub(crate) fn verdict(
    py: Python<'_>,
    limiter: &Limiter,
    rates: &[Rate],
    decision: Decision<'_>,
    snapshot: &Snapshot,
) -> PyResult<Verdict> {
    let is_seen = !snapshot.usage.is_empty();
    let remaining = is_seen.then(|| snapshot.remaining());
    let reset_after = snapshot.reset_after().as_secs_f64();
    let place = |binding: Option<Rate>| rates.iter().position(|rate| Some(*rate) == binding);
    Ok(match decision {
        Decision::Admitted(permit) => {
            let least = snapshot.usage.iter().enumerate().min_by_key(|(_, usage)| usage.remaining);
            let permit = Py::new(py, Permit::new(limiter, permit))?;
            (true, remaining, None, false, reset_after, least.map(|(place, _)| place), Some(permit))
        }
        Decision::Denied(denied) => {
            let retry_after = Some(denied.retry_after().as_secs_f64());
            (false, remaining, retry_after, false, reset_after, place(denied.binding_rate()), None)
        }
        Decision::NeverFits(never) => (false, remaining, None, true, reset_after, place(Some(never.rate())), None),
    })
}

/// The same with a key of its own.
pub(crate) fn owned(decision: Decision<'_>) -> Decision<'static> {
    match decision {
        Decision::Admitted(permit) => Decision::Admitted(permit.into_owned()),
        Decision::Denied(denied) => Decision::Denied(denied),
        Decision::NeverFits(never) => Decision::NeverFits(never),
    }
}

pub(crate) fn usages(snapshot: &Snapshot) -> Usages {
    let seconds = |at: scupper::Timestamp| at.since(snapshot.now).as_secs_f64();
    let rates = snapshot.usage.iter().map(|usage| (usage.used, usage.remaining, seconds(usage.reset_at)));
    (snapshot.held_until.map_or(0.0, seconds), rates.collect())
}
