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

/// The requests that were admitted, until they are given up by a leak. Where there are many, those that have left every window go by
/// themselves.
#[derive(Debug)]
pub(crate) struct Labels {
    /// By their sequence.
    all: VecDeque<Label>,
    units: u64,
    windows: Windows,
}

/// For how long a label can matter.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub(crate) intervals_ms: Vec<i64>,
    /// Whether windows begin at multiples of their interval.
    pub(crate) are_aligned: bool,
}

/// Labels that were given up. To be dropped once nothing is locked: a name may run Python code then.
#[must_use = "names are to be dropped without a lock"]
#[derive(Debug, Default)]
pub(crate) struct Left(VecDeque<Label>);

impl Left {
    pub(crate) fn of(label: Label) -> Self {
        Self(VecDeque::from([label]))
    }

    pub(crate) fn units(&self) -> u64 {
        self.0.iter().map(|label| label.weight).sum()
    }
}

impl Windows {
    /// What was admitted before this has left every one.
    fn begin(&self, now_ms: i64) -> i64 {
        let begin = |interval: &i64| {
            let back = if self.are_aligned { now_ms.rem_euclid((*interval).max(1)) } else { *interval };
            now_ms.saturating_sub(back)
        };
        self.intervals_ms.iter().map(begin).min().unwrap_or(now_ms)
    }
}

impl Labels {
    /// From this many on, those that have left every window go before there is more memory for others.
    const MANY: usize = 1024;

    pub(crate) fn new(windows: Windows) -> Self {
        Self { all: VecDeque::new(), units: 0, windows }
    }

    /// Puts a label in its place, which is the last but for one who hears late of its turn.
    #[inline]
    pub(crate) fn push(&mut self, label: Label) -> Left {
        let is_full = self.all.len() == self.all.capacity() && self.all.len() >= Self::MANY;
        let left = if is_full { self.make_room(label.tick_ms) } else { Left::default() };
        self.units = self.units.saturating_add(label.weight);
        if self.all.back().is_none_or(|last| last.sequence < label.sequence) {
            self.all.push_back(label);
        } else {
            let place = self.all.partition_point(|other| other.sequence < label.sequence);
            self.all.insert(place, label);
        }
        left
    }

    /// So much that it is not soon wanted again.
    #[cold]
    fn make_room(&mut self, now_ms: i64) -> Left {
        let left = self.leave(now_ms);
        if self.all.len() > self.all.capacity() / 4 * 3 {
            self.all.reserve(self.all.len());
        }
        left
    }

    /// Gives up what has left every window.
    pub(crate) fn leave(&mut self, now_ms: i64) -> Left {
        let begin = self.windows.begin(now_ms);
        let gone = self.all.iter().take_while(|label| label.tick_ms < begin).count();
        let left = Left(self.all.drain(..gone).collect());
        self.units -= left.units();
        if self.all.len() < self.all.capacity() / 8 {
            self.all.shrink_to(self.all.len() * 2);
        }
        left
    }

    /// Where the request with this sequence is, unless it was given up or given back.
    pub(crate) fn place_of(&self, sequence: u64) -> Option<usize> {
        let place = self.all.partition_point(|label| label.sequence < sequence);
        self.all.get(place).filter(|label| label.sequence == sequence).map(|_| place)
    }

    /// Takes units from the label at this place.
    pub(crate) fn take_back(&mut self, place: usize, units: u64) -> Left {
        let Some(label) = self.all.get_mut(place) else { return Left::default() };
        let units = units.min(label.weight);
        label.weight -= units;
        self.units -= units;
        if label.weight > 0 { Left::default() } else { Left(self.all.remove(place).into_iter().collect()) }
    }

    /// The sequence of the last one.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.all.back().map_or(0, |label| label.sequence)
    }

    pub(crate) fn clear(&mut self) -> Left {
        self.units = 0;
        Left(std::mem::take(&mut self.all))
    }

    /// Puts labels back as they were.
    pub(crate) fn restore(&mut self, labels: Vec<Label>) {
        self.units = labels.iter().map(|label| label.weight).sum();
        self.all = labels.into();
    }

    /// From now on for these windows.
    pub(crate) fn set_windows(&mut self, windows: Windows) {
        self.windows = windows;
    }

    pub(crate) fn units(&self) -> u64 {
        self.units
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The label of the unit that was taken so many units before the newest.
    pub(crate) fn nth_newest(&self, unit: u64) -> Option<&Label> {
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
