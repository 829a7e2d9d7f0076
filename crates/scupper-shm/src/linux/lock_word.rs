//! One number in which the lock is: zero if it is free, else the owner's seat and whether somebody waits.
//!
//! It is the mutex of three states that Ulrich Drepper gives in *Futexes are tricky*, with the owner's name in it. Whoever has
//! slept takes the lock as one that is waited for, not knowing whether others sleep; and whoever stops waiting has left
//! the mark that somebody waits. So an unlock wakes one sleeper as long as there are any.
//!
//! Only whoever has a seat writes its number here, and only when the lock is free; only the same, or who has made sure that this
//! owner is dead and that nobody can take the seat meanwhile, writes something else in its place.

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::io;
use rustix::thread::futex::{self, Timespec};

use crate::{LockError, SEATS};

#[cfg(test)]
mod model;

const FREE: u32 = 0;
const WAITED_FOR: u32 = 1 << 31;

/// How often a thread looks again before it sleeps, and how long it pauses in between, in the processor's shortest pauses: at
/// first, and at most. Long enough for another to have the lock many times before the memory moves to this core.
const LOOKS: u32 = if cfg!(test) { 1 } else { 8 };
const FIRST_PAUSE: u32 = 32;
const LONGEST_PAUSE: u32 = 256;
/// How long a thread sleeps before it looks whether the owner lives: at first, and at most.
const FIRST_SLEEP: Duration = Duration::from_millis(4);
const LONGEST_SLEEP: Duration = Duration::from_millis(32);

/// What the lock needs of a number that threads can sleep at.
pub(super) trait Word {
    fn load(&self) -> u32;
    fn swap(&self, new: u32) -> u32;
    /// Whether it was `old`, and is `new` now.
    fn replace(&self, old: u32, new: u32) -> bool;
    /// Sleeps if it is `value`, until woken, or about as long as `at_most`. True if that has passed.
    fn sleep(&self, value: u32, at_most: Duration) -> io::Result<bool>;
    fn wake_one(&self);
}

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        self.load(Ordering::Relaxed)
    }

    fn swap(&self, new: u32) -> u32 {
        self.swap(new, Ordering::AcqRel)
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        self.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn sleep(&self, value: u32, at_most: Duration) -> io::Result<bool> {
        let at_most = Timespec::try_from(at_most).map_err(|_| io::Errno::INVAL)?;
        match futex::wait(self, futex::Flags::empty(), value, Some(&at_most)) {
            Ok(()) | Err(io::Errno::AGAIN | io::Errno::INTR) => Ok(false),
            Err(io::Errno::TIMEDOUT) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn wake_one(&self) {
        // Fails only if the number is not mapped, and then nobody sleeps at it.
        let _ = futex::wake(self, futex::Flags::empty(), 1);
    }
}

/// A seat's number as it stands in the lock word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(u32);

impl Owner {
    pub(super) fn of_seat(number: u32) -> Self {
        Self(number + 1)
    }

    pub(super) fn seat(self) -> u32 {
        self.0 - 1
    }

    /// As a number that is not zero.
    pub(super) fn to_number(self) -> u32 {
        self.0
    }

    /// None for zero.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        (number != FREE).then_some(Self(number))
    }

    /// None if the lock is free.
    fn in_word(value: u32) -> Result<Option<Self>, LockError> {
        match value & !WAITED_FOR {
            FREE if value == FREE => Ok(None),
            owner @ 1..=SEATS => Ok(Some(Self(owner))),
            _ => Err(LockError::Damaged),
        }
    }
}

/// Takes the lock if it is free.
#[inline]
pub(super) fn try_take(word: &impl Word, me: Owner) -> bool {
    word.replace(FREE, me.0)
}

/// Gives the lock back, and wakes one who waits.
#[inline]
pub(super) fn give_back(word: &impl Word) {
    if word.swap(FREE) & WAITED_FOR != 0 {
        word.wake_one();
    }
}

/// Gives back the lock that a dead one had, if it had it.
///
/// Its seat must be vacant or the caller's, so that nobody who lives has this name.
pub(super) fn give_back_for(word: &impl Word, dead: Owner) {
    loop {
        let value = word.load();
        if value & !WAITED_FOR != dead.0 {
            return;
        }
        if word.replace(value, FREE) {
            return word.wake_one();
        }
    }
}

/// Takes the lock that a dead one had. False if it does not have it.
///
/// Its seat must be vacant, so that nobody who lives has this name.
pub(super) fn take_over(word: &impl Word, dead: Owner, me: Owner) -> bool {
    loop {
        let value = word.load();
        if value & !WAITED_FOR != dead.0 {
            return false;
        }
        if word.replace(value, me.0 | WAITED_FOR) {
            return true;
        }
    }
}

/// Takes the lock as soon as it is free, unless no time is `left` any more. `take_over` is asked whenever an owner has had it for
/// long: it has the lock for `me` if it says so.
pub(super) fn take(
    word: &impl Word,
    me: Owner,
    left: impl Fn() -> Duration,
    mut take_over: impl FnMut(Owner) -> io::Result<bool>,
) -> Result<(), LockError> {
    if is_free_in_a_moment(word, me) {
        return Ok(());
    }
    let (mut sleep, mut trouble) = (FIRST_SLEEP, None);
    loop {
        let value = word.load();
        let Some(owner) = Owner::in_word(value)? else {
            if word.replace(FREE, me.0 | WAITED_FOR) {
                return Ok(());
            }
            continue;
        };
        if value & WAITED_FOR == 0 && !word.replace(value, value | WAITED_FOR) {
            continue;
        }
        // Only now: one who was woken and goes away has left the mark for those who sleep on.
        let left = left();
        if left.is_zero() {
            return Err(trouble.map_or(LockError::TimedOut, LockError::Io));
        }
        if word.sleep(value | WAITED_FOR, left.min(sleep)).map_err(|error| LockError::Io(error.into()))? {
            match take_over(owner) {
                Ok(true) => return Ok(()),
                Ok(false) => trouble = None,
                // The owner may live, so this is not the end.
                Err(error) => trouble = Some(error.into()),
            }
            sleep = (sleep * 2).min(LONGEST_SLEEP);
        }
    }
}

fn is_free_in_a_moment(word: &impl Word, me: Owner) -> bool {
    let mut pause = FIRST_PAUSE;
    for _ in 0..LOOKS {
        match word.load() {
            FREE if word.replace(FREE, me.0) => return true,
            // Those who sleep go first, or nearly.
            value if value & WAITED_FOR != 0 => return false,
            _ => (0..pause).for_each(|_| hint::spin_loop()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    false
}
