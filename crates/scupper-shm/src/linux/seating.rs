//! Which openings of this process have which seats, and that a child has none of them.

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rustix::io;

use super::file::Opened;
use super::lock_word::{self, Owner};
use super::seat::{self, Seat};
use crate::LockError;
use crate::fork::{self, Hooks};

/// All that have a seat. Seats are taken, left and looked at under this lock, which is held while the process forks: so no child
/// has part of it, nor a description that is about to become a seat.
static SEATED: Seated = Seated(Mutex::new(Vec::new()));

struct Seated(Mutex<Vec<(Arc<Seating>, Seat)>>);

type All = MutexGuard<'static, Vec<(Arc<Seating>, Seat)>>;

/// What one opening sits on.
#[derive(Debug, Default)]
pub(super) struct Seating {
    ticket: AtomicU64,
}

/// How often the process was forked since the opening, and the seat, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

impl Ticket {
    fn seated(self, owner: Owner) -> Self {
        Self(self.0 >> 32 << 32 | u64::from(owner.to_number()))
    }

    fn after_fork(self) -> Self {
        Self((self.0 >> 32).wrapping_add(1) << 32)
    }

    #[inline]
    pub(super) fn owner(self) -> Option<Owner> {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        Owner::from_number(self.0 as u32)
    }
}

impl Seating {
    #[inline]
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.ticket.load(Ordering::Relaxed))
    }

    /// Takes a seat, if there is none yet.
    pub(super) fn sit(self: &Arc<Self>, opened: &Opened, word: &AtomicU32) -> Result<Ticket, LockError> {
        fork::register(&SEATED).map_err(LockError::Io)?;
        let mut all = SEATED.all();
        let before = self.ticket();
        if before.owner().is_some() {
            return Ok(before);
        }
        let failed = |error: io::Errno| LockError::Io(error.into());
        let file = opened.again().map_err(failed)?;
        let seat = Seat::take(&file).map_err(failed)?.ok_or(LockError::NoSeat)?;
        let owner = Owner::of_seat(seat.number());
        // Who had the seat before may have died with the lock.
        lock_word::give_back_for(word, owner);
        let ticket = before.seated(owner);
        self.ticket.store(ticket.0, Ordering::Relaxed);
        all.push((Arc::clone(self), seat));
        Ok(ticket)
    }

    /// Leaves the seat, if there is one.
    pub(super) fn leave(self: &Arc<Self>) {
        SEATED.all().retain(|(seating, _)| !Arc::ptr_eq(seating, self));
    }
}

/// Takes the lock for `me` if `owner` is dead.
pub(super) fn take_over(opened: &Opened, word: &AtomicU32, owner: Owner, me: Owner) -> io::Result<bool> {
    if owner == me {
        return Ok(false);
    }
    let _all = match SEATED.0.try_lock() {
        Ok(all) => all,
        Err(TryLockError::Poisoned(all)) => all.into_inner(),
        // The caller asks again soon, and has a deadline.
        Err(TryLockError::WouldBlock) => return Ok(false),
    };
    let mut is_taken = false;
    seat::while_vacant(opened.again()?, owner.seat(), || is_taken = lock_word::take_over(word, owner, me))?;
    Ok(is_taken)
}

impl Seated {
    fn all(&'static self) -> All {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// From before a fork to after it. Without a destructor, so that it is there until the very end of the thread.
    static HELD: Cell<Option<ManuallyDrop<All>>> = const { Cell::new(None) };
}

impl Hooks for Seated {
    fn before(&self) {
        HELD.set(Some(ManuallyDrop::new(SEATED.all())));
    }

    fn after_in_parent(&self) {
        drop(HELD.take().map(ManuallyDrop::into_inner));
    }

    fn after_in_child(&self) {
        if let Some(all) = HELD.take() {
            for (seating, seat) in ManuallyDrop::into_inner(all).drain(..) {
                seating.ticket.store(seating.ticket().after_fork().0, Ordering::Relaxed);
                // The seat is the parent's, and its mapping is not in this process.
                mem::forget(seat);
            }
        }
    }
}
