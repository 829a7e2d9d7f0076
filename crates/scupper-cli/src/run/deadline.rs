use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Until when a run may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deadline {
    /// As long as it takes.
    Never,
    /// No longer than asking takes.
    Now,
    At(Instant),
}

impl Deadline {
    /// So long from now.
    pub(super) fn after(timeout: Option<Duration>) -> Self {
        match timeout {
            None => Self::Never,
            Some(Duration::ZERO) => Self::Now,
            Some(timeout) => Instant::now().checked_add(timeout).map_or(Self::Never, Self::At),
        }
    }

    /// Whether `end` is in time.
    pub(super) fn allows(&self, end: Instant) -> bool {
        match self {
            Self::Never => true,
            Self::Now => false,
            Self::At(deadline) => end <= *deadline,
        }
    }

    /// Blocks the calling thread until the future has its answer; none if it has not in time. In between it rests as by
    /// [`park`], no longer than the time that is left.
    pub(super) fn wait_for<T>(&self, future: impl Future<Output = T>, rest: impl Fn(Option<Duration>)) -> Option<T> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
                return Some(answer);
            }
            match self {
                Self::Never | Self::Now => rest(None),
                Self::At(deadline) => match deadline.saturating_duration_since(Instant::now()) {
                    Duration::ZERO => return None,
                    left => rest(Some(left)),
                },
            }
        }
    }
}

/// Blocks the calling thread until it is woken, or so long.
pub(super) fn park(longest: Option<Duration>) {
    match longest {
        Some(longest) => thread::park_timeout(longest),
        None => thread::park(),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn what_is_there_is_taken_even_if_it_is_too_late() {
        for timeout in [None, Some(Duration::ZERO), Some(Duration::from_nanos(1)), Some(Duration::MAX)] {
            assert_eq!(Deadline::after(timeout).wait_for(ready(7), park), Some(7));
        }
    }

    #[test]
    fn what_never_comes_is_given_up_at_the_deadline() {
        assert_eq!(Deadline::after(Some(Duration::from_millis(1))).wait_for(pending::<u8>(), park), None);
    }

    #[test]
    fn what_comes_from_another_thread_is_heard() {
        for deadline in [Deadline::Never, Deadline::Now, Deadline::after(Some(LONG))] {
            let mut asked = false;
            let answer = poll_fn(|context| {
                if asked {
                    return Poll::Ready("heard");
                }
                asked = true;
                let waker = context.waker().clone();
                thread::spawn(move || waker.wake());
                Poll::Pending
            });
            assert_eq!(deadline.wait_for(answer, park), Some("heard"));
        }
    }

    #[test]
    fn a_wait_is_allowed_if_it_ends_in_time() {
        let now = Instant::now();
        assert!(Deadline::Never.allows(now + LONG));
        assert!(!Deadline::Now.allows(now));
        assert!(Deadline::At(now).allows(now));
        assert!(!Deadline::At(now).allows(now + Duration::from_nanos(1)));
    }
}
