use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

/// What the work came to, and whom to tell.
type Slot<T> = Arc<Mutex<(Option<T>, Option<Waker>)>>;

/// Has work that blocks done by a thread of its own, so that a deadline or a signal ends the wait for it. The work itself goes on.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<impl Future<Output = T>> {
    let slot: Slot<T> = Arc::new(Mutex::new((None, None)));
    let theirs = Arc::clone(&slot);
    thread::Builder::new().spawn(move || {
        let done = work();
        let mut slot = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(done);
        let waker = slot.1.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    })?;
    Ok(poll_fn(move |context| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.1 = Some(context.waker().clone());
        slot.0.take().map_or(Poll::Pending, Poll::Ready)
    }))
}
