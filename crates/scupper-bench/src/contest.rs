//! Sides that ask a server in turn.

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;

use crate::caller::{Caller, Run, Span, tasks};
use crate::harness::Plan;
use crate::row::{Row, Spread, Target};

/// What every request of a side must come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    Admitted,
    Denied,
    /// Some are admitted, at most so many in a run, and most are not.
    AtMost(usize),
}

/// One who asks, in a manner that can be timed.
pub(crate) struct Side<'a> {
    name: &'static str,
    expected: Expected,
    run: Box<dyn Fn(&Runtime, Span) -> Result<Run> + 'a>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        name: &'static str,
        expected: Expected,
        run: impl Fn(&Runtime, Span) -> Result<Run> + 'a,
    ) -> Self {
        Self { name, expected, run: Box::new(run) }
    }

    /// So many tasks; each gets a caller of its own, made for its number.
    pub(crate) fn tasks<C: Caller>(
        name: &'static str,
        expected: Expected,
        count: u64,
        caller: impl Fn(u64) -> C + 'a,
    ) -> Self {
        Self::new(name, expected, move |runtime, span| tasks(runtime, (0..count).map(&caller).collect(), span))
    }
}

/// The runs of all sides, round by round.
pub(crate) struct Contest {
    case: String,
    sides: Vec<(&'static str, Vec<Run>)>,
}

/// What is compared: the unit, how many of them a run came to.
pub(crate) type Measure = (&'static str, fn(&Run) -> f64);

pub(crate) const THROUGHPUT: Measure = ("/s", Run::requests_per_second);
pub(crate) const TIME: Measure = ("us", |run| 1e6 / run.requests_per_second());

impl Contest {
    /// Has the sides take turns. Each round begins with another one; a first round is for warming up.
    ///
    /// # Errors
    /// If a request had another outcome than its side says.
    pub(crate) fn hold(case: impl Into<String>, plan: &Plan, runtime: &Runtime, sides: &[Side<'_>]) -> Result<Self> {
        let (case, (rounds, span)) = (case.into(), plan.remote());
        let mut runs: Vec<Vec<Run>> = sides.iter().map(|_| Vec::new()).collect();
        for round in 0..=rounds {
            for turn in 0..sides.len() {
                let at = (round + turn) % sides.len();
                let side = &sides[at];
                let timed = (side.run)(runtime, span).and_then(|run| side.expected.holds(&run).map(|()| run));
                let run = timed.with_context(|| format!("case `{case}`, {}", side.name))?;
                if round > 0 {
                    runs[at].push(run);
                }
            }
        }
        let sides = sides.iter().map(|side| side.name).zip(runs).collect();
        Ok(Self { case, sides })
    }

    /// One side beside another.
    ///
    /// # Errors
    /// If there is no such side.
    pub(crate) fn row(&self, ours: &str, peer: &str, measure: Measure, target: Option<Target>) -> Result<Row> {
        let of = |name: &str| self.sides.iter().find(|side| side.0 == name).with_context(|| format!("no side {name}"));
        let ((name, ours), (peer_name, peer)) = (of(ours)?, of(peer)?);
        let (unit, value) = measure;
        Ok(Row {
            suite: "redis",
            case: format!("{}, {name}", self.case),
            ours: Spread::of(ours.iter().map(value))?,
            peer_name,
            peer: Spread::of(peer.iter().map(value))?,
            unit,
            ratio: Spread::of(ours.iter().zip(peer).map(|(ours, peer)| value(ours) / value(peer)))?,
            target,
        })
    }
}

impl Expected {
    fn holds(self, run: &Run) -> Result<()> {
        let (admitted, all) = (run.admitted, run.latencies.len());
        match self {
            Self::Admitted => ensure!(admitted == all, "{} of {all} were denied", all - admitted),
            Self::Denied => ensure!(admitted == 0, "{admitted} of {all} were admitted"),
            Self::AtMost(most) => ensure!(
                0 < admitted && admitted <= most && admitted < all,
                "{admitted} of {all} were admitted, which should be some, and at most {most}"
            ),
        }
        Ok(())
    }
}
