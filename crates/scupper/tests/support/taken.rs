//! What processes that take from one bucket write down, and what must hold of it.

use std::fs;
use std::path::Path;

use scupper::Rates;

/// What a process writes down of a permit that it has, in numbers of eight bytes: the tick, the weight and the sequence.
pub(crate) type Record = [u64; 3];

/// All that was written down, in the order of the sequences; a record that a kill cut off is none.
pub(crate) fn records(folder: &Path) -> Vec<Record> {
    let bytes = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let record = |bytes: &[u8]| [0, 8, 16].map(|at| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()));
    let mut records: Vec<Record> =
        bytes.flat_map(|bytes| bytes.chunks_exact(24).map(record).collect::<Vec<_>>()).collect();
    records.sort_unstable_by_key(|[_, _, sequence]| *sequence);
    records
}

/// No closed window holds more than its rate allows. Units between those of two records were admitted between their ticks,
/// whether or not somebody wrote them down.
pub(crate) fn never_over(records: &[Record], rates: &Rates) {
    for rate in rates {
        let (limit, interval) = (rate.limit(), u64::try_from(rate.interval().as_micros()).unwrap());
        let mut first = 0;
        for [tick, _, sequence] in records {
            while records[first][0] + interval < *tick {
                first += 1;
            }
            let [since, weight, before] = records[first];
            let admitted = sequence - (before - weight);
            assert!(admitted <= limit, "{admitted} units from {since} to {tick}, and {rate} allows {limit}");
        }
    }
}

/// How many units fit into so many microseconds, if each is taken as soon as that may be.
pub(crate) fn most_in(micros: u64, rates: &Rates) -> u64 {
    let mut ticks: Vec<u64> = Vec::new();
    loop {
        let earliest = rates.iter().filter_map(|rate| {
            let leaving = ticks.len().checked_sub(usize::try_from(rate.limit()).unwrap())?;
            Some(ticks[leaving] + u64::try_from(rate.interval().as_micros()).unwrap() + 1)
        });
        let next = earliest.max().unwrap_or_default();
        if next > micros {
            return ticks.len() as u64;
        }
        ticks.push(next);
    }
}
