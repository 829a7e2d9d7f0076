use std::io;
use std::marker::PhantomData;

use libc::c_int;

use crate::set::{SignalSet, is_ignored};

/// Signals that wait until this is dropped, but for what is done in [`let_through`](Self::let_through).
///
/// What a signal does is left as it is: one that would end the process does so as soon as it is let through, as if it came then.
/// One that nobody lets through before the process becomes another program is that one's.
///
/// Threads that were there before do not hold them back, and may take a signal that is for the whole process: make this while
/// there is one thread. Threads that begin later do.
///
/// # Examples
/// ```
/// # #[cfg(unix)] {
/// use scupper_exec::Held;
///
/// let held = Held::hold(&[libc::SIGINT, libc::SIGTERM])?;
/// assert_eq!(held.pending(), None);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "signals are let through when this is dropped"]
pub struct Held {
    signals: Vec<c_int>,
    set: SignalSet,
    /// Each thread holds back its own.
    _of_one_thread: PhantomData<*const ()>,
}

impl Held {
    /// Holds back those of these signals that are not ignored and not held back already: such are left alone, and of no
    /// interest.
    ///
    /// # Errors
    /// None that is known of.
    pub fn hold(signals: &[c_int]) -> io::Result<Self> {
        let before = SignalSet::held()?;
        let is_of_interest = |signal: &c_int| !is_ignored(*signal) && !before.has(*signal);
        let signals: Vec<_> = signals.iter().copied().filter(is_of_interest).collect();
        let set = signals.iter().copied().collect::<SignalSet>();
        set.block()?;
        Ok(Self { signals, set, _of_one_thread: PhantomData })
    }

    /// One of the signals that came and waits.
    #[must_use]
    pub fn pending(&self) -> Option<c_int> {
        let pending = SignalSet::pending();
        self.signals.iter().copied().find(|signal| pending.has(*signal))
    }

    /// Does this with signals let through: those that came before, and those that come meanwhile. What another one of these holds
    /// back stays held back.
    ///
    /// Threads that begin in it do not hold them back.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(unix)] {
    /// use scupper_exec::Held;
    /// use std::thread::sleep;
    /// use std::time::Duration;
    ///
    /// let held = Held::hold(&[libc::SIGINT])?;
    /// held.let_through(|| sleep(Duration::from_millis(1))); // a SIGINT ends it here
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn let_through<T>(&self, work: impl FnOnce() -> T) -> T {
        let again = Again(&self.set);
        // What was not held back before need not be now.
        let _ = self.set.unblock();
        let done = work();
        drop(again);
        done
    }
}

/// Holds signals back again, also after a panic.
struct Again<'a>(&'a SignalSet);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        let _ = self.0.block();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What was not held back before need not be now.
        let _ = self.set.unblock();
    }
}
