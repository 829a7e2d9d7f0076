//! Who asks a remote store, and how long each answer took.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// One that makes a request after the other.
pub(crate) trait Caller: Send + 'static {
    /// Makes a request, and says whether it was admitted.
    fn call(&mut self) -> impl Future<Output = Result<bool>> + Send;
}

/// How long to ask: what is asked in the first part is not counted, so that the rest sees things as they go on to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) lead: Duration,
    pub(crate) length: Duration,
}

/// What came of the requests of one run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Nanoseconds of each, in rising order.
    pub(crate) latencies: Vec<u32>,
    pub(crate) admitted: usize,
    /// With those of the lead.
    pub(crate) all: usize,
}

/// Has so many tasks ask, on a runtime as users have it.
pub(crate) fn tasks<C: Caller>(runtime: &Runtime, callers: Vec<C>, span: Span) -> Result<Run> {
    runtime.block_on(async {
        let start = Instant::now();
        let mut all = JoinSet::new();
        for mut caller in callers {
            all.spawn(async move {
                let mut laps = Laps::new(start, span);
                while laps.goes_on() {
                    laps.note(caller.call().await?);
                }
                anyhow::Ok(laps)
            });
        }
        let mut laps = Vec::new();
        while let Some(ended) = all.join_next().await {
            laps.push(ended??);
        }
        gathered(laps, start + span.lead)
    })
}

/// Has one thread ask that is on no runtime.
pub(crate) fn thread(ask: impl Fn() -> Result<bool> + Sync, span: Span) -> Result<Run> {
    let start = Instant::now();
    let laps = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut laps = Laps::new(start, span);
            while laps.goes_on() {
                laps.note(ask()?);
            }
            anyhow::Ok(laps)
        });
        asking.join().map_err(|_| anyhow!("the caller panicked"))?
    })?;
    gathered(vec![laps], start + span.lead)
}

/// What most programs have that are on Tokio, with as many workers as there are cores where this is measured.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// What one caller saw.
struct Laps {
    from: Instant,
    end: Instant,
    last: Instant,
    nanos: Vec<u32>,
    admitted: usize,
    all: usize,
}

impl Laps {
    fn new(start: Instant, span: Span) -> Self {
        let (from, end) = (start + span.lead, start + span.lead + span.length);
        Self { from, end, last: Instant::now(), nanos: Vec::new(), admitted: 0, all: 0 }
    }

    fn goes_on(&self) -> bool {
        self.last < self.end
    }

    /// One more has been answered, and the next is made right away.
    fn note(&mut self, is_admitted: bool) {
        let now = Instant::now();
        self.all += 1;
        if self.last >= self.from {
            self.nanos.push(u32::try_from((now - self.last).as_nanos()).unwrap_or(u32::MAX));
            self.admitted += usize::from(is_admitted);
        }
        self.last = now;
    }
}

fn gathered(laps: Vec<Laps>, from: Instant) -> Result<Run> {
    let last = laps.iter().map(|laps| laps.last).max().context("nobody asked")?;
    let mut run = Run { seconds: last.saturating_duration_since(from).as_secs_f64(), ..Run::default() };
    for laps in laps {
        run.latencies.extend(laps.nanos);
        run.admitted += laps.admitted;
        run.all += laps.all;
    }
    ensure!(!run.latencies.is_empty(), "nothing was asked behind the lead");
    run.latencies.sort_unstable();
    Ok(run)
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "there are millions")]
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// Microseconds that this share of the requests, of a thousand, did not take longer than.
    pub(crate) fn micros_of(&self, of_thousand: usize) -> f64 {
        let place = (self.latencies.len() * of_thousand).div_ceil(1_000).saturating_sub(1);
        f64::from(self.latencies[place]) / 1e3
    }
}
