//! Requests that wait in line: order, bounds, and who is not held up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use scupper::store::{Batch, Store, Submission};
use scupper::{
    Alarm, Cause, Decision, Denied, Error, ErrorKind, Limiter, LimiterBuilder, ManualTimer, MemoryStore, Permit, Rates,
    Source, Timer, Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_micros(1);

fn builder(rates: &str, timer: &ManualTimer) -> LimiterBuilder {
    Limiter::builder().rates(Vec::from(rates.parse::<Rates>().unwrap())).timer(timer.clone())
}

fn limiter(rates: &str, timer: &ManualTimer) -> Limiter {
    builder(rates, timer).build().unwrap()
}

type Waiting<'a> = Pin<Box<dyn Future<Output = scupper::Result<Permit<'a>>> + Send + 'a>>;

fn poll<'a>(waiting: &mut Waiting<'a>) -> Poll<scupper::Result<Permit<'a>>> {
    waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// One who stands in line.
fn queued<'a>(limiter: &'a Limiter, weight: u64) -> Waiting<'a> {
    let mut waiting: Waiting<'a> = Box::pin(limiter.request("key").weight(weight).acquire_async());
    assert!(poll(&mut waiting).is_pending());
    waiting
}

fn tick(waiting: &mut Waiting<'_>) -> u64 {
    match poll(waiting) {
        Poll::Ready(Ok(permit)) => permit.tick().as_micros(),
        other => panic!("not admitted: {other:?}"),
    }
}

fn denied(decision: &Decision<'_>) -> Denied {
    match decision {
        Decision::Denied(denied) => *denied,
        other => panic!("not denied: {other:?}"),
    }
}

/// Counts what it is asked.
#[derive(Clone, Debug)]
struct Counting {
    inner: MemoryStore,
    calls: Arc<AtomicUsize>,
    operations: Arc<AtomicUsize>,
}

impl Counting {
    fn on(timer: &ManualTimer) -> Self {
        let inner = MemoryStore::builder().timer(timer.clone()).build();
        Self { inner, calls: Arc::default(), operations: Arc::default() }
    }
}

impl Store for Counting {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(batch.operations().len(), Ordering::Relaxed);
        self.inner.submit(batch)
    }
}

#[test]
fn promise_5_first_come_first_served() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let mut line: Vec<_> = (0..20).map(|_| queued(&limiter, 1)).collect();
    for place in 0..line.len() {
        timer.advance(SECOND);
        assert!(line[place..].iter_mut().all(|waiting| poll(waiting).is_pending()), "a tick too early");
        timer.advance(TICK);
        assert_eq!(tick(&mut line[place]), timer.now().as_micros());
    }
}

#[test]
fn promise_5_a_heavy_request_among_light_ones_is_served_in_its_turn() {
    let timer = ManualTimer::new();
    let limiter = limiter("100/s", &timer);
    limiter.request("key").weight(60).acquire().unwrap();
    let mut heavy = queued(&limiter, 50);
    // Forty light ones would fit at once, and more come all the time.
    let mut light: Vec<_> = (0..40).map(|_| queued(&limiter, 1)).collect();
    for _ in 0..10 {
        timer.advance(SECOND / 20);
        light.push(queued(&limiter, 1));
        assert!(!limiter.try_acquire("key").unwrap().is_admitted(), "who does not wait does not pass the heavy one");
    }
    timer.advance(SECOND / 2 + TICK);
    assert_eq!(tick(&mut heavy), 1_000_001);
    assert!(light.iter_mut().all(|waiting| tick(waiting) == 1_000_001), "there is room for all of them now");
}

#[test]
fn promise_5_who_does_not_wait_passes_nobody_by_any_door() {
    let timer = ManualTimer::new();
    let limiter = limiter("2/s", &timer);
    let handle = limiter.bucket("key").unwrap();
    let _one = handle.try_acquire().unwrap();
    let mut heavy = queued(&limiter, 2);
    let asked = [
        denied(&limiter.try_acquire("key").unwrap()),
        denied(&handle.try_acquire().unwrap()),
        denied(&handle.request().weight(1).try_acquire().unwrap()),
        denied(&pollster::block_on(handle.try_acquire_async()).unwrap()),
        denied(&limiter.detailed("key").unwrap().decision),
        denied(&limiter.clone().try_acquire("key").unwrap()),
    ];
    for denied in asked {
        // The heavy one first, then as many as fit with it in a second: none.
        assert_eq!((denied.cause(), denied.source()), (Cause::Queued, Source::Line));
        assert_eq!(denied.retry_after(), 2 * SECOND + 2 * TICK);
    }
    assert_eq!(limiter.detailed("key").unwrap().snapshot.usage[0].used, 1);
    assert!(limiter.try_acquire("other").unwrap().is_admitted(), "other keys are other lines");
    timer.advance(SECOND + TICK);
    tick(&mut heavy);
    assert_eq!(denied(&handle.try_acquire().unwrap()).cause(), Cause::Full, "nobody waits any more");
}

#[test]
fn promise_5_a_head_that_is_never_polled_again_stalls_nobody() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let mut head = queued(&limiter, 1);
    let mut next = queued(&limiter, 1);
    timer.advance(2 * SECOND + 2 * TICK);
    assert!(poll(&mut next).is_pending(), "the head was served at this tick");
    timer.advance(SECOND + TICK);
    assert_eq!(tick(&mut next), 3_000_003);
    assert_eq!(tick(&mut head), 2_000_002, "what was granted is there when it is asked for");
}

#[test]
fn promise_5_blocking_and_asynchronous_callers_stand_in_one_line() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let mut line = vec![queued(&limiter, 1)];
    thread::scope(|scope| {
        // In line as soon as a newcomer would have to wait for two more.
        let blocked = scope.spawn(|| limiter.acquire("key").unwrap().tick().as_micros());
        while denied(&limiter.try_acquire("key").unwrap()).retry_after() < 3 * SECOND {
            thread::yield_now();
        }
        line.push(queued(&limiter, 1));
        for _ in 0..3 {
            timer.advance(SECOND + TICK);
        }
        assert_eq!(blocked.join().unwrap(), 2_000_002);
    });
    assert_eq!(line.iter_mut().map(tick).collect::<Vec<_>>(), [1_000_001, 3_000_003]);
}

#[test]
fn promise_5_limiters_on_one_store_stand_in_one_line() {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let one = builder("1/s", &timer).store(store.clone()).build().unwrap();
    let other = builder("1/s", &timer).store(store).build().unwrap();
    let apart = limiter("1/s", &timer);
    let _first = one.acquire("key").unwrap();
    let (mut first, mut second, mut third) = (queued(&one, 1), queued(&other, 1), queued(&one, 1));
    assert_eq!(denied(&other.try_acquire("key").unwrap()).cause(), Cause::Queued);
    assert!(apart.try_acquire("key").unwrap().is_admitted(), "another store is another line");
    let mut ticks = Vec::new();
    for waiting in [&mut first, &mut second, &mut third] {
        timer.advance(SECOND + TICK);
        ticks.push(tick(waiting));
    }
    assert_eq!(ticks, [1_000_001, 2_000_002, 3_000_003]);
}

/// Notes the order in which it is woken.
struct Bell(usize, Arc<std::sync::Mutex<Vec<usize>>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn promise_5_ten_thousand_waiters_are_served_in_order_by_calls_that_grow_with_grants() {
    const WAITERS: usize = 10_000;
    let timer = ManualTimer::new();
    let store = Counting::on(&timer);
    let limiter = builder("100/s", &timer).store(store.clone()).build().unwrap();
    limiter.request("key").weight(100).acquire().unwrap();
    let woken = Arc::default();
    let mut line: Vec<Waiting<'_>> = Vec::new();
    for place in 0..WAITERS {
        let mut waiting: Waiting<'_> = Box::pin(limiter.acquire_async("key"));
        let waker = Waker::from(Arc::new(Bell(place, Arc::clone(&woken))));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        line.push(waiting);
    }
    let calls = store.calls.swap(0, Ordering::Relaxed);
    assert!(calls <= 3, "{calls} calls for those who only joined the line");
    for _ in 0..WAITERS / 100 {
        timer.advance(SECOND + TICK);
    }
    assert_eq!(*woken.lock().unwrap(), (0..WAITERS).collect::<Vec<_>>());
    assert!(line.iter_mut().all(|waiting| poll(waiting).is_ready()));
    let (calls, operations) = (store.calls.load(Ordering::Relaxed), store.operations.load(Ordering::Relaxed));
    assert!(calls <= 5 * WAITERS / 100, "{calls} calls for {} times of a hundred grants", WAITERS / 100);
    assert!(operations <= 2 * WAITERS, "{operations} operations for {WAITERS} grants");
}

#[test]
fn promise_7_a_line_is_as_long_as_it_may_be_and_no_longer() {
    let timer = ManualTimer::new();
    let limiter = builder("1/s", &timer).max_waiting(2).build().unwrap();
    let _first = limiter.acquire("key").unwrap();
    let (one, _two) = (queued(&limiter, 1), queued(&limiter, 1));
    let error = limiter.acquire("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueueFull, "{error}");
    assert!(error.is_transient());
    assert_eq!(denied(&limiter.try_acquire("key").unwrap()).cause(), Cause::Queued, "who does not wait is told when");
    let _elsewhere = limiter.acquire("other").unwrap();
    drop(one);
    let _three = queued(&limiter, 1);
}

#[test]
fn promise_7_where_nobody_waits_nothing_is_kept() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let mut waiting = queued(&limiter, 1);
    assert_eq!(timer.alarms(), 1);
    drop(queued(&limiter, 1));
    timer.advance(SECOND + TICK);
    tick(&mut waiting);
    assert_eq!(timer.alarms(), 0);
}

#[test]
fn promise_5_deadlines_that_cannot_be_met_as_the_line_stands_are_answered_at_once() {
    let timer = ManualTimer::new();
    let limiter = limiter("2/s", &timer);
    limiter.request("key").weight(2).acquire().unwrap();
    let _line: Vec<_> = (0..4).map(|_| queued(&limiter, 1)).collect();
    // Two at 1.000001 s, two at 2.000002 s, the next at 3.000003 s.
    let ask = |micros| limiter.request("key").timeout(Duration::from_micros(micros));
    let error = ask(3_000_002).acquire().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("3.000003s") && error.message().contains("3.000002s"), "{error}");
    let mut just = pin!(ask(3_000_003).acquire_async());
    assert!(just.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(ask(0).acquire().unwrap_err().kind(), ErrorKind::Timeout);
    for _ in 0..3 {
        timer.advance(SECOND + TICK);
    }
    assert!(just.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn promise_5_who_waits_too_long_is_told_no_later_than_at_the_deadline() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let _ahead = queued(&limiter, 1);
    let mut late: Waiting<'_> = Box::pin(limiter.request("key").timeout(3 * SECOND).acquire_async());
    assert!(poll(&mut late).is_pending());
    // A debt moves everybody back.
    limiter.penalize("key", 1).unwrap();
    timer.advance(SECOND + TICK);
    assert!(poll(&mut late).is_pending(), "two seconds are left yet, and the first in line may go");
    limiter.hold("key", 5 * SECOND).unwrap();
    timer.advance(SECOND + TICK);
    let Poll::Ready(Err(error)) = poll(&mut late) else { panic!("it cannot be served in time any more") };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(timer.now() <= Timestamp::ZERO + 3 * SECOND);
}

#[test]
fn promise_2_what_is_given_back_serves_the_line_at_once() {
    let timer = ManualTimer::new();
    let limiter = limiter("2/h", &timer);
    let (one, _two) = (limiter.acquire("key").unwrap(), limiter.acquire("key").unwrap());
    let (mut first, mut second) = (queued(&limiter, 1), queued(&limiter, 1));
    limiter.refund(one).unwrap();
    assert_eq!(tick(&mut first), 0);
    assert!(poll(&mut second).is_pending());
    assert!(limiter.reset("key").unwrap());
    assert_eq!(tick(&mut second), 0);
}

#[test]
fn promise_5_when_the_first_in_line_goes_away_the_next_one_is_asked_for() {
    let timer = ManualTimer::new();
    let limiter = limiter("10/h", &timer);
    limiter.request("key").weight(8).acquire().unwrap();
    let heavy = queued(&limiter, 5);
    let (mut light, mut lighter) = (queued(&limiter, 2), queued(&limiter, 1));
    drop(heavy);
    assert_eq!(tick(&mut light), 0);
    assert!(poll(&mut lighter).is_pending());
    let gone = light;
    drop(gone);
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 10, "its permit had been taken");
}

#[test]
fn promise_5_a_grant_that_nobody_picks_up_is_given_back() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let granted = queued(&limiter, 1);
    let mut next = queued(&limiter, 1);
    timer.advance(SECOND + TICK);
    assert!(poll(&mut next).is_pending());
    drop(granted);
    assert_eq!(tick(&mut next), 1_000_001, "at the same tick: nothing was lost");
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 1);
}

#[test]
fn closing_sends_everybody_away_and_lets_give_back() {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let closing = builder("2/h", &timer).store(store.clone()).build().unwrap();
    let staying = builder("2/h", &timer).store(store).build().unwrap();
    let handle = closing.bucket("key").unwrap();
    let (one, two) = (handle.acquire().unwrap(), closing.acquire("key").unwrap());
    let (mut mine, mut other) = (queued(&closing, 1), queued(&staying, 1));
    thread::scope(|scope| {
        let blocked = scope.spawn(|| closing.acquire("key").map(drop));
        while denied(&staying.try_acquire("key").unwrap()).retry_after() < Duration::from_hours(2) {
            thread::yield_now();
        }
        closing.clone().close();
        assert_eq!(blocked.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    });
    assert!(closing.is_closed() && !staying.is_closed());
    let Poll::Ready(Err(error)) = poll(&mut mine) else { panic!("it waits for a closed limiter") };
    assert_eq!(error.kind(), ErrorKind::Closed);
    let errors = [
        closing.try_acquire("key").unwrap_err(),
        closing.acquire("new").unwrap_err(),
        handle.try_acquire().unwrap_err(),
        pollster::block_on(handle.acquire_async()).unwrap_err(),
        closing.detailed("key").unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Closed && !error.is_transient()), "{errors:?}");
    assert!(poll(&mut other).is_pending());
    assert_eq!(closing.refund(two).unwrap(), 1);
    assert_eq!(tick(&mut other), 0);
    assert_eq!(closing.refund(one).unwrap(), 1);
    assert!(staying.try_acquire("key").unwrap().is_admitted());
}

/// A timer that cannot wake anyone.
#[derive(Debug)]
struct Mute;

impl Timer for Mute {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }

    fn wake_at(&self, _: Timestamp, _: Waker) -> scupper::Result<Alarm> {
        Err(Error::new(ErrorKind::Unavailable, "no thread to be had"))
    }
}

#[test]
fn a_timer_that_cannot_wake_anyone_is_an_error_to_all_who_wait() {
    let limiter = Limiter::builder().rates(["1/s".parse().unwrap()]).timer(Mute).build().unwrap();
    let _first = limiter.acquire("key").unwrap();
    let error = limiter.acquire("key").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "no thread to be had"));
}

/// Asks again, on the thread that wakes it.
struct Echo(Limiter);

impl Wake for Echo {
    fn wake(self: Arc<Self>) {
        let _decision = self.0.try_acquire("key").unwrap();
        let _other = self.0.try_acquire("other").unwrap();
    }
}

#[test]
fn a_waker_may_use_the_limiter() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let waker = Waker::from(Arc::new(Echo(limiter.clone())));
    let (mut one, mut two) = (queued(&limiter, 1), queued(&limiter, 1));
    for waiting in [&mut one, &mut two] {
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    timer.advance(SECOND + TICK);
    timer.advance(SECOND + TICK);
    assert_eq!((tick(&mut one), tick(&mut two)), (1_000_001, 2_000_002));
}

/// Panics when it is woken.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

#[test]
fn a_waker_that_panics_is_its_owners_loss_alone() {
    let timer = ManualTimer::new();
    let limiter = limiter("2/s", &timer);
    limiter.request("key").weight(2).acquire().unwrap();
    let woken = Arc::default();
    let (mut one, mut two) = (queued(&limiter, 1), queued(&limiter, 1));
    assert!(one.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Bomb)))).is_pending());
    let bell = Waker::from(Arc::new(Bell(2, Arc::clone(&woken))));
    assert!(two.as_mut().poll(&mut Context::from_waker(&bell)).is_pending());
    timer.advance(SECOND + TICK);
    assert_eq!(*woken.lock().unwrap(), [2]);
    assert_eq!((tick(&mut one), tick(&mut two)), (1_000_001, 1_000_001));
}

/// Panics once there is something to wait for.
#[derive(Debug)]
struct Fragile(MemoryStore, AtomicUsize);

impl Store for Fragile {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) != 1, "on purpose");
        self.0.submit(batch)
    }
}

#[test]
fn a_store_that_panics_keeps_nobody_waiting() {
    let timer = ManualTimer::new();
    let store = Fragile(MemoryStore::builder().timer(timer.clone()).build(), AtomicUsize::new(0));
    let limiter = builder("1/s", &timer).store(store).build().unwrap();
    let _first = limiter.acquire("key").unwrap();
    let error = limiter.acquire("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.message().contains("panicked"), "{error}");
    let mut waiting = queued(&limiter, 1);
    timer.advance(SECOND + TICK);
    tick(&mut waiting);
}

/// A wall clock that can be set back; alarms go by how long they were to be.
#[derive(Clone, Debug)]
struct Wall(ManualTimer, Arc<AtomicU64>);

impl Timer for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now().as_micros() - self.1.load(Ordering::Relaxed))
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> scupper::Result<Alarm> {
        self.0.wake_at(self.0.now() + at.since(self.now()), waker)
    }
}

#[test]
fn promise_6_a_clock_that_steps_back_an_hour_costs_those_who_wait_no_hour() {
    let hour = Duration::from_hours(1);
    let timer = Wall(ManualTimer::new(), Arc::default());
    timer.0.set(Timestamp::ZERO + 5 * hour);
    let limiter = Limiter::builder().rates(["1/s".parse().unwrap()]).timer(timer.clone()).build().unwrap();
    let _first = limiter.acquire("key").unwrap();
    let (mut one, mut two) = (queued(&limiter, 1), queued(&limiter, 1));
    timer.1.store(u64::try_from(hour.as_micros()).unwrap(), Ordering::Relaxed);
    // At the new time, what was admitted is as old as the last that was seen of the old one: not old at all.
    for waiting in [&mut one, &mut two] {
        timer.0.advance(SECOND + TICK);
        timer.0.advance(SECOND + TICK);
        let at = tick(waiting);
        assert!(at < u64::try_from((5 * hour).as_micros()).unwrap(), "at {at}");
    }
}
