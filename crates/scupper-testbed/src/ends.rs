use std::sync::atomic::{AtomicBool, Ordering};

/// Sets a flag when it is dropped: threads that go on until then end even where an assertion fails, instead of being waited
/// for by [`std::thread::scope`] for ever. So it stands within the scope.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::thread;
///
/// use scupper_testbed::Ends;
///
/// let is_over = AtomicBool::new(false);
/// thread::scope(|threads| {
///     let _end = Ends(&is_over);
///     threads.spawn(|| while !is_over.load(Ordering::Relaxed) { thread::yield_now() });
///     assert!(!is_over.load(Ordering::Relaxed));
/// });
/// assert!(is_over.load(Ordering::Relaxed));
/// ```
#[derive(Debug)]
#[must_use = "dropped at once, it sets the flag at once"]
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    #[test]
    fn a_test_that_fails_while_its_threads_go_on_ends() {
        let is_over = AtomicBool::new(false);
        let fails = || {
            thread::scope(|threads| {
                let _end = Ends(&is_over);
                threads.spawn(|| {
                    while !is_over.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                });
                assert!(is_over.load(Ordering::Acquire), "as it should");
            });
        };
        assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
    }
}
