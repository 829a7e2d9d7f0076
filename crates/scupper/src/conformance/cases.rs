//! Random quotas and traces, made so that ticks collide and fall on the edges of windows.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::rates::Rates;

/// A bucket's life.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    /// The lists of rates that are used on the bucket.
    pub(super) quotas: Vec<Quota>,
    /// Its first tick.
    pub(super) start: u64,
    /// How many steps go to the store together.
    pub(super) together: usize,
    pub(super) steps: Vec<Step>,
}

/// An operation, after a movement of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) clock: Movement,
    pub(super) what: What,
    /// Which of the quotas it brings.
    pub(super) quota: usize,
}

/// How the clock moves before a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Movement {
    Stay,
    /// By so many hundredths of the shortest interval.
    Forward(u64),
    /// To a tick at which the answer can change, or one tick beside it.
    Edge(usize, i64),
    /// Back by so many hundredths of what stands still.
    Back(u64),
    /// Back by what stands still and so many ticks more.
    BackBeyond(u64),
}

/// What a step asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Acquire(Weight),
    Peek,
    Refund(usize),
    Penalize(Weight),
    Reset,
    /// Holds for so many hundredths of the shortest interval.
    Hold(u32),
    /// An acquire under another algorithm.
    Foreign,
}

/// A weight, for rates of any size.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    Units(u64),
    /// Hundredths of the heaviest that fits.
    Share(u64),
    /// So much more than ever fits.
    Over(u64),
}

impl Weight {
    pub(super) fn units(self, quota: &Quota) -> u64 {
        match self {
            Self::Units(units) => units.min(quota.capacity()),
            Self::Share(hundredths) => (quota.capacity() * hundredths / 100).max(1),
            Self::Over(units) => quota.capacity() + units,
        }
    }
}

/// Any quota of one to four rates.
pub(super) fn quotas() -> impl Strategy<Value = Quota> {
    let algorithm = prop_oneof![
        2 => Just(Algorithm::SlidingWindowLog),
        1 => Just(Algorithm::FixedWindow),
        2 => Just(Algorithm::Gcra),
    ];
    (algorithm, rates(), vec(0_u64..30, 4)).prop_map(|(algorithm, rates, bursts)| match algorithm {
        Algorithm::Gcra => {
            let bursty = |(rate, burst): (&Rate, &u64)| {
                let burst = if burst % 2 == 0 { rate.limit() } else { 1 + burst % (2 * rate.limit()) };
                rate.with_burst(burst).unwrap()
            };
            Quota::new(algorithm, Rates::new(rates.iter().zip(&bursts).map(bursty)).unwrap()).unwrap()
        }
        _ => Quota::new(algorithm, rates).unwrap(),
    })
}

/// Any list of one to four rates that go together.
pub(super) fn rates() -> impl Strategy<Value = Rates> {
    let scales = (
        prop_oneof![3 => Just(1), 1 => Just(7), 1 => Just(1_000), 1 => Just(60_000_000)],
        prop_oneof![4 => Just(1), 1 => Just(1_000), 1 => Just(999_999_937)],
    );
    (scales, vec((1_u64..20, 1_u64..7), 1..=4)).prop_map(|((tick, unit), steps)| {
        let (mut interval, mut limit) = (0, 0);
        let rates = steps.iter().map(|(longer, larger)| {
            if limit == 0 {
                (interval, limit) = (*longer, *larger);
            } else {
                // Longer by enough for one unit more, at most at the same ratio.
                let longest = interval + (*longer).max(u64::div_ceil(interval, limit));
                let most = limit * longest / interval;
                (interval, limit) = (longest, limit + 1 + (larger - 1) % (most - limit));
            }
            Rate::new(limit * unit, Duration::from_micros(interval * tick)).unwrap()
        });
        Rates::new(rates).unwrap()
    })
}

/// Lists of rates for one log that remember for the same time, so that what a change finds is certain.
pub(super) fn lists_of_one_log() -> impl Strategy<Value = Vec<Quota>> {
    vec(rates(), 2..4).prop_map(|lists| {
        let longest = lists.iter().flatten().map(Rate::interval).max().unwrap() + Duration::from_micros(40);
        let alike = |list: Rates| {
            let last = list.last().unwrap();
            // The next larger limit, if the ratio allows; a longest rate alone otherwise.
            let longest = Rate::new(last.limit() + 1, longest).unwrap();
            let grown = Rates::new(list.iter().copied().chain([longest]));
            Quota::new(Algorithm::SlidingWindowLog, grown.unwrap_or_else(|_| longest.into())).unwrap()
        };
        lists.into_iter().map(alike).collect()
    })
}

/// Any trace under these quotas.
pub(super) fn traces(quotas: impl Strategy<Value = Vec<Quota>>) -> impl Strategy<Value = Trace> {
    let start = prop_oneof![Just(0), 0_u64..2_000, Just(1_780_000_000_123_456), Just((1 << 53) - 1_000_000_000_000),];
    (quotas, start, 1_usize..6, vec(steps(), 1..40)).prop_map(|(quotas, start, together, mut steps)| {
        for step in &mut steps {
            step.quota %= quotas.len();
        }
        Trace { quotas, start, together, steps }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    (movements(), whats(), any::<u8>()).prop_map(|(clock, what, quota)| Step { clock, what, quota: quota.into() })
}

pub(super) fn movements() -> impl Strategy<Value = Movement> {
    prop_oneof![
        6 => Just(Movement::Stay),
        4 => (0_u64..150).prop_map(Movement::Forward),
        6 => (0_usize..8, -1_i64..=1).prop_map(|(which, beside)| Movement::Edge(which, beside)),
        1 => (0_u64..=100).prop_map(Movement::Back),
        1 => (0_u64..50).prop_map(Movement::BackBeyond),
    ]
}

pub(super) fn weights() -> impl Strategy<Value = Weight> {
    prop_oneof![
        6 => (1_u64..4).prop_map(Weight::Units),
        3 => (1_u64..=100).prop_map(Weight::Share),
        1 => (1_u64..3).prop_map(Weight::Over),
    ]
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        12 => weights().prop_map(What::Acquire),
        3 => Just(What::Peek),
        3 => (0_usize..4).prop_map(What::Refund),
        1 => weights().prop_map(What::Penalize),
        1 => Just(What::Reset),
        1 => (0_u32..250).prop_map(What::Hold),
        1 => Just(What::Foreign),
    ]
}
