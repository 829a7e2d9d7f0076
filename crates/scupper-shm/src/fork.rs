//! What has to be done when this process forks.
//!
//! A child that was forked has one thread, and what the others held or were about to change stays as it was at that instant: a
//! mutex locked for ever, a lock of a file that looks as if it were the child's. So whoever has such things holds them still
//! around the fork, by [`Hooks`].
//!
//! They run in every `fork` that goes through the C library, as those of Python and of other languages do. They do not run when
//! another program is started ([`std::process::Command`] without `pre_exec`), which needs none of it.

use std::io;

/// What to do around a fork. All three run on the thread that forks.
///
/// They must not panic (the process is ended if they do), and must not fork, [`register`] or [lock](crate::Shared::lock) a mapped
/// file.
pub trait Hooks: Sync {
    /// Before the process forks: take what no other thread may hold meanwhile.
    fn before(&self);
    /// In the parent, after it has forked or failed to: give back what [`before`](Self::before) took.
    fn after_in_parent(&self);
    /// In the child: give back what [`before`](Self::before) took, and forget what is the parent's.
    ///
    /// What the parent's other threads held is held for ever, so this must want nothing but what `before` took.
    fn after_in_child(&self);
}

/// Has `hooks` run around every fork of this process from now on. Again with the same hooks changes nothing; they are known by
/// their address, so that a value without a size is another one each time.
///
/// Those that were registered last run first before a fork, and last after it.
///
/// Where processes do not fork, this does nothing.
///
/// # Errors
/// If the system has no memory left to note it.
pub fn register(hooks: &'static dyn Hooks) -> io::Result<()> {
    #[cfg(unix)]
    return unix::register(hooks);
    #[cfg(not(unix))]
    {
        let _ = hooks;
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    #![expect(unsafe_code, reason = "calls the C library")]

    use std::cell::Cell;
    use std::mem::ManuallyDrop;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::{io, ptr};

    use super::Hooks;

    struct Registered {
        with_the_system: bool,
        hooks: Vec<&'static dyn Hooks>,
    }

    static REGISTERED: Mutex<Registered> = Mutex::new(Registered { with_the_system: false, hooks: Vec::new() });

    type Held = ManuallyDrop<MutexGuard<'static, Registered>>;

    thread_local! {
        /// From before a fork to after it, so that the child finds [`REGISTERED`] held by its own thread. Without a destructor,
        /// so that it is there until the very end of the thread.
        static HELD: Cell<Option<Held>> = const { Cell::new(None) };
    }

    fn locked() -> MutexGuard<'static, Registered> {
        REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(hooks: &'static dyn Hooks) -> io::Result<()> {
        let mut registered = locked();
        if !registered.with_the_system {
            // SAFETY: the three functions have the form that is asked for, touch nothing but statics, and let no panic out.
            let failure = unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
            if failure != 0 {
                return Err(io::Error::from_raw_os_error(failure));
            }
            registered.with_the_system = true;
        }
        let is_known = registered.hooks.iter().any(|known| ptr::addr_eq(*known, hooks));
        if !is_known || size_of_val(hooks) == 0 {
            registered.hooks.push(hooks);
        }
        Ok(())
    }

    // A panic cannot leave these: an `extern "C"` function ends the process instead.

    extern "C" fn before() {
        let registered = locked();
        registered.hooks.iter().rev().for_each(|hooks| hooks.before());
        HELD.set(Some(ManuallyDrop::new(registered)));
    }

    extern "C" fn after_in_parent() {
        after(|hooks| hooks.after_in_parent());
    }

    extern "C" fn after_in_child() {
        after(|hooks| hooks.after_in_child());
    }

    fn after(each: impl Fn(&dyn Hooks)) {
        if let Some(held) = HELD.take() {
            let registered = ManuallyDrop::into_inner(held);
            registered.hooks.iter().for_each(|hooks| each(*hooks));
        }
    }
}
