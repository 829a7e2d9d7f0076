//! The lock in every order in which threads can take their steps and die, for a few threads.
//!
//! The code of a thread is run up to its next step with the outcomes of all steps before, as often as there is a next one. So it
//! is the code itself that is checked, step by step, and no thread is needed.

mod thread;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use thread::{Status, Step, Thread};

/// More than there are threads.
const SEATS: usize = 4;

/// What there is besides the threads' own memory.
#[derive(Clone, Hash)]
struct World {
    threads: Vec<Thread>,
    word: u32,
    /// Who sits there.
    seats: [Option<usize>; SEATS],
    inside: Option<usize>,
    /// How many may yet die, and run out of time.
    deaths: usize,
    ends_of_time: usize,
    /// Whether sleep ends by itself.
    wakes_up: bool,
}

#[derive(Default)]
struct Exploration {
    seen: HashSet<u64>,
}

impl Exploration {
    /// Threads that take the lock so many times each. Where some die, all have yet to sit down.
    fn of(rounds: &[usize], deaths: usize, ends_of_time: usize) -> Self {
        let (mut threads, mut seats) = (Vec::new(), [None; SEATS]);
        for (at, rounds) in rounds.iter().enumerate() {
            let seat = (deaths == 0).then_some(at);
            if let Some(seat) = seat {
                seats[seat] = Some(at);
            }
            threads.push(Thread::new(seat.map(|seat| u32::try_from(seat).unwrap()), *rounds));
        }
        let world = World { threads, word: 0, seats, inside: None, deaths, ends_of_time, wakes_up: deaths > 0 };
        let (mut exploration, mut left) = (Self::default(), vec![world]);
        while let Some(world) = left.pop() {
            exploration.explore(&world, &mut left);
        }
        exploration
    }

    fn explore(&mut self, world: &World, left: &mut Vec<World>) {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        let before = left.len();
        for at in 0..world.threads.len() {
            match world.threads[at].status {
                Status::About(step) => Self::step(world, at, step, left),
                Status::Asleep if world.wakes_up => left.push(Self::next(world, at, 1)),
                Status::Asleep => {}
                Status::Done | Status::Dead => continue,
            }
            if world.deaths > 0 {
                left.push(die(world, at));
            }
        }
        let is_over = world.threads.iter().all(|thread| matches!(thread.status, Status::Done | Status::Dead));
        assert!(is_over || left.len() > before, "all sleep and nobody wakes them");
        let nobody_died = world.threads.iter().all(|thread| thread.status != Status::Dead);
        assert!(!is_over || !nobody_died || world.word == 0, "the lock is not given back: {:#x}", world.word);
    }

    /// The world after a thread has had this outcome, or with it awake.
    fn next(world: &World, at: usize, outcome: u32) -> World {
        let mut next = world.clone();
        next.threads[at].goes_on(Some(outcome));
        // What only the thread itself sees is no step of its own: that leaves fewer orders.
        loop {
            match next.threads[at].status {
                Status::About(Step::Enter) => assert_eq!(next.inside.replace(at), None, "two have the lock"),
                Status::About(Step::IsTimeLeft) if next.ends_of_time == 0 => {}
                _ => return next,
            }
            next.threads[at].goes_on(Some(1));
        }
    }

    fn step(world: &World, at: usize, step: Step, left: &mut Vec<World>) {
        let mut now = world.clone();
        let outcome = match step {
            Step::Load => now.word,
            Step::Swap(new) => {
                now.inside = None;
                std::mem::replace(&mut now.word, new)
            }
            Step::Replace(old, new) => {
                let is_replaced = now.word == old;
                if is_replaced {
                    now.word = new;
                }
                is_replaced.into()
            }
            Step::Sleep(value) if now.word == value => {
                now.threads[at].falls_asleep(value);
                return left.push(now);
            }
            Step::Sleep(_) => 0,
            Step::Wake => {
                let asleep = |sleeper: &usize| now.threads[*sleeper].status == Status::Asleep;
                let sleepers: Vec<usize> = (0..now.threads.len()).filter(asleep).collect();
                let now = Self::next(&now, at, 0);
                if sleepers.is_empty() {
                    return left.push(now);
                }
                return left.extend(sleepers.into_iter().map(|sleeper| Self::next(&now, sleeper, 0)));
            }
            Step::IsTimeLeft => {
                if now.ends_of_time > 0 {
                    let mut over = now.clone();
                    over.ends_of_time -= 1;
                    left.push(Self::next(&over, at, 0));
                }
                1
            }
            Step::TrySeat(seat) => {
                let seat = &mut now.seats[seat as usize];
                let is_vacant = seat.is_none();
                seat.get_or_insert(at);
                is_vacant.into()
            }
            Step::LeaveSeat(seat) => {
                now.seats[seat as usize] = None;
                0
            }
            Step::Enter => unreachable!("it is taken with the step before"),
        };
        left.push(Self::next(&now, at, outcome));
    }
}

/// The world without a thread, wherever it was.
fn die(world: &World, at: usize) -> World {
    let mut next = world.clone();
    next.deaths -= 1;
    next.threads[at].dies();
    next.seats.iter_mut().filter(|seat| **seat == Some(at)).for_each(|seat| *seat = None);
    next.inside = next.inside.filter(|inside| *inside != at);
    next
}

#[test]
fn without_deaths_no_wake_up_is_lost_though_sleep_never_ends_by_itself() {
    for (rounds, ends_of_time) in [(&[2, 2][..], 2), (&[2, 1, 1], 0), (&[2, 1, 1], 1)] {
        let exploration = Exploration::of(rounds, 0, ends_of_time);
        assert!(exploration.seen.len() > 400, "there are many orders");
    }
}

#[test]
fn whoever_dies_at_whichever_step_one_at_most_has_the_lock_and_nobody_is_stuck() {
    for (rounds, deaths) in [(&[2, 2][..], 1), (&[1, 1, 1], 1)] {
        let exploration = Exploration::of(rounds, deaths, 0);
        assert!(exploration.seen.len() > 400, "there are many orders");
    }
}
