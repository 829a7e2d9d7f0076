//! Decisions, looks and what was taken, as plain numbers. Times are seconds.

use std::borrow::Cow;
use std::time::Duration;

use scupper::store::{Admission, Verdict};
use scupper::{Decision, Error, ErrorKind, Permit, Rate, Result, Snapshot, Source, Timestamp};

/// Under one rate: units in use, units that fit now, and how long until nothing is in use.
type RateNumbers = (u64, u64, f64);

/// For how long nobody is admitted, and how each rate is.
pub(crate) type Looked = (f64, Vec<RateNumbers>);

/// What was taken: the key of its bucket, its tick, its weight, its sequence, and who admitted it.
pub(crate) type Taken = (String, u64, u64, u64, u8);

/// A decision: whether it is admitted; units that fit now; how long to wait; whether it never fits; how long until nothing is in
/// use; the place of the rate that binds; what was taken; and who decided.
pub(crate) type Judged = (bool, Option<u64>, Option<f64>, bool, f64, Option<usize>, Option<Taken>, &'static str);

/// Who may decide, and their names in Python.
const SOURCES: [(Source, &str); 6] = [
    (Source::Store, "store"),
    (Source::Line, "line"),
    (Source::DenialCache, "denial_cache"),
    (Source::FailOpen, "fail_open"),
    (Source::FailClosed, "fail_closed"),
    (Source::Fallback, "fallback"),
];

pub(crate) fn looked(snapshot: &Snapshot) -> Looked {
    let since = |at: Timestamp| seconds(at.since(snapshot.now));
    let rates = snapshot.usage.iter().map(|usage| (usage.used, usage.remaining, since(usage.reset_at)));
    (snapshot.held_until.map_or(0.0, since), rates.collect())
}

/// Of a bucket that is asked itself.
pub(crate) fn judged(verdict: &Verdict, snapshot: &Snapshot) -> Judged {
    match verdict {
        Verdict::Admitted(admission) => admitted(taken("", *admission, Source::Store), Source::Store, snapshot),
        Verdict::Denied(denial) => denied(denial.retry_at.since(denial.now), denial.rate, Source::Store, snapshot),
        Verdict::NeverFits { rate } => never(Some(*rate), Source::Store, snapshot),
    }
}

/// Of a limiter under these rates.
pub(crate) fn told(decision: &Decision<'_>, snapshot: &Snapshot, rates: &[Rate]) -> Judged {
    let place = |rate| rates.iter().position(|other| *other == rate);
    match decision {
        Decision::Admitted(permit) => admitted(taken_by(permit), permit.source(), snapshot),
        Decision::Denied(denial) => {
            denied(denial.retry_after(), denial.binding_rate().and_then(place), denial.source(), snapshot)
        }
        Decision::NeverFits(misfit) => never(place(misfit.rate()), decision.source(), snapshot),
    }
}

fn admitted(taken: Taken, source: Source, snapshot: &Snapshot) -> Judged {
    // The first of equals.
    let rates = snapshot.usage.iter().enumerate();
    let tightest = rates.min_by_key(|(_, usage)| usage.remaining).map(|(place, _)| place);
    (true, left(snapshot), None, false, seconds(snapshot.reset_after()), tightest, Some(taken), name_of(source))
}

fn denied(retry_after: Duration, rate: Option<usize>, source: Source, snapshot: &Snapshot) -> Judged {
    let retry_after = Some(seconds(retry_after));
    (false, left(snapshot), retry_after, false, seconds(snapshot.reset_after()), rate, None, name_of(source))
}

fn never(rate: Option<usize>, source: Source, snapshot: &Snapshot) -> Judged {
    (false, left(snapshot), None, true, seconds(snapshot.reset_after()), rate, None, name_of(source))
}

fn place_of(source: Source) -> usize {
    SOURCES.iter().position(|(other, _)| *other == source).unwrap_or_default()
}

fn name_of(source: Source) -> &'static str {
    SOURCES[place_of(source)].1
}

fn left(snapshot: &Snapshot) -> Option<u64> {
    (!snapshot.usage.is_empty()).then(|| snapshot.remaining())
}

pub(crate) fn taken_by(permit: &Permit<'_>) -> Taken {
    let admission = Admission { tick: permit.tick(), weight: permit.weight(), sequence: permit.sequence() };
    taken(permit.key(), admission, permit.source())
}

pub(crate) fn taken(key: &str, admission: Admission, source: Source) -> Taken {
    let source = u8::try_from(place_of(source)).unwrap_or_default();
    (key.to_owned(), admission.tick.as_micros(), admission.weight, admission.sequence, source)
}

pub(crate) fn admission_of((_, tick, weight, sequence, _): &Taken) -> Admission {
    Admission { tick: Timestamp::from_micros(*tick), weight: *weight, sequence: *sequence }
}

/// What is to be given back where so many units are kept: the last ones, as those that stay were counted before them. Nothing where
/// all of them are.
pub(crate) fn rest_of((key, tick, weight, sequence, source): Taken, kept: u64) -> Option<Taken> {
    let rest = weight.saturating_sub(kept);
    (rest > 0).then_some((key, tick, rest, sequence, source))
}

/// The permit that these numbers were made of.
pub(crate) fn permit_of(taken: &Taken) -> Result<Permit<'_>> {
    let (source, _) = SOURCES.get(usize::from(taken.4)).copied().ok_or_else(|| {
        Error::new(ErrorKind::InvalidRequest, format!("{} is nobody who could have admitted a request", taken.4))
    })?;
    Ok(Permit::restored(Cow::Borrowed(&taken.0), admission_of(taken), source))
}

/// Never less than it is to the microsecond, and exact for whole seconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    const MICROS: f64 = 1_000_000.0;
    let (seconds, micros) = (duration.as_secs_f64(), duration.as_secs_f64() * MICROS);
    // With one rounding for both, the sign is right.
    if seconds.mul_add(MICROS, -micros.round()) < 0.0 { seconds.next_up() } else { seconds }
}
