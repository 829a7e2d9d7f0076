//! What a fork waits for: a state that another thread has locked then would be locked in the child for ever.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use scupper_shm::fork::{Hooks, register};

static GATE: RwLock<()> = RwLock::new(());

thread_local! {
    /// From before a fork to after it. Without a destructor, so that it is there until the end of the thread.
    static CLOSED: Cell<Option<ManuallyDrop<RwLockWriteGuard<'static, ()>>>> = const { Cell::new(None) };
}

/// While this is there, the process does not fork. Nobody may wait for the interpreter meanwhile.
#[must_use = "it ends when it is dropped"]
pub(crate) struct Section(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>);

impl Section {
    pub(crate) fn enter() -> Self {
        Self(GATE.read().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Forks(#[expect(dead_code, reason = "a size gives it an address of its own")] u8);

static FORKS: Forks = Forks(0);

impl Hooks for Forks {
    fn before(&self) {
        let closed = GATE.write().unwrap_or_else(PoisonError::into_inner);
        CLOSED.set(Some(ManuallyDrop::new(closed)));
    }

    fn after_in_parent(&self) {
        CLOSED.take().map(ManuallyDrop::into_inner);
    }

    fn after_in_child(&self) {
        self.after_in_parent();
    }
}

/// Has forks noticed from now on.
pub(crate) fn watch() -> io::Result<()> {
    register(&FORKS)
}
