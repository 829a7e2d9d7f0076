//! The stored form of a bucket.

use std::time::Duration;

use crate::algorithm::{Ledger, Parts};
use crate::error::{Error, ErrorKind, Result};
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::bucket::state::{BucketState, Rare};

/// What the first byte of a stored bucket says.
const FORMAT_VERSION: u8 = 1;

impl BucketState {
    /// The bucket as bytes, for a store that keeps it outside of this process.
    ///
    /// A header of format version, algorithm, retention, time held until, high-water mark, sequence and rates, then what
    /// the algorithm remembers; the layout is described in `docs/store-contract.md`. Numbers are big-endian, times in
    /// microseconds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        let mut out = Writer(Vec::with_capacity(128));
        out.byte(FORMAT_VERSION);
        out.byte(algorithm_code(self.quota.algorithm()));
        out.byte(u8::from(rare.own_time.is_some()));
        let (caller, store) = rare.own_time.unwrap_or_default();
        for number in [
            rare.retention,
            rare.limit,
            rare.held_until,
            self.high_water,
            self.sequence,
            rare.floor,
            self.since,
            caller,
            store,
        ] {
            out.number(number);
        }
        out.count(self.quota.rates().len());
        self.quota.rates().iter().for_each(|rate| out.rate(*rate));
        let parts = self.ledger.to_parts(self.quota.paces());
        out.count(parts.own.len());
        parts.own.iter().for_each(|pair| out.pair(*pair));
        out.count(parts.others.len());
        for (rate, pair) in &parts.others {
            out.rate(*rate);
            out.pair(*pair);
        }
        out.0
    }

    /// The bucket from the bytes that [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are of another format version, cut off, or not a bucket's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader(bytes);
        let version = input.byte()?;
        if version != FORMAT_VERSION {
            return Err(corrupt(&format!("its format version is {version}, this library knows {FORMAT_VERSION}")));
        }
        let algorithm = algorithm_of(input.byte()?)?;
        let has_own_time = input.byte()? == 1;
        let [retention, limit, held_until, high_water, sequence, floor, since, caller, store] = input.numbers()?;
        let rates = (0..input.count()?).map(|_| input.rate()).collect::<Result<Vec<_>>>()?;
        let quota = Quota::new(algorithm, rates).map_err(|error| corrupt("its rates cannot be").with_source(error))?;
        let own = (0..input.count()?).map(|_| input.pair()).collect::<Result<Vec<_>>>()?;
        let others = (0..input.count()?).map(|_| Ok((input.rate()?, input.pair()?))).collect::<Result<Vec<_>>>()?;
        if !input.0.is_empty() {
            return Err(corrupt("there is more than a bucket"));
        }
        let ledger = Ledger::from_parts(&quota, Parts { own, others }, high_water)
            .ok_or_else(|| corrupt("what it remembers does not go with its algorithm and rates"))?;
        let rare = Rare { held_until, floor, retention, limit, own_time: has_own_time.then_some((caller, store)) };
        let rare = (rare != Rare::default()).then(|| Box::new(rare));
        Ok(Self { high_water, sequence, ledger, quota, rare, since })
    }
}

const fn algorithm_code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::SlidingWindowLog => 1,
        Algorithm::FixedWindow => 2,
        Algorithm::Gcra => 3,
    }
}

fn algorithm_of(code: u8) -> Result<Algorithm> {
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm_code(*algorithm) == code);
    known.ok_or_else(|| corrupt(&format!("no algorithm has the code {code}")))
}

#[cold]
fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the stored bucket cannot be read: {what}"))
}

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn pair(&mut self, (first, second): (u64, u64)) {
        self.number(first);
        self.number(second);
    }

    fn rate(&mut self, rate: Rate) {
        self.number(rate.limit());
        self.number(rate.interval_micros());
        self.number(rate.burst());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().ok_or_else(|| corrupt("it is cut off"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(|| corrupt("it is cut off"))?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*first))
    }

    fn numbers<const N: usize>(&mut self) -> Result<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Ok(numbers)
    }

    /// A count of things that take at least a pair of numbers each, so that no length is believed that cannot be.
    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        let most = self.0.len() / size_of::<(u64, u64)>();
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| corrupt("it is cut off"))
    }

    fn pair(&mut self) -> Result<(u64, u64)> {
        Ok((self.number()?, self.number()?))
    }

    fn rate(&mut self) -> Result<Rate> {
        let [limit, interval, burst] = self.numbers()?;
        let rate = Rate::new(limit, Duration::from_micros(interval)).and_then(|rate| rate.with_burst(burst));
        rate.map_err(|error| corrupt("one of its rates cannot be").with_source(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Action, Operation};
    use crate::time::Timestamp;

    /// Buckets of every algorithm with one rate and several, weights, a hold, a refund and rates of another user.
    fn buckets() -> Vec<BucketState> {
        let mut buckets = Vec::new();
        for algorithm in Algorithm::ALL {
            for (first, second) in [("5/s", "7/s"), ("5/s, 100/min", "20/10s, 100/min")] {
                let [first, second] = [first, second].map(|rates| Quota::new(algorithm, rates).unwrap());
                let mut bucket = BucketState::new(&first, Timestamp::from_micros(7));
                buckets.push(bucket.clone());
                for (quota, tick, weight) in [(&first, 10, 1), (&second, 20, 3), (&first, 20, 1), (&second, 900, 2)] {
                    let acquire = Operation::acquire("key", quota, weight);
                    bucket.apply(&acquire, Timestamp::from_micros(tick)).unwrap();
                    buckets.push(bucket.clone());
                }
                let mut held = bucket.clone();
                let action = Action::Hold { quota: &first, duration: Duration::from_secs(9) };
                held.apply(&Operation::new("key", action).at(Timestamp::from_micros(950)), Timestamp::ZERO).unwrap();
                buckets.push(held);
                bucket.apply(&Operation::new("key", Action::Reset), Timestamp::from_micros(990)).unwrap();
                buckets.push(bucket);
            }
        }
        buckets
    }

    #[test]
    fn a_bucket_comes_back_as_it_was_stored() {
        for bucket in buckets() {
            let bytes = bucket.to_bytes();
            let stored = BucketState::from_bytes(&bytes).unwrap();
            assert_eq!(stored.to_bytes(), bytes, "{bucket:?}");
            assert_eq!(stored.idle_from(), bucket.idle_from(), "{bucket:?}");
            for weight in 1..=5 {
                let acquire = Operation::acquire("key", bucket.quota(), weight);
                let now = Timestamp::from_micros(1_000);
                let (mut one, mut other) = (stored.clone(), bucket.clone());
                assert_eq!(one.apply(&acquire, now).unwrap(), other.apply(&acquire, now).unwrap(), "{bucket:?}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_bucket_are_an_error() {
        for bucket in buckets() {
            let bytes = bucket.to_bytes();
            for length in 0..bytes.len() {
                let error = BucketState::from_bytes(&bytes[..length]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} of {} bytes", bytes.len());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(BucketState::from_bytes(&longer).unwrap_err().kind(), ErrorKind::Corrupt);
            for place in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[place] ^= 0xff;
                // Some of them are other buckets, and usable; none may panic.
                match BucketState::from_bytes(&flipped) {
                    Ok(mut read) => {
                        let quota = read.quota().clone();
                        let acquire = Operation::acquire("key", &quota, 1);
                        let _ = read.apply(&acquire, Timestamp::from_micros(1_000));
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
                }
            }
        }
    }
}
