//! Who asked when, and was served when.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All that the waiters of one run did, until enough units were granted.
#[derive(Debug)]
pub(crate) struct Visits {
    most: usize,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    all: Vec<Visit>,
    granted: usize,
}

/// One request, which some still wait for when the run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) waiter: usize,
    pub(crate) asked: Instant,
    pub(crate) granted: Option<Instant>,
}

/// What a clock that is read just before or after tells nothing about: that much later, one certainly came later.
const SLACK: Duration = Duration::from_millis(50);

impl Visits {
    pub(crate) fn new(most: u32) -> Self {
        Self { most: most as usize, log: Mutex::default() }
    }

    /// One asks; nothing if there is nothing more to ask for.
    pub(crate) fn ask(&self, waiter: usize) -> Option<usize> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let number = log.all.len();
        let goes_on = log.granted < self.most;
        goes_on.then(|| log.all.push(Visit { waiter, asked: Instant::now(), granted: None }))?;
        Some(number)
    }

    /// One is served; says whether it was the last one that counts. What is granted after it does not.
    pub(crate) fn grant(&self, number: usize) -> bool {
        let now = Instant::now();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.granted == self.most {
            return false;
        }
        log.granted += 1;
        log.all[number].granted = Some(now);
        log.granted == self.most
    }

    pub(crate) fn all(self) -> Vec<Visit> {
        self.log.into_inner().unwrap_or_else(PoisonError::into_inner).all
    }
}

/// The largest number of grants that one waiter got, less the smallest.
pub(crate) fn inequality(visits: &[Visit], waiters: usize) -> usize {
    let share = |waiter| visits.iter().filter(|visit| visit.waiter == waiter && visit.granted.is_some()).count();
    let shares = || (0..waiters).map(share);
    shares().max().unwrap_or(0) - shares().min().unwrap_or(0)
}

/// The largest number of grants that went past one request: to requests that were made later, and served earlier.
pub(crate) fn overtaken(visits: &[Visit]) -> usize {
    let went_past = |one: &Visit, other: &Visit| {
        let later = other.asked > one.asked + SLACK;
        later && other.granted.is_some_and(|granted| one.granted.is_none_or(|own| own > granted + SLACK))
    };
    let passed = |one| visits.iter().filter(|other| went_past(one, other)).count();
    visits.iter().map(passed).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visits(times: &[(usize, u64, Option<u64>)]) -> Vec<Visit> {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let visit = |&(waiter, asked, granted): &(_, _, Option<u64>)| Visit {
            waiter,
            asked: at(asked),
            granted: granted.map(at),
        };
        times.iter().map(visit).collect()
    }

    #[test]
    fn one_that_is_passed_twice_is_seen_and_so_is_one_that_is_never_served() {
        let order = [(0, 0, Some(1_000)), (1, 100, Some(1_010)), (2, 200, Some(2_000))];
        assert_eq!(overtaken(&visits(&order)), 0);
        let passed = [(0, 0, Some(1_000)), (1, 100, Some(500)), (1, 510, Some(600)), (2, 2_000, Some(2_001))];
        assert_eq!(overtaken(&visits(&passed)), 2);
        let starved = [(0, 0, None), (1, 100, Some(500)), (1, 510, Some(600)), (2, 700, Some(2_001))];
        assert_eq!(overtaken(&visits(&starved)), 3);
    }

    #[test]
    fn shares_are_equal_if_all_got_as_much() {
        assert_eq!(inequality(&visits(&[(0, 0, Some(1)), (1, 0, Some(1))]), 2), 0);
        assert_eq!(inequality(&visits(&[(0, 0, Some(1)), (0, 0, Some(1)), (1, 0, None)]), 2), 2);
    }

    #[test]
    fn no_more_are_counted_than_were_asked_for() {
        let visits = Visits::new(1);
        let (first, second) = (visits.ask(0).unwrap(), visits.ask(1).unwrap());
        assert!(visits.grant(second));
        assert!(!visits.grant(first));
        assert_eq!(visits.ask(0), None);
        assert_eq!(visits.all().iter().filter(|visit| visit.granted.is_some()).count(), 1);
    }
}
