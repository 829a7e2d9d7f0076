//! Who asks a store, or what it is built on, and how long each answer took.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, consume_budget};

use crate::run::{Run, Span, Whole};

/// How long any side waits for an answer before it is an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One that makes a request after the other.
pub(crate) trait Caller: Send + 'static {
    /// Makes a request, and says whether it was admitted.
    fn call(&mut self) -> impl Future<Output = Result<bool>> + Send;
}

/// What most programs have that are on Tokio, with as many workers on any machine.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Has all of them ask at once, a task each.
///
/// # Errors
///
/// If a request fails, or none is counted.
pub(crate) fn tasks<C: Caller>(runtime: &Runtime, callers: Vec<C>, span: Span) -> Result<Run> {
    runtime.block_on(async {
        let start = Instant::now();
        let mut all = JoinSet::new();
        for mut caller in callers {
            all.spawn(async move {
                let mut laps = Laps::new(start, span);
                while laps.goes_on() {
                    laps.note(caller.call().await?);
                    // What is answered at once must let others run as well.
                    consume_budget().await;
                }
                anyhow::Ok(laps)
            });
        }
        let mut laps = Vec::new();
        while let Some(ended) = all.join_next().await {
            laps.push(ended??);
        }
        gathered(laps, start, span)
    })
}

/// Has so many threads ask at once that are on no runtime; each is told its number, from 0.
///
/// # Errors
///
/// If a request fails, or none is counted.
pub(crate) fn threads(count: u64, span: Span, work: impl Fn(u64, &mut Laps) -> Result<()> + Sync) -> Result<Run> {
    let start = Instant::now();
    let asking = |number| {
        let mut laps = Laps::new(start, span);
        work(number, &mut laps)?;
        anyhow::Ok(laps)
    };
    let asking = &asking;
    let laps = thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|number| scope.spawn(move || asking(number))).collect();
        all.into_iter().map(|one| one.join().map_err(|_| anyhow!("a caller panicked"))?).collect::<Result<_>>()
    })?;
    gathered(laps, start, span)
}

/// What one caller saw.
#[derive(Debug)]
pub(crate) struct Laps {
    from: Instant,
    end: Instant,
    last: Instant,
    nanos: Vec<u32>,
    admitted: usize,
    in_lead: usize,
}

impl Laps {
    fn new(start: Instant, Span { lead, length }: Span) -> Self {
        let from = start + lead;
        Self { from, end: from + length, last: Instant::now(), nanos: Vec::new(), admitted: 0, in_lead: 0 }
    }

    /// Makes requests until the time is over; each says whether it was admitted.
    pub(crate) fn fill(&mut self, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
        while self.goes_on() {
            self.note(ask()?);
        }
        Ok(())
    }

    /// Whether to make another request: one is made however little the machine lets us do in that time.
    fn goes_on(&self) -> bool {
        self.last < self.end || self.nanos.is_empty()
    }

    /// One more has been answered, and the next is made right away.
    fn note(&mut self, is_admitted: bool) {
        let now = Instant::now();
        if self.last < self.from {
            self.in_lead += 1;
        } else {
            self.nanos.push(u32::try_from((now - self.last).as_nanos()).unwrap_or(u32::MAX));
            self.admitted += usize::from(is_admitted);
        }
        self.last = now;
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are millions")]
fn gathered(all: Vec<Laps>, start: Instant, span: Span) -> Result<Run> {
    let last = all.iter().map(|laps| laps.last).max().context("nobody asked")?;
    let mut run = Run { seconds: (last - (start + span.lead)).as_secs_f64(), ..Run::default() };
    let mut in_lead = 0;
    for laps in all {
        run.latencies.extend(laps.nanos);
        run.admitted += laps.admitted;
        in_lead += laps.in_lead;
    }
    ensure!(!run.latencies.is_empty(), "nothing was asked behind the lead");
    run.latencies.sort_unstable();
    let requests = (in_lead + run.latencies.len()) as f64;
    run.whole = Whole { requests, seconds: (last - start).as_secs_f64(), ..Whole::default() };
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { lead: Duration::from_millis(20), length: Duration::from_millis(20) };

    /// Takes a millisecond, and is admitted every other time.
    struct Odd(bool);

    impl Caller for Odd {
        async fn call(&mut self) -> Result<bool> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.0 = !self.0;
            Ok(self.0)
        }
    }

    struct Failing;

    impl Caller for Failing {
        async fn call(&mut self) -> Result<bool> {
            Err(anyhow!("no"))
        }
    }

    #[test]
    fn the_lead_is_not_counted_and_all_else_is() -> Result<()> {
        let run = tasks(&runtime()?, vec![Odd(false), Odd(false)], SPAN)?;
        let counted = run.latencies.len();
        assert!((2..=42).contains(&counted), "{counted}");
        assert!(run.admitted.abs_diff(counted / 2) <= 2, "{} of {counted}", run.admitted);
        assert!(run.whole.requests > run.requests_per_second() * run.seconds);
        assert!(run.seconds >= 0.02 && run.whole.seconds >= 0.04);
        assert!(run.latencies[0] >= 1_000_000);
        Ok(())
    }

    #[test]
    fn every_thread_is_counted() -> Result<()> {
        let run = threads(3, SPAN, |number, laps| {
            laps.fill(|| {
                thread::sleep(Duration::from_millis(1));
                Ok(number == 0)
            })
        })?;
        assert!(run.admitted >= 1 && run.latencies.len() >= run.admitted + 2, "{run:?}");
        Ok(())
    }

    #[test]
    fn one_that_fails_is_an_error() -> Result<()> {
        assert!(tasks(&runtime()?, vec![Failing], SPAN).is_err());
        assert!(
            threads(2, SPAN, |number, laps| laps.fill(|| if number == 0 { Ok(true) } else { Err(anyhow!("no")) }))
                .is_err()
        );
        Ok(())
    }
}
