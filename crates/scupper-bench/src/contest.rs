//! Sides that ask a store, or what it is built on, in turn.

use std::fmt;

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;

use crate::caller::{Caller, Laps, tasks, threads};
use crate::row::{Row, Spread, Target};
use crate::run::{Run, Span, Spent, Whole};

/// What every request of a side must come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    Admitted,
    Denied,
    /// Most are denied, and at most so many admitted in a run.
    AtMost(usize),
    /// How many are admitted is what is measured.
    Sometimes,
}

/// How many times each side is asked, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) span: Span,
}

type Ask<'a> = dyn Fn(&Runtime, Span) -> Result<Run> + 'a;

/// One who asks, in a manner that can be timed.
pub(crate) struct Side<'a> {
    name: &'static str,
    expected: Expected,
    ask: Box<Ask<'a>>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        name: &'static str,
        expected: Expected,
        ask: impl Fn(&Runtime, Span) -> Result<Run> + 'a,
    ) -> Self {
        Self { name, expected, ask: Box::new(ask) }
    }

    /// So many threads, on no runtime; each is told its number.
    pub(crate) fn threads(
        name: &'static str,
        expected: Expected,
        count: u64,
        work: impl Fn(u64, &mut Laps) -> Result<()> + Sync + 'a,
    ) -> Self {
        Self::new(name, expected, move |_, span| threads(count, span, &work))
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

impl fmt::Debug for Side<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Side").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The runs of all sides, round by round.
#[derive(Debug)]
pub(crate) struct Contest {
    title: Title,
    sides: Vec<(&'static str, Vec<Run>)>,
}

/// The suite that a contest is of, and its case.
#[derive(Clone, Debug)]
pub(crate) struct Title(pub(crate) &'static str, pub(crate) String);

/// A figure of a run: what of, its unit, and the figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure(pub(crate) &'static str, pub(crate) &'static str, pub(crate) fn(&Run) -> f64);

impl Measure {
    pub(crate) const TIME: Self = Self("time", "us", |run| 1e6 / run.requests_per_second());
    pub(crate) const REQUESTS: Self = Self("requests", "k/s", |run| run.requests_per_second() / 1e3);
    const LATENCIES: [Self; 3] = [
        Self("p50", "us", |run| f64::from(run.nanos_of(500)) / 1e3),
        Self("p99", "us", |run| f64::from(run.nanos_of(990)) / 1e3),
        Self("p99.9", "us", |run| f64::from(run.nanos_of(999)) / 1e3),
    ];
}

impl Contest {
    /// Has the sides take turns. Each round begins with another one; a first round is for warming up.
    ///
    /// A ratio is taken within a round, as the suite `memory` does.
    ///
    /// # Errors
    ///
    /// If a request had another outcome than its side says.
    pub(crate) fn hold(
        title: Title,
        pace: Pace,
        runtime: &Runtime,
        spent: impl Fn() -> Result<Spent>,
        sides: &[Side<'_>],
    ) -> Result<Self> {
        let mut runs: Vec<Vec<Run>> = sides.iter().map(|_| Vec::new()).collect();
        let time = |side: &Side<'_>| {
            let before = spent()?;
            let run = (side.ask)(runtime, pace.span)?;
            side.expected.holds(&run)?;
            let whole = Whole { spent: spent()? - before, ..run.whole };
            anyhow::Ok(Run { whole, ..run })
        };
        for round in 0..=pace.rounds {
            for turn in 0..sides.len() {
                let at = (round + turn) % sides.len();
                let run = time(&sides[at]).with_context(|| format!("case `{}`, {}", title.1, sides[at].name))?;
                if round > 0 {
                    runs[at].push(run);
                }
            }
        }
        Ok(Self { title, sides: sides.iter().map(|side| side.name).zip(runs).collect() })
    }

    /// One side beside another.
    ///
    /// # Errors
    ///
    /// If there is no such side.
    pub(crate) fn row(&self, ours: &str, peer: &str, measure: Measure, target: Option<Target>) -> Result<Row> {
        let ((name, ours), (peer_name, peer)) = (self.side(ours)?, self.side(peer)?);
        let Measure(what, unit, value) = measure;
        Ok(Row {
            suite: self.title.0,
            case: format!("{}, {name}, {what}", self.title.1),
            ours: Spread::of(ours.iter().map(value))?,
            peer_name,
            peer: Spread::of(peer.iter().map(value))?,
            unit,
            ratio: Spread::of(ours.iter().zip(peer).map(|(ours, peer)| value(ours) / value(peer)))?,
            target,
        })
    }

    /// The latencies of these sides beside another's.
    ///
    /// # Errors
    ///
    /// If there is no such side.
    pub(crate) fn latencies(&self, sides: &[&str], peer: &str) -> Result<Vec<Row>> {
        let rows = sides.iter().flat_map(|side| Measure::LATENCIES.map(|measure| (side, measure)));
        rows.map(|(side, measure)| self.row(side, peer, measure, None)).collect()
    }

    /// How much of one figure of a side another is.
    ///
    /// # Errors
    ///
    /// If there is no such side.
    pub(crate) fn share(&self, side: &str, part: Measure, of: Measure) -> Result<Row> {
        let (name, runs) = self.side(side)?;
        let (Measure(what, unit, part), Measure(peer_name, _, of)) = (part, of);
        Ok(Row {
            suite: self.title.0,
            case: format!("{}, {name}, {what}", self.title.1),
            ours: Spread::of(runs.iter().map(part))?,
            peer_name,
            peer: Spread::of(runs.iter().map(of))?,
            unit,
            ratio: Spread::of(runs.iter().map(|run| part(run) / of(run)))?,
            target: None,
        })
    }

    fn side(&self, name: &str) -> Result<&(&'static str, Vec<Run>)> {
        self.sides.iter().find(|side| side.0 == name).with_context(|| format!("no side is called {name}"))
    }
}

impl Expected {
    fn holds(self, run: &Run) -> Result<()> {
        let (admitted, all) = (run.admitted, run.latencies.len());
        match self {
            Self::Admitted => ensure!(admitted == all, "{} of {all} were denied", all - admitted),
            Self::Sometimes => ensure!(admitted > 0, "none of {all} was admitted"),
            Self::Denied => ensure!(admitted == 0, "{admitted} of {all} were admitted"),
            Self::AtMost(most) => {
                ensure!(admitted <= most, "{admitted} were admitted, and the limit allows {most}");
                ensure!(admitted * 2 <= all, "{admitted} of {all} were admitted, though the limit is full");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::caller::runtime;

    const PACE: Pace = Pace { rounds: 3, span: Span { lead: Duration::ZERO, length: Duration::from_millis(5) } };

    /// Answers after so many milliseconds.
    struct Slow(u64, bool);

    impl Caller for Slow {
        async fn call(&mut self) -> Result<bool> {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
            Ok(self.1)
        }
    }

    fn side(name: &'static str, expected: Expected, millis: u64, admits: bool) -> Side<'static> {
        Side::tasks(name, expected, 1, move |_| Slow(millis, admits))
    }

    fn hold(sides: &[Side<'_>]) -> Result<Contest> {
        Contest::hold(Title("redis", "case".to_owned()), PACE, &runtime()?, || Ok(Spent::default()), sides)
    }

    #[test]
    fn one_that_takes_longer_is_slower() -> Result<()> {
        let contest = hold(&[side("slow", Expected::Admitted, 20, true), side("fast", Expected::Denied, 1, false)])?;
        let row = contest.row("slow", "fast", Measure::TIME, Some(Target::AtMost(1.1)))?;
        assert!(row.ratio.median > 1.5, "{row:?}");
        assert_eq!((row.case.as_str(), row.peer_name, row.is_met()), ("case, slow, time", "fast", Some(false)));
        assert!(contest.row("slow", "other", Measure::TIME, None).is_err());
        Ok(())
    }

    #[test]
    fn one_that_decides_otherwise_than_expected_is_an_error() {
        for (expected, admits) in
            [(Expected::Admitted, false), (Expected::Denied, true), (Expected::AtMost(1_000), true)]
        {
            assert!(hold(&[side("wrong", expected, 1, admits)]).is_err(), "{expected:?}");
        }
        assert!(hold(&[side("right", Expected::AtMost(0), 1, false)]).is_ok());
    }
}
