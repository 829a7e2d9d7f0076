//! One thread of the model: the code that it runs, and how far it has got.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use rustix::io;

use crate::LockError;
use crate::linux::lock_word::{Owner, Word, give_back, give_back_for, take, take_over, try_take};

/// What a thread is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Load,
    Swap(u32),
    Replace(u32, u32),
    Sleep(u32),
    Wake,
    IsTimeLeft,
    TrySeat(u32),
    LeaveSeat(u32),
    Enter,
}

/// What a thread does all of its steps with.
struct Steps<'a> {
    outcomes: &'a [u32],
    next: Cell<usize>,
    wanted: RefCell<Option<Step>>,
}

impl Steps<'_> {
    /// The outcome of this step, if it is known; else this is as far as the thread gets.
    fn take(&self, step: Step) -> u32 {
        let at = self.next.replace(self.next.get() + 1);
        if let Some(outcome) = self.outcomes.get(at) {
            return *outcome;
        }
        *self.wanted.borrow_mut() = Some(step);
        resume_unwind(Box::new(()));
    }
}

impl Word for Steps<'_> {
    fn load(&self) -> u32 {
        self.take(Step::Load)
    }

    fn swap(&self, new: u32) -> u32 {
        self.take(Step::Swap(new))
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        self.take(Step::Replace(old, new)) == 1
    }

    fn sleep(&self, value: u32, _: Duration) -> io::Result<bool> {
        Ok(self.take(Step::Sleep(value)) == 1)
    }

    fn wake_one(&self) {
        self.take(Step::Wake);
    }
}

/// A thread, as an opening of its own: it sits down if it does not sit, then takes the lock so many times.
fn run(steps: &Steps<'_>, seat: Option<u32>, rounds: usize) {
    let me = Owner::of_seat(seat.unwrap_or_else(|| sit_down(steps)));
    let left = || Duration::from_secs(steps.take(Step::IsTimeLeft).into());
    let take_from = |owner: Owner| {
        if owner == me || steps.take(Step::TrySeat(owner.seat())) == 0 {
            return Ok(false);
        }
        let is_taken = take_over(steps, owner, me);
        steps.take(Step::LeaveSeat(owner.seat()));
        Ok(is_taken)
    };
    for _ in 0..rounds {
        if !try_take(steps, me) {
            match take(steps, me, left, take_from) {
                Ok(()) => {}
                Err(LockError::TimedOut) => continue,
                Err(error) => unreachable!("{error}"),
            }
        }
        steps.take(Step::Enter);
        give_back(steps);
    }
}

fn sit_down(steps: &Steps<'_>) -> u32 {
    let mut seats = 0..;
    let seat = seats.find(|seat| steps.take(Step::TrySeat(*seat)) == 1).unwrap();
    give_back_for(steps, Owner::of_seat(seat));
    seat
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Status {
    About(Step),
    Asleep,
    Done,
    Dead,
}

#[derive(Clone)]
pub(super) struct Thread {
    /// The seat that it has from the beginning, and how often it takes the lock.
    seat: Option<u32>,
    rounds: usize,
    outcomes: Vec<u32>,
    pub(super) status: Status,
    /// How many of the outcomes no longer matter for what it does next, and what it knows of them: how often it has had the
    /// lock, and the last value that it slept on.
    past: usize,
    knows: (usize, u32),
}

impl Hash for Thread {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.status, self.knows, &self.outcomes[self.past..]).hash(hasher);
    }
}

impl Thread {
    pub(super) fn new(seat: Option<u32>, rounds: usize) -> Self {
        let mut thread = Self { seat, rounds, outcomes: Vec::new(), status: Status::Done, past: 0, knows: (0, 0) };
        thread.goes_on(None);
        thread
    }

    pub(super) fn falls_asleep(&mut self, value: u32) {
        (self.status, self.past, self.knows.1) = (Status::Asleep, self.outcomes.len(), value);
    }

    pub(super) fn dies(&mut self) {
        (self.status, self.past, self.knows) = (Status::Dead, 0, (0, 0));
        self.outcomes.clear();
    }

    /// Up to its next step, with the outcome of the one that it was about to take or of its sleep.
    pub(super) fn goes_on(&mut self, outcome: Option<u32>) {
        match self.status {
            Status::About(Step::Sleep(value)) => (self.past, self.knows.1) = (self.outcomes.len(), value),
            Status::About(Step::Swap(_)) => (self.past, self.knows) = (self.outcomes.len(), (self.knows.0 + 1, 0)),
            _ => {}
        }
        self.outcomes.extend(outcome);
        let steps = Steps { outcomes: &self.outcomes, next: Cell::new(0), wanted: RefCell::new(None) };
        let ended = catch_unwind(AssertUnwindSafe(|| run(&steps, self.seat, self.rounds)));
        self.status = match steps.wanted.into_inner() {
            Some(step) => Status::About(step),
            None if ended.is_ok() => Status::Done,
            None => unreachable!("it panicked by itself"),
        };
    }
}
