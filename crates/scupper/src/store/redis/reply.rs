use crate::error::{Error, ErrorKind, Result};
use crate::quota::{Algorithm, Quota};
use crate::store::batch::Standing;
use crate::store::bucket::mismatch;
use crate::store::coalesce::Gathered;
use crate::store::outcome::{Admission, Cause, Denial, Outcome, Reply, Snapshot, Usage, Verdict};
use crate::store::redis::encode::HALF;
use crate::store::redis::failure::{is_want_of_rights, not_allowed};
use crate::store::redis::job::{Asked, Job, What};
use crate::time::Timestamp;

/// What the script says of operations.
const DONE: u8 = 1;
const DENIED: u8 = 2;
const NEVER_FITS: u8 = 3;
const MISMATCH: u8 = 4;

/// The outcomes of a job's operations, from what the script wrote.
pub(super) fn read(job: &Job, bytes: &[u8]) -> Vec<Outcome> {
    if let Some(wrong) = bytes.strip_prefix(b"!") {
        return job.errors(&wrong_bucket(&job.key, wrong)).collect();
    }
    let (mut reader, mut outcomes) = (Reader(bytes), Vec::with_capacity(job.size()));
    for asked in &job.asked {
        if let Err(error) = reader.outcomes(asked, &mut outcomes) {
            outcomes.extend(job.errors(&error).skip(outcomes.len()));
            break;
        }
    }
    outcomes
}

/// Why the script did not touch what lies under this key.
#[cold]
fn wrong_bucket(key: &str, wrong: &[u8]) -> Error {
    let (kind, text) = wrong.split_first().unwrap_or((&b'C', b""));
    let text = String::from_utf8_lossy(text);
    let shown = shortened(key);
    match kind {
        b'F' => {
            let hint = if text == "zset" {
                "; sorted sets are what pyrate-limiter keeps, and they are left as they are: finish with them and delete the \
                 key, or choose another prefix or key"
            } else {
                "; it is left as it is: delete it if nobody needs it, or choose another prefix or key"
            };
            Error::new(ErrorKind::Corrupt, format!("the Redis key {shown} holds a {text} that is no bucket{hint}"))
        }
        b'V' => Error::new(
            ErrorKind::Corrupt,
            format!(
                "the bucket at the Redis key {shown} is of format {text:?}, this library knows 1; update the library"
            ),
        ),
        b'E' if is_want_of_rights(&text) => not_allowed("Redis", &text),
        b'E' => Error::new(
            ErrorKind::Unavailable,
            format!("Redis could not write the bucket, and nothing was taken: {text}"),
        ),
        _ => Error::new(
            ErrorKind::Corrupt,
            format!("the bucket at the Redis key {shown} cannot be read ({text}); delete the key to begin anew"),
        ),
    }
}

fn shortened(key: &str) -> String {
    const MOST: usize = 60;
    let end = if key.chars().count() > MOST { "…" } else { "" };
    format!("{:?}{end}", key.chars().take(MOST).collect::<String>())
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn outcomes(&mut self, asked: &Asked, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let status = self.byte()?;
        if status == MISMATCH {
            let kept_by = algorithm(self.byte()?)?;
            let asked_for = asked.quota.as_ref().map_or(kept_by, Quota::algorithm);
            outcomes.extend((0..asked.count).map(|_| Err(mismatch(kept_by, asked_for))));
            return Ok(());
        }
        let reply = match asked.what {
            What::Acquire { weight, standing } => return self.acquired(status, asked, (weight, standing), outcomes),
            What::Peek => Reply::Peeked(self.snapshot(asked)?),
            What::Refund(_) => Reply::Refunded(self.number()?),
            What::Penalize { .. } => Reply::Penalized(self.time()?),
            What::Reset | What::Owes => Reply::Reset(self.byte()? == 1),
            What::Hold { .. } => Reply::Held(self.time()?),
        };
        outcomes.push(Ok(reply));
        Ok(())
    }

    fn acquired(
        &mut self,
        status: u8,
        asked: &Asked,
        (weight, standing): (u64, Standing),
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let verdict = |verdict| Ok(Reply::Acquired(verdict));
        if status == NEVER_FITS {
            let rate = asked.quota.as_ref().map_or(0, Quota::tightest);
            outcomes.extend((0..asked.count).map(|_| verdict(Verdict::NeverFits { rate })));
            return Ok(());
        }
        let taken = if status == DONE { asked.count } else { self.count()?.min(asked.count) };
        let (tick, high, low) = (self.time()?, self.number()?, self.number()?);
        let before = high.wrapping_mul(HALF).wrapping_add(low);
        let admission = |place: u32| {
            let sequence = before.wrapping_add(weight.wrapping_mul(u64::from(place) + 1));
            verdict(Verdict::Admitted(Admission { tick, weight, sequence }))
        };
        outcomes.extend((0..taken).map(admission));
        if status != DENIED {
            return Ok(());
        }
        let (now, retry_at) = (self.time()?, self.time()?);
        let (rate, cause) = (self.short()?, self.byte()?);
        let rate = usize::from(rate).checked_sub(1);
        let cause = match cause {
            1 => Cause::Full,
            2 => Cause::Held,
            _ => Cause::Queued,
        };
        let denied = |place: u32| {
            // Behind one that waits and was denied, the others are in line.
            let is_behind = standing == Standing::Waiting && place > taken;
            verdict(Verdict::Denied(Denial {
                now,
                retry_at,
                rate,
                cause: if is_behind { Cause::Queued } else { cause },
            }))
        };
        outcomes.extend((taken..asked.count).map(denied));
        Ok(())
    }

    fn snapshot(&mut self, asked: &Asked) -> Result<Snapshot> {
        let (now, held) = (self.time()?, self.double()?);
        let held_until = (held >= 0.0).then(|| Timestamp::from_micros(whole(held)));
        let rates = asked.quota.iter().flat_map(|quota| quota.rates().iter());
        let usage = rates.map(|rate| Ok(Usage::new(*rate, self.number()?, self.time()?)));
        let usage = usage.collect::<Result<Vec<_>>>()?;
        Ok(Snapshot::new(now, held_until, usage))
    }

    fn byte(&mut self) -> Result<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(unreadable)?;
        self.0 = rest;
        Ok(*first)
    }

    fn short(&mut self) -> Result<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    fn count(&mut self) -> Result<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn double(&mut self) -> Result<f64> {
        self.bytes().map(f64::from_be_bytes)
    }

    fn number(&mut self) -> Result<u64> {
        self.double().map(whole)
    }

    fn time(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp::from_micros)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the script's numbers are whole, from 0 to 2^53"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

fn algorithm(code: u8) -> Result<Algorithm> {
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.to_string().as_bytes().first() == Some(&code));
    known.ok_or_else(unreadable)
}

#[cold]
fn unreadable() -> Error {
    Error::new(
        ErrorKind::Unknown,
        "the answer of the script in Redis cannot be read; what was asked may have been done",
    )
}
