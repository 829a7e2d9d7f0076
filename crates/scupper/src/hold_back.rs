//! What is not to be done while this thread holds a lock.

use std::cell::RefCell;

type Later = Box<dyn FnOnce()>;

std::thread_local! {
    /// What waits until the lock is let go; none while none is held.
    static HELD_BACK: RefCell<Option<Vec<Later>>> = const { RefCell::new(None) };
}

/// Does something that may wake detached work, with a lock held that the work takes, too: the work goes on behind it.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn hold_back<T>(act: impl FnOnce() -> T) -> T {
    /// Lets it go on, also after a panic.
    struct GoOn;
    impl Drop for GoOn {
        fn drop(&mut self) {
            HELD_BACK.take().into_iter().flatten().for_each(|later| later());
        }
    }
    if HELD_BACK.with_borrow(Option::is_some) {
        return act();
    }
    HELD_BACK.set(Some(Vec::new()));
    let _go_on = GoOn;
    act()
}

/// Does this now, or behind the lock that this thread holds.
pub(crate) fn or_later(act: impl FnOnce() + 'static) {
    // At the end of a thread there is nothing to hold back with, and no lock.
    let is_held = HELD_BACK.try_with(|held_back| held_back.borrow().is_some()).unwrap_or(false);
    if is_held {
        HELD_BACK.with_borrow_mut(|held_back| held_back.get_or_insert_default().push(Box::new(act)));
    } else {
        act();
    }
}
