//! Who talks to a server, in the process that started it.

use std::{mem, process};

use crate::error::Result;
use crate::fork::undivided;
use crate::sync::{Arc, Mutex, PoisonError, lock};

/// What was started with the first need, and in which process: a fork has the memory, and neither the threads nor a say in the
/// connections.
#[derive(Debug)]
pub(super) struct Started<T>(Mutex<Option<(u32, Arc<T>)>>);

impl<T> Started<T> {
    pub(super) const fn nothing() -> Self {
        Self(Mutex::new(None))
    }

    /// What this process has started, now if it had not yet.
    pub(super) fn get(&self, start: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        self.get_in(process::id(), start)
    }

    fn get_in(&self, process: u32, start: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        undivided(|| {
            let mut started = lock(&self.0);
            if let Some((_, own)) = started.as_ref().filter(|(owner, _)| *owner == process) {
                return Ok(Arc::clone(own));
            }
            let own = Arc::new(start()?);
            // What another process left here is not ours to end.
            mem::forget(started.replace((process, Arc::clone(&own))));
            Ok(own)
        })
    }

    fn leave_in(&mut self, process: u32) {
        let started = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if started.as_ref().is_some_and(|(owner, _)| *owner != process) {
            // To end the parent's connections here would end them there.
            mem::forget(started);
        }
    }
}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        self.leave_in(process::id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: u32 = 1;
    const CHILD: u32 = 2;

    #[test]
    fn a_process_starts_one_and_its_child_another() {
        let started = Started::nothing();
        let parents = started.get_in(PARENT, || Ok("the parent's")).unwrap();
        assert!(Arc::ptr_eq(&parents, &started.get_in(PARENT, || panic!("it is there")).unwrap()));
        assert_eq!(*started.get_in(CHILD, || Ok("the child's")).unwrap(), "the child's");
        assert_eq!(Arc::strong_count(&parents), 2, "the child has not ended what is the parent's");
    }

    #[test]
    fn whoever_started_it_ends_it_and_nobody_else_does() {
        for (process, is_ended) in [(PARENT, true), (CHILD, false)] {
            let mut started = Started::nothing();
            let own = Arc::downgrade(&started.get_in(PARENT, || Ok(())).unwrap());
            started.leave_in(process);
            drop(started);
            assert_eq!(own.upgrade().is_none(), is_ended);
        }
    }
}
