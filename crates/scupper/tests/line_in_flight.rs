//! The line on a key of a store that answers later, in any interleaving: no permit is lost, nobody is forgotten, and the order
//! is kept.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scupper::store::{Action, Batch, Operation, Outcomes, Reply, Store, Submission};
use scupper::{Decision, ErrorKind, Limiter, ManualTimer, MemoryStore, Permit, Quota, Timer};

const CASES: u32 = 10_000;
const LIMIT: u64 = 4;
const INTERVAL: u64 = 100;

#[derive(Clone, Debug)]
enum Event {
    Arrive {
        weight: u64,
        timeout: Option<u64>,
    },
    Try {
        weight: u64,
    },
    Leave(usize),
    Refund(usize),
    Advance(u64),
    /// An answer, in whatever order.
    Deliver(usize),
    Look,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let timeout = prop_oneof![3 => Just(None), 2 => (1..3 * INTERVAL).prop_map(Some)];
    let event = prop_oneof![
        30 => (1..=LIMIT, timeout).prop_map(|(weight, timeout)| Event::Arrive { weight, timeout }),
        10 => (1..=LIMIT).prop_map(|weight| Event::Try { weight }),
        12 => (0..50_usize).prop_map(Event::Leave),
        5 => (0..50_usize).prop_map(Event::Refund),
        20 => (0..INTERVAL).prop_map(Event::Advance),
        40 => prop_oneof![3 => Just(0), 1 => 0..5_usize].prop_map(Event::Deliver),
        25 => Just(Event::Look),
    ];
    vec(event, 1..50)
}

/// Carries out at once, and answers when it is told to.
#[derive(Clone, Debug)]
struct Postponed {
    inner: MemoryStore,
    posted: Arc<Mutex<VecDeque<Arc<Mutex<Letter>>>>>,
    /// How many acquires are in calls that have not been answered.
    most_acquiring: Arc<Mutex<(usize, usize)>>,
}

#[derive(Debug)]
struct Letter {
    outcomes: Outcomes,
    is_delivered: bool,
    acquires: bool,
    waker: Option<Waker>,
}

impl Store for Postponed {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let acquires = batch.operations().iter().any(|operation| matches!(operation.action, Action::Acquire { .. }));
        let outcomes = self.inner.submit(batch).wait();
        if acquires {
            let (now, most) = &mut *self.most_acquiring.lock().unwrap();
            *now += 1;
            *most = (*most).max(*now);
        }
        let letter = Arc::new(Mutex::new(Letter { outcomes, is_delivered: false, acquires, waker: None }));
        self.posted.lock().unwrap().push_back(Arc::clone(&letter));
        Submission::Pending(Box::pin(std::future::poll_fn(move |context| {
            let mut letter = letter.lock().unwrap();
            if letter.is_delivered {
                return Poll::Ready(std::mem::take(&mut letter.outcomes));
            }
            letter.waker = Some(context.waker().clone());
            Poll::Pending
        })))
    }
}

impl Postponed {
    fn remaining(&self, quota: &Quota) -> u64 {
        let look = Operation::new("key", Action::Peek { quota });
        match self.inner.submit(Batch::from(&look)).wait().remove(0) {
            Ok(Reply::Peeked(snapshot)) => snapshot.remaining(),
            other => panic!("no answer to a look: {other:?}"),
        }
    }

    fn deliver(&self, which: usize) -> bool {
        let mut posted = self.posted.lock().unwrap();
        let place = which % posted.len().max(1);
        let Some(letter) = posted.remove(place) else { return false };
        drop(posted);
        let mut open = letter.lock().unwrap();
        open.is_delivered = true;
        let (waker, acquires) = (open.waker.take(), open.acquires);
        drop(open);
        if acquires {
            self.most_acquiring.lock().unwrap().0 -= 1;
        }
        waker.into_iter().for_each(Waker::wake);
        true
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = scupper::Result<T>> + 'a>>;

struct Waiting<'a> {
    who: usize,
    weight: u64,
    future: Pending<'a, Permit<'a>>,
}

struct Play<'a> {
    limiter: &'a Limiter,
    store: &'a Postponed,
    timer: &'a ManualTimer,
    waiting: Vec<Waiting<'a>>,
    trying: Vec<Pending<'a, Decision<'a>>>,
    refunding: Vec<Pending<'a, u64>>,
    permits: Vec<Permit<'a>>,
    /// Who was admitted after waiting, as they came and in the order of their permits.
    served: Vec<(usize, u64)>,
    arrived: usize,
}

fn poll<T>(future: &mut Pending<'_, T>) -> Poll<scupper::Result<T>> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

impl Play<'_> {
    fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Arrive { weight, timeout } => {
                let request = self.limiter.request("key").weight(*weight);
                let request = match timeout {
                    Some(timeout) => request.timeout(Duration::from_micros(*timeout)),
                    None => request,
                };
                let mut future: Pending<'_, Permit<'_>> = Box::pin(request.acquire_async());
                // Looked at once, to come to the line.
                match poll(&mut future) {
                    Poll::Pending => self.waiting.push(Waiting { who: self.arrived, weight: *weight, future }),
                    Poll::Ready(Err(_)) => {}
                    Poll::Ready(Ok(_)) => panic!("the store has not answered"),
                }
                self.arrived += 1;
            }
            Event::Try { weight } => {
                let mut future: Pending<'_, _> =
                    Box::pin(self.limiter.request("key").weight(*weight).try_acquire_async());
                if poll(&mut future).is_pending() {
                    self.trying.push(future);
                }
            }
            Event::Leave(which) if !self.waiting.is_empty() => {
                self.waiting.remove(which % self.waiting.len());
            }
            Event::Refund(which) if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(which % self.permits.len());
                self.refunding.push(Box::pin(self.limiter.refund_async(permit)));
            }
            Event::Advance(by) => self.timer.advance(Duration::from_micros(*by)),
            Event::Deliver(which) => {
                self.store.deliver(*which);
            }
            Event::Look => return self.look(),
            Event::Leave(_) | Event::Refund(_) => {}
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), String> {
        let Self { waiting, trying, refunding, permits, served, .. } = self;
        let mut wrong = None;
        waiting.retain_mut(|one| match poll(&mut one.future) {
            Poll::Pending => true,
            Poll::Ready(Ok(permit)) => {
                served.push((one.who, permit.sequence()));
                permits.push(permit);
                false
            }
            Poll::Ready(Err(error)) => {
                if !matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unknown) {
                    wrong = Some(error.to_string());
                }
                false
            }
        });
        trying.retain_mut(|future| match poll(future) {
            Poll::Pending => true,
            Poll::Ready(decision) => {
                if let Ok(Decision::Admitted(permit)) = decision {
                    permits.push(permit);
                }
                false
            }
        });
        refunding.retain_mut(|future| poll(future).is_pending());
        let is_idle = self.store.posted.lock().unwrap().is_empty();
        if let Some(first) = self.waiting.first().filter(|_| is_idle) {
            let remaining = self.store.remaining(&self.limiter.bucket("key").unwrap().quota());
            // A tick of patience with a store that names a time in the past.
            let next = self.timer.next_alarm();
            let is_about_to_ask = next.is_some_and(|at| at <= self.timer.now() + Duration::from_micros(1));
            if remaining >= first.weight && !is_about_to_ask {
                wrong = Some(format!("{remaining} units are free, and the first in line waits for {}", first.weight));
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Lets everything that is under way come to its end.
    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            self.look()?;
            while self.store.deliver(0) {
                self.look()?;
            }
            if self.waiting.is_empty() && self.trying.is_empty() && self.refunding.is_empty() {
                return Ok(());
            }
            let Some(at) = self.timer.next_alarm() else {
                return Err(format!("{} wait, and nothing is planned", self.waiting.len() + self.trying.len()));
            };
            self.timer.set(at);
        }
        Err("it does not end".into())
    }
}

fn play(events: &[Event]) -> Result<(), String> {
    let timer = ManualTimer::new();
    let inner = MemoryStore::builder().timer(timer.clone()).build();
    let store = Postponed { inner, posted: Arc::default(), most_acquiring: Arc::default() };
    let quota = Quota::new(scupper::Algorithm::SlidingWindowLog, format!("{LIMIT}/{INTERVAL}us").as_str()).unwrap();
    let builder = Limiter::builder().quota(&quota).store(store.clone()).timer(timer.clone());
    let limiter = builder.call_timeout(None).denial_cache(Duration::ZERO).build().unwrap();
    let mut play = Play {
        limiter: &limiter,
        store: &store,
        timer: &timer,
        waiting: Vec::new(),
        trying: Vec::new(),
        refunding: Vec::new(),
        permits: Vec::new(),
        served: Vec::new(),
        arrived: 0,
    };
    for event in events {
        play.event(event)?;
    }
    play.drain()?;

    play.served.sort_unstable();
    if !play.served.is_sorted_by_key(|(_, sequence)| *sequence) {
        return Err(format!("not in the order in which they came: {:?}", play.served));
    }
    if store.most_acquiring.lock().unwrap().1 > 1 {
        return Err("two calls for one line were under way at once".into());
    }
    let held = |since: u64| play.permits.iter().filter(move |permit| permit.tick().as_micros() >= since);
    let now = timer.now().as_micros();
    let charged = LIMIT - store.remaining(&quota);
    let expected: u64 = held(now.saturating_sub(INTERVAL)).map(Permit::weight).sum();
    if charged != expected {
        return Err(format!("{charged} units are charged, and {expected} held"));
    }
    Ok(())
}

#[test]
fn promise_5_no_permit_is_lost_and_nobody_is_forgotten_while_calls_are_under_way() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&events(), |events| play(&events).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
