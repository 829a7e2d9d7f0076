//! A bucket as plain objects, for pickles.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::decider::Decider;
use crate::errors::raised;
use crate::kept::Denial;
use crate::labels::Label;
use crate::quota::{Numbers, algorithm_of, name_of, numbers_of, quota_of};

/// A label: its name, its time in milliseconds, its weight.
pub(crate) type Item = (Py<PyAny>, i64, u64);

/// A denial: the weight of the request, the place of the rate, the time to come back in milliseconds, or -1 for never.
pub(crate) type DenialNumbers = (u64, usize, i64);

/// A bucket as plain objects: its algorithm, rates, state, labels with their sequence, last denial, and whether it is plain.
pub(crate) type Dump<'py> =
    (String, Vec<Numbers>, (Bound<'py, PyBytes>, u64), Vec<(Item, u64)>, Option<DenialNumbers>, bool);

pub(crate) fn dumped<'py>(py: Python<'py>, decider: &Decider, is_plain: bool) -> Dump<'py> {
    let kept = decider.kept();
    let (quota, (bytes, latest)) = (kept.quota.clone(), kept.state());
    let labels = kept.labels.iter().map(|label| (item(py, label), label.sequence)).collect();
    let denial = kept.denial.map(denial_to_numbers);
    drop(kept);
    let state = (PyBytes::new(py, &bytes), latest);
    (name_of(quota.algorithm()), numbers_of(&quota), state, labels, denial, is_plain)
}

/// One that goes on from there, and whether it is plain.
pub(crate) fn loaded(state: Dump<'_>) -> PyResult<(Decider, bool)> {
    let (algorithm, rates, (bytes, latest), labels, denial, is_plain) = state;
    let quota = quota_of(rates, algorithm_of(&algorithm)?)?;
    let label = |((name, tick_ms, weight), sequence)| Label { name, tick_ms, weight, sequence };
    let labels = labels.into_iter().map(label).collect();
    let denial = denial.map(|(weight, rate, retry_at_ms)| Denial { weight, rate, retry_at_ms });
    let decider = Decider::restored(quota, &(bytes.as_bytes().to_vec(), latest), labels, denial);
    Ok((decider.map_err(|error| raised(&error))?, is_plain))
}

pub(crate) fn item(py: Python<'_>, label: &Label) -> Item {
    (label.name.clone_ref(py), label.tick_ms, label.weight)
}

pub(crate) fn denial_to_numbers(denial: Denial) -> DenialNumbers {
    (denial.weight, denial.rate, denial.retry_at_ms)
}
