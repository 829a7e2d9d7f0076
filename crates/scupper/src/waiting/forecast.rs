use crate::pace::Span;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::time::Timestamp;

/// The earliest time at which the last of `units` can be admitted, if the first is not before `from`: no rate lets them pass
/// faster. A lower bound, as it knows nothing of what the bucket holds.
pub(super) fn earliest(quota: &Quota, from: Timestamp, units: u64) -> Timestamp {
    let by_rate = |rate: &Rate| earliest_under(*rate, quota.algorithm(), from.as_micros(), units.max(1));
    Timestamp::from_micros(quota.rates().iter().map(by_rate).max().unwrap_or_default())
}

fn earliest_under(rate: Rate, algorithm: Algorithm, from: u64, units: u64) -> u64 {
    let (limit, interval) = (rate.limit(), rate.interval_micros());
    // So many times the limit must have passed before the last one can.
    let rounds = (units - 1) / limit;
    match algorithm {
        // Windows are closed: the next round begins a tick after an interval.
        Algorithm::SlidingWindowLog => from.saturating_add(rounds.saturating_mul(interval.saturating_add(1))),
        // Where windows begin, the store's clock knows: the next one may begin at once.
        Algorithm::FixedWindow => from.saturating_add(rounds.saturating_sub(1).saturating_mul(interval)),
        Algorithm::Gcra => from.saturating_add(Span::of(units.saturating_sub(rate.burst()), rate).whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::Limiter;
    use crate::timer::{ManualTimer, Timer};

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn rounds_begin_where_the_algorithm_lets_them() {
        let from = at(1_300_000);
        let earliest =
            |algorithm, units| earliest(&Quota::new(algorithm, "5/s, 8/10s").unwrap(), from, units).as_micros();
        assert_eq!(
            [1, 5, 6, 8, 9].map(|units| earliest(Algorithm::SlidingWindowLog, units)),
            [1_300_000, 1_300_000, 2_300_001, 2_300_001, 11_300_001]
        );
        assert_eq!(
            [1, 6, 16, 17].map(|units| earliest(Algorithm::FixedWindow, units)),
            [1_300_000, 1_300_000, 3_300_000, 11_300_000]
        );
        assert_eq!(
            [1, 5, 6, 8].map(|units| earliest(Algorithm::Gcra, units)),
            [1_300_000, 1_300_000, 1_500_000, 1_900_000]
        );
    }

    #[test]
    fn promise_4_no_line_is_ever_faster_than_its_forecast() {
        for algorithm in Algorithm::ALL {
            let quota = Quota::new(algorithm, "3/s, 7/4s").unwrap();
            let timer = ManualTimer::auto_advancing();
            timer.set(at(777_777));
            let limiter = Limiter::builder().quota(&quota).timer(timer.clone()).build().unwrap();
            let (from, mut units) = (timer.now(), 0);
            for weight in [2, 3, 1, 1, 3, 2, 2, 1, 3, 3, 3] {
                units += weight;
                let permit = limiter.request("key").weight(weight).acquire().unwrap();
                let forecast = earliest(&quota, from, units);
                assert!(permit.tick() >= forecast, "{units} units at {} under {quota}: {forecast}", permit.tick());
            }
        }
    }
}
