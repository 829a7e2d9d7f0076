//! Many futures in one line, polled by hand.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use anyhow::{Context as _, Result, bail, ensure};

use crate::ALLOCATOR;

/// Who waits, in the order of joining.
pub(crate) struct Crowd<F> {
    line: VecDeque<One<F>>,
    joined: usize,
    next: usize,
    rung: Rung,
}

/// The numbers of those who were woken, in order.
type Rung = Arc<Mutex<Vec<usize>>>;

struct One<F> {
    future: Pin<Box<F>>,
    waker: Waker,
}

struct Bell {
    number: usize,
    rung: Rung,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

impl<F: Future> Crowd<F> {
    pub(crate) fn new() -> Self {
        Self { line: VecDeque::new(), joined: 0, next: 0, rung: Rung::default() }
    }

    /// Brings those who are to join next.
    pub(crate) fn bring(&mut self, newcomers: usize, ask: impl Fn() -> F) {
        self.line.reserve(newcomers);
        for _ in 0..newcomers {
            let number = self.next + self.line.len();
            let waker = Waker::from(Arc::new(Bell { number, rung: Arc::clone(&self.rung) }));
            self.line.push_back(One { future: Box::pin(ask()), waker });
        }
    }

    /// Has all who were brought stand in line. Says how many bytes each took, with its future.
    pub(crate) fn join(&mut self) -> Result<usize> {
        let (before, newcomers) = (ALLOCATOR.current_usage(), self.line.len() - self.joined);
        for one in self.line.iter_mut().skip(self.joined) {
            let polled = one.future.as_mut().poll(&mut Context::from_waker(&one.waker));
            ensure!(polled.is_pending(), "one that should wait was served");
        }
        self.joined = self.line.len();
        let held = ALLOCATOR.current_usage().saturating_sub(before);
        Ok(size_of::<F>() + held / newcomers.max(1))
    }

    /// Takes out all who were woken, which must be the first ones in order, and hands out what they got.
    pub(crate) fn served(&mut self, mut check: impl FnMut(F::Output) -> Result<()>) -> Result<usize> {
        let rung = std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        for number in &rung {
            ensure!(*number == self.next, "number {number} was served before number {}", self.next);
            let mut first = self.line.pop_front().context("nobody stands in line")?;
            (self.joined, self.next) = (self.joined - 1, self.next + 1);
            match first.future.as_mut().poll(&mut Context::from_waker(&first.waker)) {
                Poll::Ready(output) => check(output)?,
                Poll::Pending => bail!("number {number} was woken for nothing"),
            }
        }
        Ok(rung.len())
    }

    pub(crate) fn leave_first(&mut self) -> bool {
        self.next += 1;
        self.line.pop_front().is_some()
    }

    pub(crate) fn leave_last(&mut self) -> bool {
        self.line.pop_back().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::poll_fn;

    /// Three futures that are ready once they are woken.
    fn three(wakers: &RefCell<Vec<Waker>>) -> Result<Crowd<impl Future<Output = ()>>> {
        let mut crowd = Crowd::new();
        crowd.bring(3, || {
            let mut joined = false;
            poll_fn(move |context| {
                if std::mem::replace(&mut joined, true) {
                    return Poll::Ready(());
                }
                wakers.borrow_mut().push(context.waker().clone());
                Poll::Pending
            })
        });
        crowd.join()?;
        Ok(crowd)
    }

    #[test]
    fn those_who_are_served_in_order_are_counted() -> Result<()> {
        let wakers = RefCell::default();
        let mut crowd = three(&wakers)?;
        wakers.borrow()[..2].iter().for_each(Waker::wake_by_ref);
        assert_eq!(crowd.served(|()| Ok(()))?, 2);
        Ok(())
    }

    #[test]
    fn one_who_is_served_before_an_earlier_one_is_an_error() -> Result<()> {
        let wakers = RefCell::default();
        let mut crowd = three(&wakers)?;
        wakers.borrow()[1].wake_by_ref();
        assert!(crowd.served(|()| Ok(())).is_err());
        Ok(())
    }
}
