//! What is asked of both sides.

use std::fmt;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::Standing;
use crate::store::redis::differential::lists::{quota, quotas, rates, scales, that_go_together, wild_rate};

#[derive(Clone)]
pub(super) struct Case {
    pub(super) quotas: Vec<Quota>,
    /// Where time begins.
    pub(super) start: u64,
    pub(super) whose: Whose,
    /// So many steps go out in one batch.
    pub(super) together: usize,
    pub(super) steps: Vec<Step>,
}

impl fmt::Debug for Case {
    /// In one line: a case that fails is told operation by operation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps from {}, at the time of {:?}, under {:?}",
            self.steps.len(),
            self.start,
            self.whose,
            self.quotas
        )
    }
}

/// By whose time is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Server,
    /// The server's is so far off, and either goes on with theirs or stands still.
    Callers {
        ahead: i64,
        goes_on: bool,
    },
    Either {
        ahead: i64,
    },
}

/// One operation, before its numbers are put to the bucket.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) key: usize,
    pub(super) quota: usize,
    pub(super) is_own_time: bool,
    pub(super) clock: Clock,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    Stays,
    Ticks(u64),
    /// Hundredths of the shortest interval.
    Forward(u64),
    Back(u64),
    /// To the next tick but so many at which something changes; 1 is that tick, 0 the one before it, 2 the one after.
    Edge(usize, u64),
    /// The same where it would be too far back.
    EdgeBack(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// So many acquires that are alike, each of hundredths of what fits.
    Acquire(u64, usize, Standing),
    Peek,
    /// Of the newest permit but so many; with a tick and a sequence that differ by so much.
    Refund {
        which: usize,
        share: u64,
        tick: i64,
        sequence: i64,
    },
    Penalize(u64),
    Reset,
    Hold(u64),
    Owes,
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![2 => Just(Standing::Alone), 1 => Just(Standing::Passing), 1 => Just(Standing::Waiting)]
}

/// So many steps within a few windows for one that goes further back.
fn clock(near: u32) -> impl Strategy<Value = Clock> {
    let back = prop_oneof![(120_u64..900).prop_map(Clock::Back), (0_u64..3).prop_map(Clock::EdgeBack)];
    let step = prop_oneof![
        5 => Just(Clock::Stays),
        1 => (1_u64..4).prop_map(Clock::Ticks),
        3 => (0_u64..60).prop_map(Clock::Forward),
        2 => (60_u64..400).prop_map(Clock::Forward),
        5 => (0_usize..4, 0_u64..3).prop_map(|(nth, side)| Clock::Edge(nth, side)),
        1 => (0_u64..120).prop_map(Clock::Back),
    ];
    prop_oneof![near => step, 1 => back]
}

fn what() -> impl Strategy<Value = What> {
    let off = || prop_oneof![12 => Just(0_i64), 1 => -2_i64..3];
    let refund = (0_usize..9, 0_u64..130, off(), off());
    prop_oneof![
        8 => (0_u64..120, standing()).prop_map(|(share, standing)| What::Acquire(share, 1, standing)),
        4 => (0_u64..60, 1_usize..9, standing()).prop_map(|(share, count, standing)| What::Acquire(share, count, standing)),
        4 => Just(What::Acquire(0, 1, Standing::Alone)),
        3 => Just(What::Peek),
        4 => refund.prop_map(|(which, share, tick, sequence)| What::Refund { which, share, tick, sequence }),
        2 => (0_u64..150).prop_map(What::Penalize),
        1 => Just(What::Reset),
        1 => (0_u64..300).prop_map(What::Hold),
        1 => Just(What::Owes),
    ]
}

fn step(clock: impl Strategy<Value = Clock>) -> impl Strategy<Value = Step> {
    let key = prop_oneof![8 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    (key, any::<u8>(), any::<bool>(), clock, what()).prop_map(|(key, quota, is_own_time, clock, what)| Step {
        key,
        quota: quota.into(),
        is_own_time,
        clock,
        what,
    })
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0_u64),
        0_u64..5_000,
        Just(1_790_000_000_123_457),
        Just((1 << 53) - 400_000_000_000_000),
        Just((1 << 53) - 400_000),
    ]
}

/// All operations, one by one and together, under any lists of rates in any order.
pub(super) fn anything() -> impl Strategy<Value = Case> {
    let ahead = || prop_oneof![Just(0_i64), -100_i64..100, Just(1_790_000_000_000_000), Just(-4_000_000_000_000)];
    let whose = prop_oneof![
        3 => Just(Whose::Server),
        2 => (ahead(), any::<bool>()).prop_map(|(ahead, goes_on)| Whose::Callers { ahead, goes_on }),
        1 => ahead().prop_map(|ahead| Whose::Either { ahead }),
    ];
    let together = prop_oneof![2 => Just(1_usize), 1 => 2_usize..7];
    let parts = (quotas(), start(), whose, together, vec(step(clock(9)), 1..60));
    parts.prop_map(|(quotas, start, whose, together, steps)| Case { quotas, start, whose, together, steps })
}

/// What most buckets see: one list, at the server's time, and little but acquires. Such take the short way.
pub(super) fn plain() -> impl Strategy<Value = Case> {
    let acquire = |share, count, standing| What::Acquire(share, count, standing);
    let what = prop_oneof![
        8 => (0_u64..130, standing()).prop_map(move |(share, standing)| acquire(share, 1, standing)),
        5 => (0_u64..50, 1_usize..9, standing()).prop_map(move |(share, count, standing)| acquire(share, count, standing)),
        12 => Just(What::Acquire(0, 1, Standing::Alone)),
        1 => Just(What::Peek),
        1 => (0_usize..9).prop_map(|which| What::Refund { which, share: 100, tick: 0, sequence: 0 }),
        1 => (0_u64..150).prop_map(What::Penalize),
    ];
    let what = prop_oneof![200 => what, 1 => prop_oneof![Just(What::Reset), (0_u64..100).prop_map(What::Hold)]];
    let steps = (step(clock(300)), what).prop_map(|(step, what)| Step { what, ..step });
    let rates = prop_oneof![5 => scales().prop_flat_map(rates), 1 => wild_rate()];
    let quotas = (0_usize..3, rates, 0_u64..40);
    let quotas = quotas.prop_map(|(algorithm, rates, burst)| vec![quota(Algorithm::ALL[algorithm], rates, burst)]);
    let together = prop_oneof![3 => Just(1_usize), 1 => 2_usize..5];
    let parts = (quotas, start(), together, vec(steps, 1..120));
    parts.prop_map(|(quotas, start, together, steps)| Case { quotas, start, whose: Whose::Server, together, steps })
}

/// What happens for a while, so that a log gets long, wraps around, runs dry.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Single units, so many ticks apart.
    Singles(usize, u64),
    /// Single units, each when there is room again, or a tick earlier or later.
    Hover(usize, u64),
    Weights(usize, u64),
    /// Permits, from the newest but so many on.
    Refunds(usize, usize),
    Penalties(usize, u64),
    Once(Clock, What),
}

impl Phase {
    fn steps(self) -> Vec<Step> {
        let single = What::Acquire(0, 1, Standing::Alone);
        let (count, clock, what) = match self {
            Self::Singles(count, ticks) => (count, Clock::Ticks(ticks), single),
            Self::Hover(count, side) => (count, Clock::Edge(0, side), single),
            Self::Weights(count, share) => (count, Clock::Ticks(2), What::Acquire(share, 1, Standing::Alone)),
            Self::Refunds(count, which) => {
                (count, Clock::Stays, What::Refund { which, share: 100, tick: 0, sequence: 0 })
            }
            Self::Penalties(count, share) => (count, Clock::Ticks(1), What::Penalize(share)),
            Self::Once(clock, what) => (1, clock, what),
        };
        vec![Step { key: 0, quota: 0, is_own_time: true, clock, what }; count]
    }
}

/// Logs that are long, of many single units.
pub(super) fn long_logs() -> impl Strategy<Value = Case> {
    let phase = prop_oneof![
        6 => (1_usize..80, 1_u64..3).prop_map(|(count, ticks)| Phase::Singles(count, ticks)),
        4 => (1_usize..60, 0_u64..3).prop_map(|(count, side)| Phase::Hover(count, side)),
        1 => (1_usize..30, 0_u64..12).prop_map(|(count, share)| Phase::Weights(count, share)),
        2 => (1_usize..6, 0_usize..200).prop_map(|(count, which)| Phase::Refunds(count, which)),
        1 => (1_usize..30, 0_u64..4).prop_map(|(count, share)| Phase::Penalties(count, share)),
        3 => (clock(20), what()).prop_map(|(clock, what)| Phase::Once(clock, what)),
    ];
    let quota = (5_u64..200, 1_u64..5, prop_oneof![Just(None), (2_u64..4, 1_u64..4).prop_map(Some)]);
    let quota = quota.prop_map(|(limit, pace, longer)| {
        let rate = |limit, interval| Rate::new(limit, Duration::from_micros(interval)).unwrap();
        let second = longer.map(|(times, slower)| rate(limit * times, limit * pace * times * (slower + 1) / 2 + 1));
        let rates = that_go_together([rate(limit, limit * pace)].into_iter().chain(second));
        Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
    });
    let whose = prop_oneof![
        4 => Just(Whose::Server),
        1 => Just(Whose::Callers { ahead: 0, goes_on: true }),
    ];
    let together = prop_oneof![6 => Just(1_usize), 1 => 2_usize..9];
    let parts = (quota, start(), whose, together, vec(phase, 4..16));
    parts.prop_map(|(quota, start, whose, together, phases)| Case {
        quotas: vec![quota],
        start: start.max(1),
        whose,
        together,
        steps: phases.into_iter().flat_map(Phase::steps).collect(),
    })
}
