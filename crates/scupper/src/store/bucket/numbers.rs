//! A bucket as numbers, for stores that keep it elsewhere than in the memory of this process.

use std::time::Duration;

use crate::algorithm::{Ledger, Parts};
use crate::error::{Error, ErrorKind, Result};
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::bucket::state::{BucketState, Rare};

/// What a head says of its form; another version is an error, never a guess.
pub(super) const FORMAT_VERSION: u64 = 1;

/// A bucket: its head, and apart from it the events of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// What the head begins with.
    pub(crate) kind: Kind,
    /// As [`head`] has it.
    pub(crate) head: Vec<u64>,
    /// The tick of each event and all units up to and with it, the oldest first; none for other algorithms.
    pub(crate) events: Vec<(u64, u64)>,
}

/// Where the numbers of a head stand. After these come limit, interval in microseconds and burst of each rate; then, unless
/// the bucket is a log, two numbers a rate of what its algorithm remembers; then, for each rate that others asked for and
/// that still owes something, its three numbers and those two.
pub(crate) mod head {
    pub(crate) const KIND: usize = 0;
    pub(crate) const RETENTION: usize = 1;
    pub(crate) const LIMIT: usize = 2;
    pub(crate) const HELD_UNTIL: usize = 3;
    pub(crate) const HIGH_WATER: usize = 4;
    pub(crate) const SEQUENCE: usize = 5;
    pub(crate) const FLOOR: usize = 6;
    pub(crate) const SINCE: usize = 7;
    pub(crate) const CALLERS_TIME: usize = 8;
    pub(crate) const STORES_TIME: usize = 9;
    pub(crate) const RATES: usize = 10;

    pub(crate) const NUMBERS_OF_A_RATE: usize = 3;
    pub(crate) const NUMBERS_OF_A_LANE: usize = 2;
    pub(crate) const NUMBERS_OF_ANOTHER: usize = NUMBERS_OF_A_RATE + NUMBERS_OF_A_LANE;
}

/// The first number of a head: what kind of bucket it is, and with how many rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) algorithm: Algorithm,
    pub(crate) has_own_time: bool,
    /// Rates in use.
    pub(crate) rates: usize,
    /// Rates that others asked for, as far as they are kept.
    pub(crate) others: usize,
}

impl Kind {
    pub(crate) const fn to_number(self) -> u64 {
        let (rates, others) = (self.rates as u64, self.others as u64);
        FORMAT_VERSION
            | algorithm_code(self.algorithm) << 8
            | (self.has_own_time as u64) << 16
            | rates << 24
            | others << 44
    }

    /// # Errors
    /// [`ErrorKind::Corrupt`] if this is no head's first number.
    pub(crate) fn of(number: u64) -> Result<Self> {
        let version = number & 0xff;
        if version != FORMAT_VERSION {
            return Err(corrupt(&format!("its format version is {version}, this library knows {FORMAT_VERSION}")));
        }
        let algorithm = algorithm_of(number >> 8 & 0xff)?;
        let count = |shift: u32| usize::try_from(number >> shift & 0xf_ffff).unwrap_or(usize::MAX);
        let kind = Self { algorithm, has_own_time: number >> 16 & 0xff == 1, rates: count(24), others: count(44) };
        if kind.to_number() == number { Ok(kind) } else { Err(corrupt("its first number is no bucket's")) }
    }

    pub(crate) const fn has_lanes(self) -> bool {
        !matches!(self.algorithm, Algorithm::SlidingWindowLog)
    }

    /// Where what the algorithm remembers of this rate stands.
    pub(crate) const fn lane_at(self, rate: usize) -> usize {
        head::RATES + self.rates * head::NUMBERS_OF_A_RATE + rate * head::NUMBERS_OF_A_LANE
    }

    /// How long the head is.
    pub(crate) const fn head_len(self) -> usize {
        let lanes = if self.has_lanes() { self.rates } else { 0 };
        self.lane_at(lanes) + self.others * head::NUMBERS_OF_ANOTHER
    }
}

impl BucketState {
    /// The bucket as numbers.
    pub(crate) fn to_numbers(&self) -> Numbers {
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        let Parts { own, others } = self.ledger.to_parts(self.quota.paces());
        let (caller, store) = rare.own_time.unwrap_or_default();
        let kind = Kind {
            algorithm: self.quota.algorithm(),
            has_own_time: rare.own_time.is_some(),
            rates: self.quota.rates().len(),
            others: others.len(),
        };
        let mut head = Vec::with_capacity(kind.head_len());
        head.extend([
            kind.to_number(),
            rare.retention,
            rare.limit,
            rare.held_until,
            self.high_water,
            self.sequence,
            rare.floor,
            self.since,
            caller,
            store,
        ]);
        head.extend(self.quota.rates().iter().flat_map(numbers_of));
        let events = if kind.has_lanes() {
            head.extend(own.iter().flat_map(|(first, second)| [*first, *second]));
            Vec::new()
        } else {
            own
        };
        head.extend(others.iter().flat_map(|(rate, lane)| numbers_of(rate).into_iter().chain([lane.0, lane.1])));
        Numbers { kind, head, events }
    }

    /// The bucket from the numbers that [`to_numbers`](Self::to_numbers) made.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if they are of another format version, too few, or not a bucket's.
    pub(crate) fn from_numbers(head: &[u64], events: Vec<(u64, u64)>) -> Result<Self> {
        let kind = Kind::of(head.first().copied().ok_or_else(|| corrupt("it is empty"))?)?;
        if head.len() != kind.head_len() {
            return Err(corrupt(&format!("it has {} numbers where it says {}", head.len(), kind.head_len())));
        }
        let (fixed, rest) = head.split_at(head::RATES);
        let (rates, rest) = rest.split_at(kind.rates * head::NUMBERS_OF_A_RATE);
        let rates = rates.chunks_exact(head::NUMBERS_OF_A_RATE).map(rate_of).collect::<Result<Vec<_>>>()?;
        let quota =
            Quota::new(kind.algorithm, rates).map_err(|error| corrupt("its rates cannot be").with_source(error))?;
        let (lanes, others) =
            rest.split_at(kind.lane_at(if kind.has_lanes() { kind.rates } else { 0 }) - kind.lane_at(0));
        let own = if kind.has_lanes() {
            if !events.is_empty() {
                return Err(corrupt("it has the events of a log, and is none"));
            }
            lanes.chunks_exact(head::NUMBERS_OF_A_LANE).map(|lane| (lane[0], lane[1])).collect()
        } else {
            events
        };
        let other = |numbers: &[u64]| {
            let (rate, lane) = numbers.split_at(head::NUMBERS_OF_A_RATE);
            Ok((rate_of(rate)?, (lane[0], lane[1])))
        };
        let others = others.chunks_exact(head::NUMBERS_OF_ANOTHER).map(other);
        let parts = Parts { own, others: others.collect::<Result<_>>()? };
        let high_water = fixed[head::HIGH_WATER];
        let ledger = Ledger::from_parts(&quota, parts, high_water)
            .ok_or_else(|| corrupt("what it remembers does not go with its algorithm and rates"))?;
        let rare = Rare {
            held_until: fixed[head::HELD_UNTIL],
            floor: fixed[head::FLOOR],
            retention: fixed[head::RETENTION],
            limit: fixed[head::LIMIT],
            own_time: kind.has_own_time.then_some((fixed[head::CALLERS_TIME], fixed[head::STORES_TIME])),
        };
        let rare = (rare != Rare::default()).then(|| Box::new(rare));
        Ok(Self { high_water, sequence: fixed[head::SEQUENCE], ledger, quota, rare, since: fixed[head::SINCE] })
    }
}

/// A rate as a head has it.
pub(crate) fn numbers_of(rate: &Rate) -> [u64; head::NUMBERS_OF_A_RATE] {
    [rate.limit(), rate.interval_micros(), rate.burst()]
}

fn rate_of(numbers: &[u64]) -> Result<Rate> {
    let rate = Rate::new(numbers[0], Duration::from_micros(numbers[1])).and_then(|rate| rate.with_burst(numbers[2]));
    rate.map_err(|error| corrupt("one of its rates cannot be").with_source(error))
}

pub(super) const fn algorithm_code(algorithm: Algorithm) -> u64 {
    match algorithm {
        Algorithm::SlidingWindowLog => 1,
        Algorithm::FixedWindow => 2,
        Algorithm::Gcra => 3,
    }
}

pub(super) fn algorithm_of(code: u64) -> Result<Algorithm> {
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm_code(*algorithm) == code);
    known.ok_or_else(|| corrupt(&format!("no algorithm has the code {code}")))
}

/// What is stored is no bucket.
#[cold]
pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the stored bucket cannot be read: {what}"))
}
