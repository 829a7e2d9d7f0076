use std::panic::catch_unwind;
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};
use crate::time::Timestamp;
use crate::timer::contract::{Alarm, Timer};
use crate::timer::signal::wake;

/// The clock of a Tokio runtime, counted from the Unix epoch: for tests under Tokio's paused time, and where no other thread
/// than the runtime's own should wake who waits.
///
/// Paused, Tokio's clock moves in whole milliseconds, and to whatever comes next as soon as the runtime is idle. That includes
/// the end of the time that a call to a remote store may take, while the store's own threads are still at work: give the
/// limiter no [`call_timeout`](crate::LimiterBuilder::call_timeout) there. Tokio's own time for tests needs its feature
/// `test-util`.
///
/// Elsewhere [`SystemTimer`](crate::SystemTimer) serves callers on any executor, Tokio's included, and is quicker to read.
///
/// # Examples
/// ```
/// use scupper::{Limiter, TokioTimer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> scupper::Result<()> {
/// let limiter = Limiter::builder().rates(["1/h".parse()?]).timer(TokioTimer::current()?).build()?;
/// let first = limiter.acquire_async("user:42").await?.tick();
/// let second = limiter.acquire_async("user:42").await?.tick(); // an hour later, under paused time at once
/// assert!(second.since(first).as_secs() >= 3600);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokioTimer {
    runtime: Handle,
    started: Instant,
    epoch: Timestamp,
}

impl TokioTimer {
    /// A timer on the clock of the runtime that this is called in.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] outside of a runtime, or in one that was built without time.
    ///
    /// # Examples
    /// ```
    /// assert!(scupper::TokioTimer::current().is_err(), "there is no runtime here");
    /// ```
    pub fn current() -> Result<Self> {
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "a Tokio timer must be made inside of a Tokio runtime")
                .with_source(error)
        })?;
        // Tokio tells in no other way.
        let has_time = catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
        if !has_time {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "the Tokio runtime was built without time; build it with enable_time or enable_all",
            ));
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { runtime, started: Instant::now(), epoch: Timestamp::ZERO + since_epoch })
    }

    fn instant_of(&self, at: Timestamp) -> Instant {
        // Beyond what Tokio can express, the alarm goes off early and is set again.
        let far = Duration::from_secs(1 << 30);
        self.started.checked_add(at.since(self.epoch)).unwrap_or_else(|| Instant::now() + far)
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Timestamp {
        let _inside = self.runtime.enter();
        self.epoch + self.started.elapsed()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        let _inside = self.runtime.enter();
        let (instant, bell) = (self.instant_of(at), Arc::new(Bell::new(waker)));
        let hand = Hand(Arc::clone(&bell));
        let task = self.runtime.spawn(async move {
            tokio::time::sleep_until(instant).await;
            drop(hand);
        });
        if !bell.hang() {
            if self.now() < at {
                let ended = "the Tokio runtime that wakes waiting requests is shut down";
                return Err(Error::new(ErrorKind::Unavailable, ended));
            }
            bell.ring();
        }
        Ok(Alarm::new(CallOff { task, bell }))
    }
}

/// Wakes when it has been hung and was pulled, in whichever order.
struct Bell {
    waker: Mutex<Option<Waker>>,
    /// Whether one of the two has happened.
    is_half_done: AtomicBool,
}

impl Bell {
    const fn new(waker: Waker) -> Self {
        Self { waker: Mutex::new(Some(waker)), is_half_done: AtomicBool::new(false) }
    }

    /// Hangs the bell; says whether it was not pulled yet.
    fn hang(&self) -> bool {
        !self.advance()
    }

    /// Says whether this was the second of the two.
    fn advance(&self) -> bool {
        self.is_half_done.swap(true, Ordering::AcqRel)
    }

    fn ring(&self) {
        let waker = lock(&self.waker).take();
        waker.into_iter().for_each(wake);
    }
}

/// Pulls the bell when it is dropped: at its time, or when the runtime ends before. A runtime that has ended drops it before
/// the bell hangs, and nobody is woken.
struct Hand(Arc<Bell>);

impl Drop for Hand {
    fn drop(&mut self) {
        if self.0.advance() {
            self.0.ring();
        }
    }
}

/// Ends the task, after it has taken the waker away: what is called off does not go off.
struct CallOff {
    task: JoinHandle<()>,
    bell: Arc<Bell>,
}

impl Drop for CallOff {
    fn drop(&mut self) {
        // A waker runs foreign code when it is dropped: not under the lock.
        let waker = lock(&self.bell.waker).take();
        drop(waker);
        self.task.abort();
    }
}
