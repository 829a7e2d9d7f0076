use crate::store::batch::Standing;
use crate::store::outcome::{Admission, Cause, Denial, Verdict};
use crate::store::postgres::call::{Entries, Group};
use crate::time::Timestamp;

/// What the function says of an entry.
#[derive(Clone, Copy, Debug)]
struct Said {
    verdict: i64,
    admitted: i64,
    tick: u64,
    sequence: u64,
    clock: u64,
    retry_at: u64,
    rate: i64,
    cause: i64,
}

/// What the function says of a bucket.
#[derive(Debug, PartialEq)]
pub(super) enum Decided {
    /// It has to be seen as a whole, and nothing was done.
    Undecided,
    /// Somebody else has it, and nothing was done.
    Busy,
    /// An answer that cannot be.
    Unreadable,
    /// Whether each operation was admitted, in the order of the jobs.
    Verdicts(Vec<Verdict>),
}

/// So many numbers are said of each entry.
pub(super) const NUMBERS: usize = 8;

impl Said {
    fn of(numbers: &[i64]) -> Option<Self> {
        let &[verdict, admitted, tick, sequence, clock, retry_at, rate, cause] = numbers else { return None };
        let [tick, sequence, clock, retry_at] = [tick, sequence, clock, retry_at].map(i64::cast_unsigned);
        Some(Self { verdict, admitted, tick, sequence, clock, retry_at, rate, cause })
    }

    /// The verdicts on each of these.
    fn verdicts(self, entry: Entries, out: &mut Vec<Verdict>) -> Option<()> {
        let admitted = u32::try_from(self.admitted).ok().filter(|admitted| *admitted <= entry.count)?;
        if self.verdict == 2 {
            let rate = usize::try_from(self.rate).ok()?;
            out.extend((0..entry.count).map(|_| Verdict::NeverFits { rate }));
            return Some(());
        }
        let admission = |nth: u32| {
            let later = u64::from(admitted - 1 - nth).wrapping_mul(entry.weight);
            let sequence = self.sequence.wrapping_sub(later);
            Verdict::Admitted(Admission { tick: Timestamp::from_micros(self.tick), weight: entry.weight, sequence })
        };
        out.extend((0..admitted).map(admission));
        if admitted < entry.count {
            let first = self.denial()?;
            // Whoever waits keeps those behind it from their turn.
            let cause = if entry.standing == Standing::Waiting { Cause::Queued } else { first.cause };
            out.push(Verdict::Denied(first));
            out.extend((admitted + 1..entry.count).map(|_| Verdict::Denied(Denial { cause, ..first })));
        }
        Some(())
    }

    fn denial(&self) -> Option<Denial> {
        let cause = match self.cause {
            1 => Cause::Full,
            2 => Cause::Queued,
            3 => Cause::Held,
            _ => return None,
        };
        let rate = if self.rate == -1 { None } else { Some(usize::try_from(self.rate).ok()?) };
        let (now, retry_at) = (Timestamp::from_micros(self.clock), Timestamp::from_micros(self.retry_at));
        Some(Denial { now, retry_at, rate, cause })
    }
}

impl Decided {
    /// From the numbers that are said of each entry of this group.
    pub(super) fn of(group: &Group, numbers: &[i64]) -> Self {
        let said: Option<Vec<Said>> = numbers.chunks(NUMBERS).map(Said::of).collect();
        let Some(said) = said.filter(|said| said.len() == group.entries.len()) else { return Self::Unreadable };
        for (verdict, left) in [(0, Self::Undecided), (3, Self::Busy)] {
            let count = said.iter().filter(|said| said.verdict == verdict).count();
            if count > 0 {
                return if count == said.len() { left } else { Self::Unreadable };
            }
        }
        let mut verdicts = Vec::new();
        for (said, entry) in said.into_iter().zip(&group.entries) {
            let is_read = (1..=2).contains(&said.verdict) && said.verdicts(*entry, &mut verdicts).is_some();
            if !is_read {
                return Self::Unreadable;
            }
        }
        Self::Verdicts(verdicts)
    }
}
