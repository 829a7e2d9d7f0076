use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use crate::error::Result;
use crate::time::Timestamp;
use crate::timer::signal::block_on;

/// A clock with an alarm: where a store in this process reads the time, and what waiting callers sleep on.
///
/// [`SystemTimer`](crate::SystemTimer) is the one to use; [`WallTimer`](crate::WallTimer) follows the calendar,
/// [`ManualTimer`](crate::ManualTimer) moves when a test says so. An implementation needs two methods:
/// [`now`](Timer::now) and [`wake_at`](Timer::wake_at), which all waiting is made of.
///
/// # Examples
/// ```
/// use scupper::{ManualTimer, Timer};
/// use std::time::Duration;
///
/// let timer = ManualTimer::new();
/// let start = timer.now();
/// timer.advance(Duration::from_secs(1));
/// assert_eq!(timer.now().since(start), Duration::from_secs(1));
/// ```
pub trait Timer: Any + fmt::Debug + Send + Sync {
    /// The time on this clock. It should not step back; if it does, no store frees anything early.
    fn now(&self) -> Timestamp;

    /// Wakes `waker` once the clock reads `at` or later, at once if it already does. Dropping the [`Alarm`] calls it
    /// off. An alarm goes off once.
    ///
    /// The waker may run on a thread of the timer, or within this call: it must be quick, and call this without a lock
    /// that the waker takes. It may set and drop alarms itself.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the timer has no means to wake anyone, for example
    /// because the system refuses a thread.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    /// use std::{sync::{Arc, mpsc}, task::Wake, time::Duration};
    ///
    /// struct Bell(mpsc::Sender<()>);
    /// impl Wake for Bell {
    ///     fn wake(self: Arc<Self>) {
    ///         self.0.send(()).unwrap();
    ///     }
    /// }
    ///
    /// let (bell, rung) = mpsc::channel();
    /// let timer = ManualTimer::new();
    /// let _alarm = timer.wake_at(Timestamp::from_micros(5), Arc::new(Bell(bell)).into())?;
    /// timer.advance(Duration::from_micros(5));
    /// assert!(rung.try_recv().is_ok());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm>;

    /// As [`wake_at`](Timer::wake_at), for what is to be done by then if nothing else has happened before: the end of the
    /// time that a call may take, or housekeeping. A clock that moves by itself while everybody waits moves for alarms, but
    /// not for these. Without an implementation of its own, the same as [`wake_at`](Timer::wake_at).
    ///
    /// # Errors
    /// Those of [`wake_at`](Timer::wake_at).
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    /// use std::task::Waker;
    ///
    /// let timer = ManualTimer::new();
    /// let _reminder = timer.remind_at(Timestamp::from_micros(5), Waker::noop().clone())?;
    /// assert_eq!((timer.alarms(), timer.next_alarm()), (0, None));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    fn remind_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.wake_at(at, waker)
    }

    /// Said by a thread that has nothing left to do but wait. A clock that moves by itself moves on here, and says whether
    /// it did; where it has nowhere to go, it may wake `waker` once it has. Other clocks do nothing.
    ///
    /// # Examples
    /// ```
    /// use scupper::{SystemTimer, Timer};
    /// use std::task::Waker;
    ///
    /// assert!(!SystemTimer::new().idle(Waker::noop()));
    /// ```
    fn idle(&self, waker: &Waker) -> bool {
        let _ = waker;
        false
    }

    /// Blocks the calling thread until the clock reads `at` or later.
    ///
    /// # Errors
    /// Those of [`wake_at`](Timer::wake_at).
    ///
    /// # Examples
    /// ```
    /// use scupper::{SystemTimer, Timer};
    /// use std::time::Duration;
    ///
    /// let timer = SystemTimer::new();
    /// let at = timer.now() + Duration::from_millis(1);
    /// timer.sleep_until(at)?;
    /// assert!(timer.now() >= at);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    fn sleep_until(&self, at: Timestamp) -> Result<()> {
        let mut _alarm = Alarm::gone_off();
        let due = poll_fn(|context| {
            if self.now() >= at {
                return Poll::Ready(Ok(()));
            }
            // Set anew each time: a timer may go off early, and an alarm goes off once.
            match self.wake_at(at, context.waker().clone()) {
                Ok(alarm) => {
                    _alarm = alarm;
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        });
        block_on(due, |waker| self.idle(waker))
    }
}

/// An alarm that is set; dropping it calls it off. It says nothing about whether the alarm has gone off already.
///
/// # Examples
/// ```
/// use scupper::{ManualTimer, Timer, Timestamp};
/// use std::task::Waker;
///
/// let timer = ManualTimer::new();
/// let alarm = timer.wake_at(Timestamp::from_micros(5), Waker::noop().clone())?;
/// assert_eq!(timer.alarms(), 1);
/// drop(alarm);
/// assert_eq!(timer.alarms(), 0);
/// # Ok::<(), scupper::Error>(())
/// ```
#[must_use = "an alarm that is dropped does not go off"]
pub struct Alarm {
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Alarm {
    /// An alarm that is called off by dropping `guard`.
    ///
    /// # Examples
    /// ```
    /// struct CallOff;
    /// impl Drop for CallOff {
    ///     fn drop(&mut self) {
    ///         println!("called off");
    ///     }
    /// }
    /// drop(scupper::Alarm::new(CallOff));
    /// ```
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Some(Box::new(guard)) }
    }

    /// An alarm that has gone off: there is nothing to call off.
    pub const fn gone_off() -> Self {
        Self { _guard: None }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}
