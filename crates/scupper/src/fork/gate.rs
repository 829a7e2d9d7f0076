//! What a fork waits for.
//!
//! What other threads have locked at the instant of a fork is locked in the child for ever. So no lock that the child takes, too,
//! is held then: whoever takes one does it within a section, and a fork waits for the sections to end.
//!
//! That goes for connections, too. `SQLite` notes for the whole process which locks of which file it holds. A child that is forked
//! inherits the notes, and not the locks: whatever it then did with the file could damage it.

use std::cell::Cell;
use std::mem::ManuallyDrop;

use scupper_shm::fork::{self, Hooks};

use crate::sync::{AtomicGeneration, Ordering, PoisonError, StaticReadGuard, StaticRwLock, StaticWriteGuard};

static GATE: StaticRwLock<()> = StaticRwLock::new(());

/// Tells processes apart: a child has another number than its parent.
static GENERATION: AtomicGeneration = AtomicGeneration::new(0);

std::thread_local! {
    /// How many sections this thread is in, one within the other.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// How often this thread has closed the gate: each kind of store does before a fork.
    static CLOSINGS: Cell<u32> = const { Cell::new(0) };
    /// The closed gate, from before a fork to after it. Without a destructor, so that it is there until the end of the thread.
    static CLOSED: Cell<Option<ManuallyDrop<StaticWriteGuard<'static, ()>>>> = const { Cell::new(None) };
}

/// While this is there, the process does not fork. Nobody else's code is to be called meanwhile, nor a mapped file to be locked or
/// given up: those have a lock of their own that a fork takes.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub(crate) struct Section {
    /// None within another section of the same thread.
    _open: Option<StaticReadGuard<'static, ()>>,
}

impl Section {
    pub(crate) fn enter() -> Self {
        let is_outermost = DEPTH.get() == 0;
        let open = is_outermost.then(|| GATE.read().unwrap_or_else(PoisonError::into_inner));
        DEPTH.set(DEPTH.get() + 1);
        Self { _open: open }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Waits for all sections to end, and keeps others from beginning until as many times [`open`].
pub(crate) fn close() {
    CLOSINGS.set(CLOSINGS.get() + 1);
    if CLOSINGS.get() > 1 {
        return;
    }
    let closed = GATE.write().unwrap_or_else(PoisonError::into_inner);
    CLOSED.set(Some(ManuallyDrop::new(closed)));
    // What is done meanwhile on this thread is within the gate.
    DEPTH.set(DEPTH.get() + 1);
}

/// Ends what [`close`] began, on the same thread or on that of a child.
pub(crate) fn open() {
    CLOSINGS.set(CLOSINGS.get().saturating_sub(1));
    if CLOSINGS.get() > 0 {
        return;
    }
    if let Some(closed) = CLOSED.take() {
        DEPTH.set(DEPTH.get() - 1);
        drop(ManuallyDrop::into_inner(closed));
    }
}

/// Which process this is, among its forebears.
#[inline]
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Closes the gate around every fork, whichever stores there are.
struct Forks(#[expect(dead_code, reason = "a size gives it an address of its own")] u8);

static FORKS: Forks = Forks(0);

impl Hooks for Forks {
    fn before(&self) {
        close();
    }

    fn after_in_parent(&self) {
        open();
    }

    fn after_in_child(&self) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        open();
    }
}

/// Has forks noticed from now on. Not to be called within a section: a fork that waits for its end lets nobody do this.
///
/// # Errors
/// If the system has no memory to note it.
pub(super) fn watch() -> std::io::Result<()> {
    fork::register(&FORKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::thread;

    #[test]
    fn a_fork_waits_for_sections_and_sections_wait_for_a_fork() {
        let outer = Section::enter();
        drop(Section::enter());
        let forking = thread::spawn(|| {
            close();
            close();
            drop(Section::enter());
            open();
            drop(Section::enter());
            open();
        });
        drop(outer);
        forking.join().unwrap();
        drop(Section::enter());
    }
}
