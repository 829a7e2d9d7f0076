//! The line on a key against a sequential model: whoever arrives, waits, leaves, gives back or is sent away, in any order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scupper::{Cause, Decision, ErrorKind, Limiter, ManualTimer, Permit, Rate};

const CASES: u32 = 10_000;
const LIMIT: u64 = 5;
const INTERVAL: u64 = 100;

#[derive(Clone, Debug)]
enum Event {
    Arrive { weight: u64, timeout: Option<u64> },
    Try { weight: u64 },
    Leave(usize),
    Refund(usize),
    Penalize(u64),
    Advance(u64),
    Close,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let weight = || prop_oneof![6 => Just(1), 3 => 1..=LIMIT];
    let timeout = prop_oneof![3 => Just(None), 2 => (0..4 * INTERVAL).prop_map(Some)];
    let event = prop_oneof![
        40 => (weight(), timeout).prop_map(|(weight, timeout)| Event::Arrive { weight, timeout }),
        10 => weight().prop_map(|weight| Event::Try { weight }),
        10 => (0..50_usize).prop_map(Event::Leave),
        8 => (0..50_usize).prop_map(Event::Refund),
        2 => (1..2 * LIMIT).prop_map(Event::Penalize),
        30 => (0..INTERVAL + 2).prop_map(Event::Advance),
        1 => Just(Event::Close),
    ];
    vec(event, 1..40)
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Admitted(u64),
    Failed(ErrorKind),
    Denied(Cause, u64),
}

/// The line as one would write it down: a list of who waits, and a list of what was admitted when.
#[derive(Default)]
struct Model {
    now: u64,
    /// Tick and weight.
    counted: Vec<(u64, u64)>,
    line: Vec<Waiting>,
    /// When the first in line fits, if that is known.
    due: Option<u64>,
    is_closed: bool,
    ends: Vec<Option<End>>,
}

struct Waiting {
    who: usize,
    weight: u64,
    deadline: Option<u64>,
}

impl Model {
    fn fits_at(&self, weight: u64) -> u64 {
        let fits = |at: u64| {
            let within: u64 =
                self.counted.iter().filter(|(tick, _)| tick + INTERVAL >= at).map(|(_, units)| units).sum();
            within + weight <= LIMIT
        };
        let changes = self.counted.iter().map(|(tick, _)| tick + INTERVAL + 1);
        changes.chain([self.now]).filter(|at| *at >= self.now && fits(*at)).min().unwrap()
    }

    fn is_resting(&self) -> bool {
        !self.line.is_empty() && self.due.is_some_and(|due| due > self.now)
    }

    /// When a newcomer could be admitted if the line moved as fast as the rate allows.
    fn earliest(&self, weight: u64) -> u64 {
        let units: u64 = self.line.iter().map(|waiting| waiting.weight).sum();
        self.due.unwrap() + (units + weight - 1) / LIMIT * (INTERVAL + 1)
    }

    fn arrive(&mut self, weight: u64, timeout: Option<u64>) {
        let who = self.ends.len();
        self.ends.push(None);
        if self.is_closed {
            self.ends[who] = Some(End::Failed(ErrorKind::Closed));
            return;
        }
        let deadline = timeout.map(|timeout| self.now + timeout);
        let earliest = if self.is_resting() { Some(self.earliest(weight)) } else { None };
        if deadline.is_some_and(|deadline| earliest.is_some_and(|earliest| deadline < earliest)) {
            self.ends[who] = Some(End::Failed(ErrorKind::Timeout));
            return;
        }
        self.line.push(Waiting { who, weight, deadline });
        self.serve();
    }

    fn attempt(&mut self, weight: u64) -> End {
        if self.is_closed {
            return End::Failed(ErrorKind::Closed);
        }
        if self.is_resting() {
            return End::Denied(Cause::Queued, self.earliest(weight) - self.now);
        }
        match self.fits_at(weight) {
            at if at == self.now => {
                self.counted.push((self.now, weight));
                End::Admitted(self.now)
            }
            at => End::Denied(Cause::Full, at - self.now),
        }
    }

    fn serve(&mut self) {
        while !self.is_resting() && !self.line.is_empty() {
            let first = &self.line[0];
            let at = self.fits_at(first.weight);
            if at == self.now {
                self.counted.push((at, first.weight));
                self.end(0, End::Admitted(at));
            } else if first.deadline.is_some_and(|deadline| deadline < at) {
                self.end(0, End::Failed(ErrorKind::Timeout));
            } else {
                self.due = Some(at);
                for place in (0..self.line.len()).rev() {
                    if self.line[place].deadline.is_some_and(|deadline| deadline < at) {
                        self.end(place, End::Failed(ErrorKind::Timeout));
                    }
                }
            }
        }
    }

    fn end(&mut self, place: usize, end: End) {
        let waiting = self.line.remove(place);
        self.ends[waiting.who] = Some(end);
        if place == 0 {
            self.due = None;
        }
    }

    fn leave(&mut self, who: usize) {
        if let Some(place) = self.line.iter().position(|waiting| waiting.who == who) {
            let (due, weight) = (self.due, self.line[place].weight);
            self.end(place, End::Failed(ErrorKind::Closed));
            if self.line.first().is_some_and(|next| next.weight == weight) {
                // The next one asks for the same, and the answer to that is known.
                self.due = due;
            }
            self.serve();
        }
    }

    fn refund(&mut self, tick: u64, weight: u64) {
        let place = self.counted.iter().position(|counted| *counted == (tick, weight)).unwrap();
        self.counted.remove(place);
        self.due = None;
        self.serve();
    }

    fn close(&mut self) {
        self.is_closed = true;
        while !self.line.is_empty() {
            self.end(0, End::Failed(ErrorKind::Closed));
        }
    }

    fn used(&self) -> u64 {
        self.counted.iter().filter(|(tick, _)| tick + INTERVAL >= self.now).map(|(_, units)| units).sum()
    }
}

type Pending<'a> = Pin<Box<dyn Future<Output = scupper::Result<Permit<'a>>> + 'a>>;

/// The real thing, in step with the model.
struct Real<'a> {
    limiter: &'a Limiter,
    /// Who is still waited for.
    waiting: Vec<Option<Pending<'a>>>,
    permits: Vec<Permit<'a>>,
}

impl<'a> Real<'a> {
    fn request(&self, weight: u64) -> scupper::Request<'a> {
        self.limiter.request("key").weight(weight)
    }

    fn arrive(&mut self, weight: u64, timeout: Option<u64>) {
        let request = self.request(weight);
        let request = match timeout {
            Some(timeout) => request.timeout(Duration::from_micros(timeout)),
            None => request,
        };
        self.waiting.push(Some(Box::pin(request.acquire_async())));
    }

    fn attempt(&mut self, weight: u64) -> End {
        match self.request(weight).try_acquire() {
            Ok(Decision::Admitted(permit)) => {
                let tick = permit.tick().as_micros();
                self.permits.push(permit);
                End::Admitted(tick)
            }
            Ok(Decision::Denied(denied)) => {
                End::Denied(denied.cause(), u64::try_from(denied.retry_after().as_micros()).unwrap())
            }
            Ok(Decision::NeverFits(never)) => panic!("{never:?}"),
            Err(error) => End::Failed(error.kind()),
        }
    }

    /// Looks at all who are still waited for, and compares with what the model says became of them.
    fn compare(&mut self, model: &Model) -> Result<(), String> {
        for (who, slot) in self.waiting.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            let end = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => None,
                Poll::Ready(Ok(permit)) => {
                    let tick = permit.tick().as_micros();
                    self.permits.push(permit);
                    Some(End::Admitted(tick))
                }
                Poll::Ready(Err(error)) => Some(End::Failed(error.kind())),
            };
            if end != model.ends[who] {
                return Err(format!("request {who} is {end:?}, expected {:?}", model.ends[who]));
            }
            if end.is_some() {
                *slot = None;
            }
        }
        let used = self.limiter.peek("key").unwrap().usage[0].used;
        let expected = model.used();
        if used == expected { Ok(()) } else { Err(format!("{used} units are in use, expected {expected}")) }
    }

    fn someone_who_waits(&self, which: usize) -> Option<usize> {
        let all: Vec<usize> = (0..self.waiting.len()).filter(|who| self.waiting[*who].is_some()).collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }
}

fn play(events: &[Event]) -> Result<(), String> {
    let timer = ManualTimer::new();
    let rate = Rate::new(LIMIT, Duration::from_micros(INTERVAL)).unwrap();
    let limiter = Limiter::builder().rate(rate).timer(timer.clone()).build().unwrap();
    let mut model = Model::default();
    let mut real = Real { limiter: &limiter, waiting: Vec::new(), permits: Vec::new() };
    for event in events {
        match event {
            Event::Arrive { weight, timeout } => {
                model.arrive(*weight, *timeout);
                real.arrive(*weight, *timeout);
            }
            Event::Try { weight } => {
                let (expected, got) = (model.attempt(*weight), real.attempt(*weight));
                if got != expected {
                    return Err(format!("an attempt is {got:?}, expected {expected:?}"));
                }
            }
            Event::Leave(which) => {
                if let Some(who) = real.someone_who_waits(*which) {
                    real.waiting[who] = None;
                    model.leave(who);
                }
            }
            Event::Refund(which) if !real.permits.is_empty() => {
                let permit = real.permits.swap_remove(which % real.permits.len());
                let (tick, weight) = (permit.tick().as_micros(), permit.weight());
                let is_in_window = tick + INTERVAL >= model.now;
                let refunded = limiter.refund(permit).unwrap();
                if refunded != if is_in_window { weight } else { 0 } {
                    return Err(format!("{refunded} of {weight} units came back"));
                }
                if is_in_window {
                    model.refund(tick, weight);
                } else {
                    model.due = None;
                    model.serve();
                }
            }
            Event::Refund(_) => {}
            Event::Penalize(units) => {
                limiter.penalize("key", *units).unwrap();
                model.counted.push((model.now, *units));
            }
            Event::Advance(by) => {
                model.now += by;
                model.serve();
                timer.advance(Duration::from_micros(*by));
            }
            Event::Close => {
                model.close();
                limiter.close();
            }
        }
        real.compare(&model).map_err(|wrong| format!("after {event:?} at {}: {wrong}", model.now))?;
    }
    if model.line.is_empty() && timer.alarms() > 0 {
        return Err("nobody waits, and an alarm is set".into());
    }
    Ok(())
}

#[test]
fn promise_5_the_line_does_what_a_list_would_in_any_interleaving() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&events(), |events| play(&events).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
