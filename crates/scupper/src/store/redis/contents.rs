use crate::error::{Error, ErrorKind, Result};
use crate::quota::{Algorithm, Quota};
use crate::rates::Rates;
use crate::time::Timestamp;

/// The value of a bucket's key in Redis, to be looked at: `docs/redis.md` tells its form.
///
/// # Examples
/// ```
/// use scupper::store::RedisContents;
///
/// assert!(RedisContents::read(b"no bucket").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct RedisContents {
    quota: Quota,
    entries: Vec<(u64, u64)>,
}

const MAGIC: &[u8] = b"scupper1";
/// How many bytes there are between the area and the text of the quota.
const COLD: usize = 58;

impl RedisContents {
    /// Takes a value apart.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if it is no bucket of this format.
    pub fn read(value: &[u8]) -> Result<Self> {
        Self::parse(value).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "what lies under the Redis key is no bucket that can be read")
        })
    }

    /// The rates that its last caller asked for, and their algorithm.
    #[must_use]
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// When the unit was taken that came so many before the newest. Nothing where the log has not so many, or the algorithm
    /// keeps no log. Units that have left every window may be there still.
    #[must_use]
    pub fn unit(&self, before_newest: u64) -> Option<Timestamp> {
        if self.quota.algorithm() != Algorithm::SlidingWindowLog {
            return None;
        }
        let newest = self.entries.last()?.1;
        let (_, base) = self.entries.first()?;
        // Totals count the units up to and with an event; the first entry is none, but tells where the log begins.
        let total = newest.checked_sub(before_newest).filter(|total| total > base)?;
        let place = self.entries.partition_point(|&(_, up_to)| up_to < total);
        self.entries.get(place).map(|&(tick, _)| Timestamp::from_micros(tick))
    }

    /// For each rate under [`Algorithm::Gcra`], when all that was taken will have drained: in microseconds, and parts of one in
    /// 1/limit. Empty under another algorithm.
    #[must_use]
    pub fn drained(&self) -> &[(u64, u64)] {
        if self.quota.algorithm() == Algorithm::Gcra { &self.entries } else { &[] }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let header = Header::parse(value)?;
        let area = value.get(header.area..)?;
        let text = area.get(header.room * 16 + COLD..)?;
        let quota = quota(text.get(..header.length)?)?;
        let entries = if quota.algorithm() == Algorithm::SlidingWindowLog {
            header.events(area, text.get(header.length..)?)?
        } else {
            (0..quota.rates().len()).map(|place| entry(area, place)).collect::<Option<_>>()?
        };
        Some(Self { quota, entries })
    }
}

#[derive(Debug)]
struct Header {
    open: u64,
    total: u64,
    closed: u64,
    base: u64,
    head: usize,
    count: usize,
    capacity: usize,
    room: usize,
    used: usize,
    length: usize,
    /// Where the area begins.
    area: usize,
}

impl Header {
    fn parse(value: &[u8]) -> Option<Self> {
        let mut rest = value.strip_prefix(MAGIC)?;
        let mut number = |bytes: usize| {
            let (first, others) = rest.split_at_checked(bytes)?;
            rest = others;
            Some(first.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)))
        };
        // The high-water mark and the sequence.
        let _ = (number(8)?, number(2)?, number(8)?);
        let (open, total, closed, base) = (number(8)?, number(8)?, number(8)?, number(8)?);
        let (head, count, capacity) = (number(4)?, number(4)?, number(4)?);
        let _expires = number(8)?;
        let (room, used) = (number(2)?, number(2)?);
        let _ = (number(2)?, number(1)?);
        let length = number(4)?;
        let [head, count, capacity, room, used, length] =
            [head, count, capacity, room, used, length].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let area = value.len() - rest.len();
        (count <= capacity && used <= room).then_some(Self {
            open,
            total,
            closed,
            base,
            head,
            count,
            capacity,
            room,
            used,
            length,
            area,
        })
    }

    /// The events of a log, the oldest first, behind an entry for where it begins: of each the tick, and all units up to and with
    /// it.
    fn events(&self, area: &[u8], ring: &[u8]) -> Option<Vec<(u64, u64)>> {
        let earlier = (0..self.count).map(|place| entry(ring, (self.head + place) % self.capacity));
        let recent = (0..self.used).map(|place| entry(area, place));
        let begin = [Some((0, self.base))];
        let mut events = begin.into_iter().chain(earlier).chain(recent).collect::<Option<Vec<_>>>()?;
        if self.total > self.closed {
            events.push((self.open, self.total));
        }
        events.is_sorted_by_key(|&(_, up_to)| up_to).then_some(events)
    }
}

fn entry(bytes: &[u8], place: usize) -> Option<(u64, u64)> {
    let (first, rest) = bytes.get(place.checked_mul(16)?..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(*rest.first_chunk()?)))
}

fn quota(text: &[u8]) -> Option<Quota> {
    let (algorithm, rates) = str::from_utf8(text).ok()?.split_once(' ')?;
    let rates = rates.split(' ').map(|rate| rate.parse().ok()).collect::<Option<Vec<_>>>()?;
    Quota::new(algorithm.parse().ok()?, Rates::new(rates).ok()?).ok()
}
