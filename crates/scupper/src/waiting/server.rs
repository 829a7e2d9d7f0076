use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Wake, Waker};

use crate::error::{Error, ErrorKind, Result};
use crate::fork::Process;
use crate::guard::{Answered, Call, GuardedStore};
use crate::ruling::Ruling;
use crate::sync::{Arc, Mutex, MutexGuard, Weak, lock};
use crate::time::Timestamp;
use crate::timer::{Alarm, Timer, wake};
use crate::turnstile::Turnstile;
use crate::waiting::denials::Denials;
use crate::waiting::directory::Directory;
use crate::waiting::entry::Entry;
use crate::waiting::exchange::{Fate, Next, Said, is_the_stores_own};
use crate::waiting::line::{Line, UnderWay};
use crate::waiting::waiter::Waiter;

/// Serves the line on one key: asks the store for the first few, and rests until the first one fits.
///
/// It is driven by whoever wakes it: an alarm, an answer of the store, one who joins or leaves. No waiter's thread or executor
/// is needed for it, and no lock is held while foreign code runs.
#[derive(Debug)]
pub(super) struct Server {
    /// Only there is it served: in a child, locks that others had are locked for ever.
    pub(super) served_in: Process,
    pub(super) key: Box<str>,
    pub(super) directory: Weak<Directory<Self>>,
    pub(super) denials: Arc<Denials>,
    timer: Arc<dyn Timer>,
    turnstile: Turnstile,
    pub(super) line: Mutex<Line>,
}

/// What a step of the work came to.
#[derive(Default)]
pub(super) struct Step {
    /// Whom to wake, once others may do the work.
    pub(super) wakers: Vec<Waker>,
    /// Whether there is nothing to do until somebody wakes the server.
    rests: bool,
}

impl Server {
    pub(super) fn new(
        key: &str,
        directory: &Arc<Directory<Self>>,
        denials: &Arc<Denials>,
        timer: &Arc<dyn Timer>,
    ) -> Self {
        Self {
            served_in: Process::current(),
            key: key.into(),
            directory: Arc::downgrade(directory),
            denials: Arc::clone(denials),
            timer: Arc::clone(timer),
            turnstile: Turnstile::default(),
            line: Mutex::default(),
        }
    }

    /// Does what there is to do.
    pub(super) fn run(self: &Arc<Self>) {
        while self.turnstile.enter() {
            let step = catch_unwind(AssertUnwindSafe(|| self.step()));
            let Step { wakers, rests } = step.unwrap_or_else(|_| self.break_off());
            let must_go_on = self.turnstile.leave() || !rests;
            // Whom it wakes may ask for this key at once, on this thread.
            wakers.into_iter().for_each(wake);
            if !must_go_on {
                break;
            }
        }
    }

    /// Whether somebody does what there is to do just now.
    pub(super) fn is_at_work(&self) -> bool {
        self.turnstile.is_taken()
    }

    fn step(self: &Arc<Self>) -> Step {
        if let Some(step) = self.hear() {
            return step;
        }
        // By the clock of the first one: limiters on one store may have timers of their own.
        let first = lock(&self.line).queue.first().map(|first| Arc::clone(&first.who.store));
        let timer = first.as_ref().map_or(&self.timer, |first| &first.timer);
        let now = timer.now();
        let go_together = |first: &Arc<Waiter>, other: &Arc<Waiter>| Arc::ptr_eq(&first.store, &other.store);
        let mut line = lock(&self.line);
        let dismissed = line.queue.dismiss(now, go_together);
        if !dismissed.is_empty() {
            drop(line);
            return self.dismiss(dismissed, now);
        }
        match line.queue.next(now, go_together) {
            Next::Ask => {
                let spared = line.queue.spare(|entry| self.known_denial(entry, now));
                if spared.is_empty() { self.ask(line, now) } else { self.spare(line, spared) }
            }
            Next::Sleep(at) => {
                drop(line);
                self.keep(timer.wake_at(at, Waker::from(Arc::new(Bell(Arc::clone(self))))), first.as_ref())
            }
            Next::Await(at) if line.reminded_at == at => Step { rests: true, ..Step::default() },
            Next::Await(at) => {
                line.reminded_at = at;
                drop(line);
                // Without a reminder, the limit of the call's own time still ends it.
                let reminder = at.and_then(|at| timer.remind_at(at, Waker::from(Arc::clone(self))).ok());
                self.keep(Ok(reminder.unwrap_or(Alarm::gone_off())), None)
            }
            Next::Rest => {
                let alarm = line.alarm.take();
                drop(line);
                drop(alarm);
                self.retire();
                Step { rests: true, ..Step::default() }
            }
        }
    }

    /// The store or the timer panicked: nobody may wait for ever for what they were about.
    fn break_off(self: &Arc<Self>) -> Step {
        let mut line = lock(&self.line);
        if line.under_way.is_none() {
            line.queue.break_off();
        }
        drop(line);
        let panicked = "the store or the timer panicked while it was being asked";
        let step = self.turn_out(|_| true, || Error::new(ErrorKind::Unavailable, panicked));
        Step { rests: true, ..step }
    }

    /// Looks whether the call that is under way has been answered.
    fn hear(self: &Arc<Self>) -> Option<Step> {
        let mut line = lock(&self.line);
        let mut under_way = line.under_way.take()?;
        drop(line);
        let waker = Waker::from(Arc::clone(self));
        let poll = || under_way.call.as_mut().poll(&mut Context::from_waker(&waker));
        let answered = catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|_| {
            let panicked = || Err(Error::new(ErrorKind::Unknown, "the call to the store panicked"));
            let rulings = std::iter::repeat_with(panicked).take(under_way.asks).collect();
            Poll::Ready(Answered { rulings, late: None })
        });
        match answered {
            Poll::Ready(answered) => Some(self.hand_out(&under_way.store, answered, under_way.sent, true)),
            Poll::Pending => {
                lock(&self.line).under_way = Some(under_way);
                None
            }
        }
    }

    /// Asks the store for those whose turn it is.
    fn ask(self: &Arc<Self>, line: MutexGuard<'_, Line>, now: Timestamp) -> Step {
        let asks: Vec<_> = line.queue.sent().map(Entry::ask).collect();
        let count = asks.len();
        let Some(store) = line.queue.sent().next().map(|first| Arc::clone(&first.who.store)) else {
            return Step::default();
        };
        drop(line);
        match store.acquire(&self.key, asks) {
            Call::Ready(answered) => self.hand_out(&store, answered, now, false),
            Call::Pending(call) => {
                let mut line = lock(&self.line);
                line.under_way = Some(UnderWay { call, store, sent: now, asks: count });
                line.reminded_at = None;
                line.silent_since.get_or_insert(now);
                Step::default()
            }
        }
    }

    /// Hands out the answers of a call; those of a remote one are worth remembering.
    fn hand_out(
        self: &Arc<Self>,
        store: &Arc<GuardedStore>,
        answered: Answered,
        sent: Timestamp,
        is_remote: bool,
    ) -> Step {
        let now = store.timer.now();
        let Answered { rulings, mut late } = answered;
        let said: Vec<Said> = rulings.iter().map(Said::by).collect();
        let mut line = lock(&self.line);
        if rulings.iter().any(is_the_stores_own) {
            line.silent_since = None;
        }
        let learns = is_remote && line.queue.is_up_to_date();
        let fates = line.queue.answered((sent, now), is_remote, &said);
        // Under the lock of the line: whoever gives something back comes through here before it has denials forgotten.
        for (fate, ruling) in fates.iter().zip(&rulings).filter(|_| learns) {
            if let (Fate::Answered(Entry { claim, .. }), Ok(ruling)) = (fate, ruling)
                && claim.at.is_none()
            {
                self.denials.learn(&self.key, (&claim.quota, claim.weight), ruling, (sent, now), store.keep_denials);
            }
        }
        drop(line);
        let mut step = Step::default();
        for (place, (fate, ruling)) in fates.into_iter().zip(rulings).enumerate() {
            let is_wanted = match fate {
                Fate::Answered(entry) => self.rule(&entry.who, ruling, &mut step),
                Fate::Stays => true,
                Fate::Gone => {
                    self.take_back(store, &ruling);
                    false
                }
            };
            if !is_wanted && let Some(late) = &mut late {
                late.was_gone(place);
            }
        }
        if let Some(late) = late {
            self.take_back_late(store, late);
        }
        step
    }

    /// Keeps the alarm that ends the rest. Where the timer has none, nobody of the first one's limiter would ever be
    /// served: all of them are told.
    fn keep(self: &Arc<Self>, alarm: Result<Alarm>, first: Option<&Arc<GuardedStore>>) -> Step {
        match alarm {
            Ok(alarm) => {
                let last = lock(&self.line).alarm.replace(alarm);
                drop(last);
                Step { rests: true, ..Step::default() }
            }
            Err(error) => {
                let has_that_timer = |who: &Waiter| first.is_none_or(|first| Arc::ptr_eq(first, &who.store));
                self.turn_out(has_that_timer, || error.again())
            }
        }
    }

    pub(super) fn turn_out(self: &Arc<Self>, is_such: impl Fn(&Waiter) -> bool, why: impl Fn() -> Error) -> Step {
        let mut step = Step::default();
        let mut line = lock(&self.line);
        let numbers = line.queue.numbers(|entry| is_such(&entry.who));
        let entries: Vec<_> = numbers.into_iter().filter_map(|number| line.queue.leave(number)).collect();
        drop(line);
        for entry in entries {
            self.rule(&entry.who, Err(why()), &mut step);
        }
        step
    }

    /// Hands over a ruling; says whether anybody was there to take it.
    pub(super) fn rule(self: &Arc<Self>, who: &Waiter, ruling: Result<Ruling>, step: &mut Step) -> bool {
        let handed_over = who.rule(ruling);
        let is_wanted = handed_over.is_ok();
        match handed_over {
            Ok(waker) => step.wakers.extend(waker),
            Err(unwanted) => self.take_back(&who.store, &unwanted),
        }
        is_wanted
    }

    /// Nobody stands in line: the next one who comes opens another.
    fn retire(self: &Arc<Self>) {
        let Some(directory) = self.directory.upgrade() else { return };
        let part = directory.part(&self.key);
        // Looked at once more: one may have joined before the part was locked, and none can now.
        let is_over = lock(&self.line).queue.is_over();
        if is_over {
            part.close(&self.key, self);
        }
    }
}

impl Wake for Server {
    fn wake(self: Arc<Self>) {
        if !self.is_the_parents() {
            self.run();
        }
    }
}

/// Goes off when the first in line should fit. It is asked for then, whatever the clock reads: one that was set back meanwhile
/// took the bucket with it.
struct Bell(Arc<Server>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.0.is_the_parents() {
            lock(&self.0.line).queue.ring();
            self.0.run();
        }
    }
}
