//! What is asked of both sides.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::{Just, prop_oneof};
use proptest::strategy::Strategy;

use crate::quota::Quota;
use crate::store::batch::Standing;
use crate::store::postgres::differential::layout::Layout;
use crate::store::postgres::differential::lists::{logs, quotas};

#[derive(Clone)]
pub(super) struct Case {
    pub(super) quotas: Vec<Quota>,
    /// Where time begins.
    pub(super) start: u64,
    pub(super) layout: Layout,
    pub(super) steps: Vec<Step>,
}

impl fmt::Debug for Case {
    /// In short: a case that fails is told call by call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quotas, start, layout, steps } = self;
        write!(f, "{} steps from {start}, under {quotas:?}, {layout:?}", steps.len())
    }
}

/// One call, before its numbers are put to the buckets.
#[derive(Clone, Debug)]
pub(super) struct Step {
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

#[derive(Clone, Debug)]
pub(super) enum What {
    /// Of some of the buckets each, of which one follows another.
    Acquire(Vec<Vec<Asked>>),
    /// No matter of the function; of this bucket.
    Other(usize, Other),
}

/// Acquires that are alike, of hundredths of what fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) share: u64,
    pub(super) count: u32,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Other {
    Penalize(u64),
    /// Of the newest permit but so many.
    Refund(usize),
    Hold(u64),
    Reset,
    /// At a time of the caller's.
    OwnTime,
    /// Under the rates of another list.
    AnotherList,
}

fn clock(near: u32) -> impl Strategy<Value = Clock> {
    let back = prop_oneof![(120_u64..900).prop_map(Clock::Back), (0_u64..3).prop_map(Clock::EdgeBack)];
    let step = prop_oneof![
        5 => Just(Clock::Stays),
        2 => (1_u64..4).prop_map(Clock::Ticks),
        3 => (0_u64..60).prop_map(Clock::Forward),
        2 => (60_u64..400).prop_map(Clock::Forward),
        5 => (0_usize..4, 0_u64..3).prop_map(|(nth, side)| Clock::Edge(nth, side)),
        1 => (0_u64..100).prop_map(Clock::Back),
    ];
    prop_oneof![near => step, 1 => back]
}

fn asked() -> impl Strategy<Value = Asked> {
    let standing = prop_oneof![2 => Just(Standing::Alone), 1 => Just(Standing::Passing), 1 => Just(Standing::Waiting)];
    let count = prop_oneof![6 => Just(1_u32), 3 => 2_u32..9, 1 => 9_u32..70, 1 => Just(i32::MAX.cast_unsigned())];
    let share = prop_oneof![4 => Just(0_u64), 4 => 0_u64..40, 2 => 0_u64..130];
    (share, count, standing).prop_map(|(share, count, standing)| Asked { share, count, standing })
}

fn acquire() -> impl Strategy<Value = What> {
    let run = || prop_oneof![3 => vec(asked(), 1..2), 1 => vec(asked(), 2..6)];
    prop_oneof![3 => vec(run(), 1..2), 1 => vec(run(), 2..4)].prop_map(What::Acquire)
}

fn other() -> impl Strategy<Value = What> {
    let other = prop_oneof![
        3 => (0_u64..150).prop_map(Other::Penalize),
        3 => (0_usize..9).prop_map(Other::Refund),
        2 => (0_u64..200).prop_map(Other::Hold),
        1 => Just(Other::Reset),
        1 => Just(Other::OwnTime),
        1 => Just(Other::AnotherList),
    ];
    (0_usize..3, other).prop_map(|(key, other)| What::Other(key, other))
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0_u64),
        1 => 0_u64..5_000,
        4 => Just(1_790_000_000_123_457),
        1 => Just((1 << 53) - 400),
        1 => Just((1 << 61) - 400_000_000_000_000),
        1 => Just((1 << 61) - 40),
    ]
}

fn layout() -> impl Strategy<Value = Layout> {
    let parts = (0_usize..17, 1_usize..65, prop_oneof![Just(0_u64), 0_u64..1_000, Just(1 << 52)], 0_usize..5);
    (parts, 0_u64..9, 0_u32..3).prop_map(|((recent, chunk, base, gone), first, spare)| Layout {
        recent,
        chunk,
        base,
        gone,
        first,
        spare,
    })
}

/// Buckets of all kinds, and now and then something that is no matter of the function.
pub(super) fn anything() -> impl Strategy<Value = Case> {
    let what = prop_oneof![12 => acquire(), 1 => other()];
    let steps = (clock(40), what).prop_map(|(clock, what)| Step { clock, what });
    let parts = (vec(quotas(), 1..3), start(), layout(), vec(steps, 1..60));
    parts.prop_map(|(quotas, start, layout, steps)| Case { quotas, start, layout, steps })
}

/// What happens for a while, so that a log gets long, wraps around, runs dry.
#[derive(Clone, Debug)]
enum Phase {
    /// Single units, so many ticks apart.
    Singles(usize, u64),
    /// Single units, each when there is room again, or a tick earlier or later.
    Hover(usize, u64),
    Weights(usize, u64, u32),
    Once(Step),
}

impl Phase {
    fn steps(self) -> Vec<Step> {
        let of = |share, count| What::Acquire(vec![vec![Asked { share, count, standing: Standing::Alone }]]);
        match self {
            Self::Singles(count, ticks) => vec![Step { clock: Clock::Ticks(ticks), what: of(0, 1) }; count],
            Self::Hover(count, side) => vec![Step { clock: Clock::Edge(0, side), what: of(0, 1) }; count],
            Self::Weights(count, share, alike) => vec![Step { clock: Clock::Ticks(2), what: of(share, alike) }; count],
            Self::Once(step) => vec![step],
        }
    }
}

/// Logs that are long.
pub(super) fn long_logs() -> impl Strategy<Value = Case> {
    let once = (clock(20), prop_oneof![4 => acquire(), 1 => other()]).prop_map(|(clock, what)| Step { clock, what });
    let phase = prop_oneof![
        6 => (1_usize..120, 1_u64..3).prop_map(|(count, ticks)| Phase::Singles(count, ticks)),
        4 => (1_usize..90, 0_u64..3).prop_map(|(count, side)| Phase::Hover(count, side)),
        2 => (1_usize..40, 0_u64..6, 1_u32..4).prop_map(|(count, share, alike)| Phase::Weights(count, share, alike)),
        3 => once.prop_map(Phase::Once),
    ];
    let parts = (logs(), prop_oneof![0_u64..5_000, Just(1_790_000_000_123_457)], layout(), vec(phase, 4..16));
    parts.prop_map(|(quota, start, layout, phases)| Case {
        quotas: vec![quota],
        start,
        layout,
        steps: phases.into_iter().flat_map(Phase::steps).collect(),
    })
}
