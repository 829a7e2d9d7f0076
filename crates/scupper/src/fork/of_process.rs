use crate::fork::process::{Process, undivided};
use crate::sync::OnceLock;

/// What each process has of its own: a child makes another for itself, and leaves its parent's as it is.
#[derive(Debug)]
pub(crate) struct OfProcess<T> {
    made_in: Process,
    own: T,
    childs: OnceLock<Box<Self>>,
}

impl<T> OfProcess<T> {
    /// Not to be called within what is [`undivided`].
    pub(crate) fn new(own: T) -> Self {
        Self::made_in(Process::watched(), own)
    }

    fn made_in(made_in: Process, own: T) -> Self {
        Self { made_in, own, childs: OnceLock::new() }
    }

    /// This process's own, made now if it is a child of the one that made the last.
    #[inline]
    pub(crate) fn get(&self, make: impl FnMut() -> T) -> &T {
        if self.made_in.is_current() { &self.own } else { self.get_in_child(make) }
    }

    #[cold]
    fn get_in_child(&self, mut make: impl FnMut() -> T) -> &T {
        let mut found = self;
        while !found.made_in.is_current() {
            let mut again = || Box::new(Self::made_in(Process::current(), make()));
            found = undivided(|| found.childs.get_or_init(&mut again));
        }
        &found.own
    }
}
