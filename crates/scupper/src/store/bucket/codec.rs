//! The stored form of a bucket.

use crate::error::Result;
use crate::store::bucket::numbers::{FORMAT_VERSION, Kind, Numbers, algorithm_code, algorithm_of, corrupt, head};
use crate::store::bucket::state::BucketState;

impl BucketState {
    /// The bucket as bytes, for a store that keeps it outside of this process.
    ///
    /// A header of format version, algorithm, retention, time held until, high-water mark, sequence and rates, then what
    /// the algorithm remembers; the layout is described in `docs/store-contract.md`. Numbers are big-endian, times in
    /// microseconds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Numbers { kind, head, events } = self.to_numbers();
        let mut out = Writer(Vec::with_capacity(3 + 8 * (head.len() + 2 * events.len() + 3)));
        for byte in [FORMAT_VERSION, algorithm_code(kind.algorithm), u64::from(kind.has_own_time)] {
            out.byte(byte);
        }
        let (fixed, rest) = head[head::RETENTION..].split_at(head::RATES - head::RETENTION);
        let (rates, rest) = rest.split_at(kind.lane_at(0) - head::RATES);
        let (lanes, others) = rest.split_at(rest.len() - kind.others * head::NUMBERS_OF_ANOTHER);
        out.numbers(fixed);
        out.count(kind.rates);
        out.numbers(rates);
        out.count(lanes.len() / head::NUMBERS_OF_A_LANE + events.len());
        out.numbers(lanes);
        for (tick, total) in &events {
            out.numbers(&[*tick, *total]);
        }
        out.count(kind.others);
        out.numbers(others);
        out.0
    }

    /// The bucket from the bytes that [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the bytes are of another format version, cut off, or not a bucket's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader(bytes);
        let version = u64::from(input.byte()?);
        if version != FORMAT_VERSION {
            return Err(corrupt(&format!("its format version is {version}, this library knows {FORMAT_VERSION}")));
        }
        let algorithm = algorithm_of(input.byte()?.into())?;
        let has_own_time = input.byte()? == 1;
        let mut head = vec![0];
        input.numbers(head::RATES - head::RETENTION, &mut head)?;
        let rates = input.count()?;
        input.numbers(rates * head::NUMBERS_OF_A_RATE, &mut head)?;
        let mut memory = Vec::new();
        let remembered = input.count()?;
        input.numbers(remembered * head::NUMBERS_OF_A_LANE, &mut memory)?;
        let others = input.count()?;
        let kind = Kind { algorithm, has_own_time, rates, others };
        head[head::KIND] = kind.to_number();
        let events = if kind.has_lanes() {
            head.append(&mut memory);
            Vec::new()
        } else {
            memory.chunks_exact(2).map(|event| (event[0], event[1])).collect()
        };
        input.numbers(others * head::NUMBERS_OF_ANOTHER, &mut head)?;
        if !input.0.is_empty() {
            return Err(corrupt("there is more than a bucket"));
        }
        Self::from_numbers(&head, events)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "what is written as a byte is one")]
    fn byte(&mut self, byte: u64) {
        self.0.push(byte as u8);
    }

    fn numbers(&mut self, numbers: &[u64]) {
        self.0.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    }

    fn count(&mut self, count: usize) {
        self.numbers(&[count as u64]);
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

    fn numbers(&mut self, count: usize, into: &mut Vec<u64>) -> Result<()> {
        (0..count).try_for_each(|_| {
            into.push(self.number()?);
            Ok(())
        })
    }

    /// A count of things that take at least a pair of numbers each, so that no length is believed that cannot be.
    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        let most = self.0.len() / size_of::<(u64, u64)>();
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| corrupt("it is cut off"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::quota::{Algorithm, Quota};
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
            let Numbers { kind, head, events } = bucket.to_numbers();
            assert_eq!((Kind::of(head[0]).unwrap(), kind.head_len()), (kind, head.len()), "{bucket:?}");
            assert_eq!(BucketState::from_numbers(&head, events).unwrap().to_bytes(), bytes, "{bucket:?}");
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

    #[test]
    fn numbers_that_are_no_bucket_are_an_error() {
        for bucket in buckets() {
            let Numbers { head, events, .. } = bucket.to_numbers();
            for length in 0..head.len() {
                let error = BucketState::from_numbers(&head[..length], events.clone()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} of {} numbers", head.len());
            }
            for place in 0..head.len() {
                for flip in [1, 1 << 20, 1 << 47, 1 << 63, u64::MAX] {
                    let mut flipped = head.clone();
                    flipped[place] ^= flip;
                    // Some of them are other buckets, and usable; none may panic.
                    match BucketState::from_numbers(&flipped, events.clone()) {
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
}
