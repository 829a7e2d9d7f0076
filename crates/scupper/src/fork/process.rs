#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
use crate::fork::gate;

/// A process, as told from those that are forked from it. What has threads of a process at work, or locks that they hold, is of
/// no use to its children: they have neither those threads nor anybody who would let go of the locks.
///
/// Without a store that processes share, a child has nothing to go on with, and all are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    #[cfg(any(feature = "shared-memory", feature = "sqlite"))]
    generation: u64,
}

impl Process {
    /// The one that this is.
    #[inline]
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(any(feature = "shared-memory", feature = "sqlite"))]
            generation: gate::generation(),
        }
    }

    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// As [`current`](Self::current), and told from its children from now on. Not to be called within what is [`undivided`].
    pub(crate) fn watched() -> Self {
        // Where the system has no memory for that, opening a store says so.
        #[cfg(any(feature = "shared-memory", feature = "sqlite"))]
        let _ = gate::watch();
        Self::current()
    }
}

/// Does this while the process does not fork. It must be short, and nobody else's code.
pub(crate) fn undivided<T>(act: impl FnOnce() -> T) -> T {
    #[cfg(any(feature = "shared-memory", feature = "sqlite"))]
    let _section = gate::Section::enter();
    act()
}
