//! Who took what, and when: what Python can look at of a log.

use std::collections::VecDeque;

use pyo3::{Py, PyAny};

/// A request that was admitted.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) name: Py<PyAny>,
    pub(crate) tick_ms: i64,
    pub(crate) weight: u64,
    /// All units that the bucket had counted then, these included.
    pub(crate) sequence: u64,
}

/// The requests that were admitted last, for as long as they can matter.
#[derive(Debug)]
pub(crate) struct Labels {
    /// By their sequence.
    all: VecDeque<Label>,
    units: u64,
    bounds: Bounds,
}

/// What is kept.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// So many units; none where nobody may look at them.
    pub(crate) units: u64,
    pub(crate) intervals_ms: Vec<i64>,
    /// Whether windows begin at multiples of their interval.
    pub(crate) is_aligned: bool,
}

/// Labels that have left. To be dropped once nothing is locked: a name may run Python code then.
#[must_use = "names are to be dropped without a lock"]
#[derive(Debug, Default)]
pub(crate) struct Left {
    first: [Option<Label>; 2],
    others: VecDeque<Label>,
}

impl Left {
    pub(crate) fn units(&self) -> u64 {
        self.first.iter().flatten().chain(&self.others).map(|label| label.weight).sum()
    }
}

impl Bounds {
    /// What was admitted before this has left every window.
    fn kept_from(&self, now_ms: i64) -> i64 {
        let start = |interval: &i64| {
            let begin = now_ms.saturating_sub(*interval);
            if self.is_aligned { now_ms.saturating_sub(now_ms.rem_euclid((*interval).max(1))) } else { begin }
        };
        self.intervals_ms.iter().map(start).min().unwrap_or(now_ms)
    }
}

impl Labels {
    /// From this many on, those that have left every window go before there is more memory for others.
    const MANY: usize = 1024;

    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { all: VecDeque::new(), units: 0, bounds }
    }

    /// Puts a label in its place, which is the last but for one who hears late of its turn.
    #[inline]
    pub(crate) fn push(&mut self, label: Label) -> Left {
        if self.bounds.units == 0 {
            return Left { first: [Some(label), None], ..Left::default() };
        }
        let is_full = self.all.len() >= Self::MANY && self.all.len() == self.all.capacity();
        let mut left = if is_full { self.leave(label.tick_ms) } else { Left::default() };
        self.units += label.weight;
        let place = self.all.iter().rposition(|other| other.sequence < label.sequence).map_or(0, |last| last + 1);
        self.all.insert(place, label);
        // Two at the most: that keeps up with one that comes.
        for slot in &mut left.first {
            if self.all.front().is_some_and(|first| self.units - first.weight >= self.bounds.units) {
                *slot = self.pop();
            }
        }
        left
    }

    /// Puts labels back as they were, none of which has to leave.
    pub(crate) fn restore(&mut self, labels: Vec<Label>) {
        if self.bounds.units > 0 {
            self.units = labels.iter().map(|label| label.weight).sum();
            self.all = labels.into();
        }
    }

    fn pop(&mut self) -> Option<Label> {
        let first = self.all.pop_front()?;
        self.units -= first.weight;
        Some(first)
    }

    /// Gives up what has left every window.
    pub(crate) fn leave(&mut self, now_ms: i64) -> Left {
        let from = self.bounds.kept_from(now_ms);
        let gone = self.all.iter().take_while(|label| label.tick_ms < from).count();
        let others: VecDeque<_> = self.all.drain(..gone).collect();
        self.units -= others.iter().map(|label| label.weight).sum::<u64>();
        Left { others, ..Left::default() }
    }

    pub(crate) fn clear(&mut self) -> Left {
        self.units = 0;
        Left { others: std::mem::take(&mut self.all), ..Left::default() }
    }

    /// From now on for these rates.
    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Units, but no more than may be in any window.
    pub(crate) fn units(&self) -> u64 {
        self.units.min(self.bounds.units)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The label of the unit that was taken so many units before the newest.
    pub(crate) fn nth_newest(&self, unit: u64) -> Option<&Label> {
        if unit >= self.units() {
            return None;
        }
        let mut seen = 0_u64;
        self.all.iter().rev().find(|label| {
            seen += label.weight;
            seen > unit
        })
    }

    /// From the oldest to the newest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Label> {
        self.all.iter()
    }
}
