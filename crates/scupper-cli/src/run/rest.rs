use std::time::Duration;

/// Sleeps so long. A machine that is suspended meanwhile does not sleep longer by that: stores count on as well.
#[cfg(target_os = "linux")]
pub(super) fn sleep(time: Duration) {
    use rustix::thread::{ClockId, NanosleepRelativeResult, clock_nanosleep_relative};

    let mut left = time.try_into();
    while let Ok(time) = left {
        match clock_nanosleep_relative(ClockId::Boottime, &time) {
            NanosleepRelativeResult::Interrupted(rest) => left = Ok(rest),
            NanosleepRelativeResult::Ok => return,
            NanosleepRelativeResult::Err(_) => break,
        }
    }
    std::thread::sleep(time);
}

/// Sleeps so long.
#[cfg(not(target_os = "linux"))]
pub(super) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// What the clock reads by which [`sleep`] sleeps.
#[cfg(target_os = "linux")]
pub(super) fn clock() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
}

/// What the clock reads by which [`sleep`] sleeps.
#[cfg(not(target_os = "linux"))]
pub(super) fn clock() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_no_shorter_than_it_should() {
        for time in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(20)] {
            let start = clock();
            sleep(time);
            assert!(clock() >= start + time);
        }
    }
}
