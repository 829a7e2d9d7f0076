use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How fast something grows: over the last seconds, not since the beginning.
#[derive(Debug)]
pub(super) struct Speed {
    samples: VecDeque<(Instant, u64)>,
}

impl Speed {
    const SPAN: Duration = Duration::from_secs(5);
    /// What comes sooner replaces the newest sample, so that their number is bounded.
    const STEP: Duration = Duration::from_millis(50);

    /// Nothing so far.
    pub(super) fn new(now: Instant) -> Self {
        Self { samples: VecDeque::from([(now, 0)]) }
    }

    /// Notes how much there is now, and gives the growth per second.
    pub(super) fn note(&mut self, now: Instant, total: u64) -> f64 {
        let last_but_one = self.samples.iter().nth_back(1);
        if last_but_one.is_some_and(|(at, _)| now.duration_since(*at) < Self::STEP) {
            self.samples.pop_back();
        }
        self.samples.push_back((now, total));
        // The newest of those that are too old is kept: the span begins with it.
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Self::SPAN) {
            self.samples.pop_front();
        }
        let (start, before) = self.samples[0];
        // What began just now is no faster than it is in a second.
        let seconds = now.duration_since(start).as_secs_f64().max(1.0);
        #[allow(clippy::cast_precision_loss, reason = "it is shown with one digit after the point")]
        let grown = total.saturating_sub(before) as f64;
        grown / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speeds(per_step: impl Fn(u64) -> u64, step: Duration, steps: u64) -> (Speed, f64) {
        let start = Instant::now();
        let mut speed = Speed::new(start);
        let mut total = 0;
        let mut last = 0.0;
        for index in 0..steps {
            total += per_step(index);
            last = speed.note(start + step * u32::try_from(index).unwrap(), total);
        }
        (speed, last)
    }

    #[test]
    fn a_first_burst_counts_as_what_a_second_brought() {
        let (_, speed) = speeds(|index| if index == 0 { 7 } else { 0 }, Duration::from_millis(100), 3);
        assert!((speed - 7.0).abs() < f64::EPSILON, "{speed}");
    }

    #[test]
    fn a_steady_flow_has_its_own_speed() {
        let (_, speed) = speeds(|_| 3, Duration::from_millis(100), 1_000);
        assert!((speed - 30.0).abs() < 0.01, "{speed}");
    }

    #[test]
    fn a_flow_that_stopped_has_none_after_the_span() {
        let (_, speed) = speeds(|index| u64::from(index < 100), Duration::from_millis(100), 200);
        assert!(speed.abs() < f64::EPSILON, "{speed}");
    }

    #[test]
    fn the_number_of_samples_is_bounded() {
        let (speed, per_second) = speeds(|_| 1, Duration::from_micros(100), 200_000);
        assert!(speed.samples.len() <= 102, "{}", speed.samples.len());
        assert!((per_second - 10_000.0).abs() < 1.0, "{per_second}");
    }
}
