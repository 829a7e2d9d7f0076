//! Threads that a child of a fork can start as well.
//!
//! The standard library takes a lock of its own for an instant whenever one of its threads starts or ends, in programs whose
//! `main` is Rust's (it notes there where the thread's stack ends). Nobody holds that lock around a fork. So in a child that
//! was forked in such an instant, it is locked for ever: [`std::thread::spawn`] gives a thread there that hangs before it
//! reaches what it is for. About one fork in some hundred is such where other threads start threads all the time.
//!
//! A thread of [`start`] comes by the C library alone, which sees to forks.

use std::ffi::CStr;
use std::io;

/// Has a new thread do this, and does not wait for it. Nobody hears what comes of it: a panic is reported as any other, and ends
/// the thread alone.
///
/// Where the system shows the names of threads, it shows the first 15 bytes of this one on Linux, and nothing on some others.
/// What Rust calls the thread's name is not set.
///
/// # Errors
/// If the system gives no thread. Nothing is done then.
///
/// # Examples
/// ```
/// use std::sync::mpsc;
///
/// let (say, hear) = mpsc::channel();
/// scupper_shm::thread::start(c"answer", move || say.send(42).unwrap())?;
/// assert_eq!(hear.recv(), Ok(42));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn start(name: &'static CStr, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(unix)]
    return unix::start(name, Box::new(work));
    #[cfg(not(unix))]
    {
        let thread = std::thread::Builder::new().name(name.to_string_lossy().into_owned());
        thread.spawn(work).map(drop)
    }
}

#[cfg(unix)]
mod unix {
    #![expect(unsafe_code, reason = "calls the C library")]

    use std::ffi::{CStr, c_void};
    use std::mem::{self, MaybeUninit};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::{io, ptr};

    /// As the standard library has it.
    const STACK: usize = 2 << 20;

    struct Start {
        name: &'static CStr,
        work: Box<dyn FnOnce() + Send>,
    }

    pub(super) fn start(name: &'static CStr, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let wishes = Wishes::new()?;
        let start = Box::into_raw(Box::new(Start { name, work }));
        let mut thread = MaybeUninit::uninit();
        // SAFETY: the wishes were made above, and `run` has the form that is asked for and gets what it takes over.
        let failure = unsafe { libc::pthread_create(thread.as_mut_ptr(), &raw const wishes.0, run, start.cast()) };
        if failure != 0 {
            // SAFETY: there is no thread, so it is still ours.
            drop(unsafe { Box::from_raw(start) });
        }
        worked(failure)
    }

    /// What the new thread does. A panic cannot leave it: an `extern "C"` function ends the process instead.
    extern "C" fn run(start: *mut c_void) -> *mut c_void {
        // SAFETY: it was made for this thread alone, by `Box::into_raw`.
        let Start { name, work } = *unsafe { Box::from_raw(start.cast()) };
        be_called(name);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            // Its destructor is whatever the panic brought, and might panic once more.
            mem::forget(panic);
        }
        ptr::null_mut()
    }

    /// What is asked of a thread: that nobody waits for its end, and a stack.
    struct Wishes(libc::pthread_attr_t);

    impl Wishes {
        fn new() -> io::Result<Self> {
            let mut wishes = MaybeUninit::uninit();
            // SAFETY: this makes it.
            worked(unsafe { libc::pthread_attr_init(wishes.as_mut_ptr()) })?;
            // SAFETY: it was made.
            let mut wishes = Self(unsafe { wishes.assume_init() });
            // SAFETY: as above.
            worked(unsafe { libc::pthread_attr_setdetachstate(&raw mut wishes.0, libc::PTHREAD_CREATE_DETACHED) })?;
            // SAFETY: as above.
            worked(unsafe { libc::pthread_attr_setstacksize(&raw mut wishes.0, STACK) })?;
            Ok(wishes)
        }
    }

    impl Drop for Wishes {
        fn drop(&mut self) {
            // SAFETY: it was made, and nobody uses it again.
            unsafe { libc::pthread_attr_destroy(&raw mut self.0) };
        }
    }

    fn worked(failure: i32) -> io::Result<()> {
        if failure == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failure)) }
    }

    /// Names the thread that calls it.
    fn be_called(name: &'static CStr) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // SAFETY: the name ends with a zero; what is behind its fifteenth byte is not looked at.
        unsafe {
            libc::prctl(libc::PR_SET_NAME, name.as_ptr());
        }
        #[cfg(target_vendor = "apple")]
        // SAFETY: the name ends with a zero.
        unsafe {
            libc::pthread_setname_np(name.as_ptr());
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        let _ = name;
    }
}
