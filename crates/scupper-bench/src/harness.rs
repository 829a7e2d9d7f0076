//! Rounds: how a case becomes rows of numbers.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::crew::Crew;
use crate::limit::Outcome;
use crate::row::{Row, Spread, Target};
use crate::side::Side;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    rounds: usize,
    batch: Duration,
    quick: bool,
}

impl Plan {
    /// What the published figures come from.
    pub(crate) const fn full() -> Self {
        Self { rounds: 15, batch: Duration::from_millis(20), quick: false }
    }

    /// Enough to see that everything runs.
    pub(crate) const fn quick() -> Self {
        Self { rounds: 5, batch: Duration::from_millis(4), quick: true }
    }

    pub(crate) const fn is_quick(&self) -> bool {
        self.quick
    }
}

/// One kind of request, our side of it, and those it is compared with.
#[derive(Debug)]
pub(crate) struct Case {
    suite: &'static str,
    name: String,
    outcome: Outcome,
    threads: u32,
    ours: Side,
    peers: Vec<(Side, Option<f64>)>,
}

impl Case {
    pub(crate) fn new(suite: &'static str, name: impl Into<String>, outcome: Outcome, ours: Side) -> Self {
        Self { suite, name: name.into(), outcome, threads: 1, ours, peers: Vec::new() }
    }

    /// Makes the requests from that many threads at once.
    pub(crate) fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Compares with `peer`: our time must be at most `target` times its.
    pub(crate) fn against(mut self, peer: Side, target: f64) -> Self {
        self.peers.push((peer, Some(target)));
        self
    }

    /// Compares with `peer` for information.
    pub(crate) fn beside(mut self, peer: Side) -> Self {
        self.peers.push((peer, None));
        self
    }

    /// Times all sides and returns one row for each peer.
    ///
    /// Sides take turns within a round, and each round begins with another one. A ratio is taken
    /// within a round, where both batches ran a few milliseconds apart, and the case's ratio is
    /// the median over the rounds: a machine that drifts or stutters moves both sides of one
    /// round, or spoils that round alone. A ratio of two medians would compare different moments.
    ///
    /// # Errors
    ///
    /// If a request had another outcome than the case's.
    pub(crate) fn run(&self, plan: &Plan) -> Result<Vec<Row>> {
        let barrier = Barrier::new(usize::try_from(self.threads)?);
        let rounds = thread::scope(|scope| {
            let crew = Crew::new(scope, &barrier, self.threads, self.outcome);
            self.rounds(&crew, plan)
        })
        .with_context(|| format!("case `{}`", self.name))?;
        let (ours, theirs) = rounds.split_first().context("no side was timed")?;
        let compare = |((peer, target), theirs): (&(Side, Option<f64>), &Vec<f64>)| {
            let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
            Ok(Row {
                suite: self.suite,
                case: self.name.clone(),
                ours: Spread::of(ours.iter().copied())?,
                peer_name: peer.name(),
                peer: Spread::of(theirs.iter().copied())?,
                unit: "ns",
                ratio: Spread::of(ratios)?,
                target: target.map(Target::AtMost),
            })
        };
        self.peers.iter().zip(theirs).map(compare).collect()
    }

    /// For each side, ours first, the nanoseconds per request of each round.
    fn rounds<'a>(&'a self, crew: &Crew<'a>, plan: &Plan) -> Result<Vec<Vec<f64>>> {
        let peers = self.peers.iter().map(|(peer, _)| peer);
        let sides: Vec<&Side> = std::iter::once(&self.ours).chain(peers).collect();
        let counts = sides.iter().map(|side| batch_count(crew, side, plan.batch));
        let counts: Vec<u32> = counts.collect::<Result<_>>()?;
        let mut times = vec![Vec::with_capacity(plan.rounds); sides.len()];
        for round in 0..plan.rounds {
            for turn in 0..sides.len() {
                let at = (round + turn) % sides.len();
                let took = crew.time(sides[at], counts[at])?;
                times[at].push(self.nanoseconds_per_request(took, counts[at]));
            }
        }
        Ok(times)
    }

    fn nanoseconds_per_request(&self, took: Duration, per_thread: u32) -> f64 {
        took.as_secs_f64() * 1e9 / (f64::from(per_thread) * f64::from(self.threads))
    }
}

/// Warms a side up and finds how many requests per thread fill a batch.
fn batch_count<'a>(crew: &Crew<'a>, side: &'a Side, batch: Duration) -> Result<u32> {
    let mut requests: u32 = 1_000;
    loop {
        let took = crew.time(side, requests)?;
        if took >= batch / 2 {
            // A second look, now that caches and branches know the way.
            let took = crew.time(side, requests)?.max(Duration::from_nanos(1));
            let scaled = batch.as_nanos() * u128::from(requests) / took.as_nanos();
            return Ok(u32::try_from(scaled.max(1))?);
        }
        ensure!(requests < u32::MAX / 2, "{} takes no time", side.name());
        requests *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn spinning(name: &'static str, steps: u32) -> Side {
        Side::repeating(name, move || {
            (0..steps).for_each(|step| _ = black_box(step));
            true
        })
    }

    #[test]
    fn twice_the_work_is_about_twice_the_time() -> Result<()> {
        let case = Case::new("memory", "work", Outcome::Admit, spinning("ours", 2_000))
            .against(spinning("half", 1_000), 1.1)
            .beside(spinning("same", 2_000));
        let rows = case.run(&Plan::quick())?;
        let [half, same] = rows.as_slice() else {
            panic!("one row per peer, not {}", rows.len());
        };
        assert!(half.ratio.median > 1.3, "{half:?}");
        assert_eq!(half.is_met(), Some(false));
        assert!(same.ratio.median < 1.5, "{same:?}");
        assert_eq!(same.is_met(), None);
        Ok(())
    }

    #[test]
    fn a_case_whose_peer_denies_is_an_error() {
        let case = Case::new("memory", "refused", Outcome::Admit, spinning("ours", 10))
            .against(Side::repeating("closed", || false), 1.0);
        assert!(case.run(&Plan::quick()).is_err());
    }
}
