//! Others who misbehave, or do several things at once: stores and clocks that panic, rates that change meanwhile, wakers with a
//! life of their own.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use scupper::store::{Action, Batch, Store, Submission};
use scupper::{
    Alarm, Algorithm, ErrorKind, Limiter, LimiterBuilder, ManualTimer, MemoryStore, OutagePolicy, Quota, Rates,
    Reservation, Result, Source, Timer, Timestamp, TokioTimer,
};
use support::{Answers, Failure, HOUR, Kind, MILLISECOND, SECOND, Scripted, Task, clock_and_store, limiting};

/// Has something done before each batch.
#[derive(Clone)]
struct Hooked {
    inner: Scripted,
    hook: Arc<dyn Fn(&Batch<'_>) + Send + Sync>,
}
impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}
impl Store for Hooked {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        (self.hook)(&batch);
        self.inner.submit(batch)
    }
    fn identity(&self) -> usize {
        self.inner.identity()
    }
}
fn is_refund(batch: &Batch<'_>) -> bool {
    batch.operations().iter().any(|o| matches!(o.action, Action::Refund(_)))
}
fn hooked(
    rates: &str,
    timer: &ManualTimer,
    store: &Scripted,
    hook: impl Fn(&Batch<'_>) + Send + Sync + 'static,
) -> LimiterBuilder {
    let rates: Rates = rates.parse().unwrap();
    Limiter::builder()
        .rates(rates.iter().copied())
        .timer(timer.clone())
        .shared_store(Arc::new(Hooked { inner: store.clone(), hook: Arc::new(hook) }))
}
fn within(secs: u64, work: impl FnOnce() + Send + 'static) -> bool {
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = tx.send(());
    });
    rx.recv_timeout(Duration::from_secs(secs)).is_ok()
}

#[test]
fn promise_8_a_refund_that_panics_leaves_nobody_without_an_answer() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = hooked("9/h", &timer, &store, |b| {
        assert!(!is_refund(b), "on purpose");
    })
    .build()
    .unwrap();
    let mut first = Task::new(limiter.acquire_async("k"));
    // gathered during the first call: they go out together
    let second = Task::new(limiter.acquire_async("k"));
    let third = Task::new(limiter.acquire_async("k"));
    store.deliver();
    assert!(first.output().is_ok());
    assert_eq!(store.last_batch().len(), 2);
    drop(second); // leaves while in flight
    store.deliver();
    assert!(third.is_woken(), "the third one's answer came with a refund that panicked: it waits for ever");
}

#[test]
fn promise_8_a_probe_that_panics_does_not_keep_the_store_out_for_ever() {
    let (timer, store) = clock_and_store();
    let panics = Arc::new(AtomicBool::new(false));
    let p = Arc::clone(&panics);
    let limiter = hooked("9/h", &timer, &store, move |_| {
        assert!(!p.swap(false, Ordering::SeqCst), "on purpose");
    })
    .on_outage(OutagePolicy::FailOpen)
    .build()
    .unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    assert_eq!(limiter.try_acquire("k").unwrap().source(), Source::FailOpen);
    store.recover();
    timer.advance(SECOND);
    panics.store(true, Ordering::SeqCst);
    let _ = limiter.try_acquire("k").map(drop);
    timer.advance(HOUR);
    assert_eq!(limiter.try_acquire("k").unwrap().source(), Source::Store, "an hour after the store is back");
}

#[test]
fn a_waker_may_give_back_what_it_holds_when_it_is_dropped() {
    struct Owner {
        _reservation: Reservation<'static>,
    }
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    assert!(
        within(5, || {
            let timer = ManualTimer::new();
            let limiter = Limiter::builder().rates(["1/h".parse().unwrap()]).timer(timer).build().unwrap();
            let reservation = limiter.request("k").reserve().unwrap().into_owned();
            let limiter2 = limiter.clone();
            let mut waiting = Box::pin(limiter2.acquire_async("k"));
            let waker = Waker::from(Arc::new(Owner { _reservation: reservation }));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            drop(waiting); // the waker goes, with the reservation: the line is served
        }),
        "deadlock"
    );
}

#[test]
fn promise_5_a_deadline_is_not_judged_by_what_others_are_held_to() {
    let timer = ManualTimer::new();
    let limiter = Limiter::builder().rates(["5/s".parse().unwrap()]).timer(timer.clone()).build().unwrap();
    let lax = limiter.bucket_under("k", &Quota::new(Algorithm::default(), "100/s").unwrap()).unwrap();
    limiter.hold("k", SECOND * 10).unwrap();
    let mut ahead = Task::new(lax.request().weight(20).acquire_async());
    assert!(ahead.is_pending());
    let mut strict = Task::new(limiter.request("k").timeout(SECOND * 12).acquire_async());
    assert!(strict.is_pending(), "{:?}", strict.output());
    timer.advance(SECOND * 10);
    assert!(ahead.output().is_ok());
    timer.advance(SECOND * 2);
    assert_eq!(strict.output().unwrap().tick().as_micros(), 12_000_000, "the alarm was late");
}

#[test]
fn promise_5_a_line_of_late_ones_is_not_asked_for_one_by_one() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1000/s", &timer, &store).build().unwrap();
    drop(limiter.request("k").weight(1000).acquire().unwrap());
    let mut waiting: Vec<_> =
        (0..1000).map(|_| Task::new(limiter.request("k").timeout(SECOND * 3).acquire_async())).collect();
    assert!(waiting.iter_mut().all(Task::is_pending));
    limiter.hold("k", HOUR).unwrap();
    let before = store.calls();
    timer.advance(SECOND * 2);
    assert!(waiting.iter_mut().all(|w| !w.is_pending()));
    assert!(store.calls() - before < 50, "{} calls to turn 1000 away", store.calls() - before);
}

type Hook = Box<dyn FnOnce() + Send>;

/// Has something done when the time is read: it stands for another thread.
struct Meddling {
    inner: ManualTimer,
    hook: Arc<Mutex<Option<Hook>>>,
}
impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddling")
    }
}
impl Timer for Meddling {
    fn now(&self) -> Timestamp {
        let hook = self.hook.lock().unwrap().take();
        if let Some(h) = hook {
            h();
        }
        self.inner.now()
    }
    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.inner.wake_at(at, waker)
    }
}
#[test]
fn who_joins_while_rates_change_is_held_to_the_new_ones() {
    let (timer, store) = clock_and_store();
    let hook = Arc::new(Mutex::new(None));
    let limiter = Limiter::builder()
        .rates(["1/h".parse().unwrap()])
        .timer(Meddling { inner: timer.clone(), hook: Arc::clone(&hook) })
        .shared_store(Arc::new(store.clone()))
        .build()
        .unwrap();
    limiter.acquire("k").unwrap();
    let other = limiter.clone();
    *hook.lock().unwrap() = Some(Box::new(move || other.set_rates("9/h").unwrap()));
    let mut waiting = Task::new(limiter.acquire_async("k"));
    timer.advance(SECOND);
    assert!(!waiting.is_pending(), "held to 1/h after set_rates(9/h) returned");
}

#[test]
fn a_request_by_a_handle_is_held_to_the_rates_that_there_are_when_it_is_made() {
    let timer = ManualTimer::new();
    let limiter = Limiter::builder().rates(["1/h".parse().unwrap()]).timer(timer.clone()).build().unwrap();
    let bucket = limiter.bucket("k").unwrap();
    assert!(bucket.try_acquire().unwrap().is_admitted());
    let request = bucket.request();
    limiter.set_rates("9/h").unwrap();
    let mut waiting = Task::new(request.acquire_async());
    assert!(!waiting.is_pending());
}

/// A clock whose alarms are late.
#[derive(Debug, Clone)]
struct LateAlarms {
    clock: ManualTimer,
    alarms: ManualTimer,
}
impl Timer for LateAlarms {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.alarms.wake_at(at, waker)
    }
}
#[test]
fn promise_5_who_is_late_already_is_not_asked_for() {
    let clock = ManualTimer::new();
    let store = Scripted::new(&clock);
    let timer = LateAlarms { clock: clock.clone(), alarms: ManualTimer::new() };
    let limiter = Limiter::builder()
        .rates(["9/h".parse().unwrap()])
        .timer(timer.clone())
        .shared_store(Arc::new(store.clone()))
        .build()
        .unwrap();
    store.answer(Answers::Later);
    let mut first = Task::new(limiter.acquire_async("k"));
    let mut late = Task::new(limiter.request("k").timeout(MILLISECOND * 5).acquire_async());
    clock.advance(MILLISECOND * 10); // the alarm is a little late
    store.deliver();
    assert!(first.output().is_ok());
    assert_eq!(store.count(Kind::Acquire), 1, "asked for one whose deadline was 5 ms ago");
    timer.alarms.advance(MILLISECOND * 10);
    assert_eq!(late.output().unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn promise_5_a_deadline_is_not_judged_by_a_calendar_that_is_not_the_stores() {
    let (timer, clock) = (ManualTimer::new(), ManualTimer::new());
    timer.set(Timestamp::from_micros(100_000)); // 0.1 s into a minute here
    clock.set(Timestamp::from_micros(50_100_000)); // 50.1 s into a minute there
    let store = MemoryStore::builder().timer(clock.clone()).build();
    let limiter = Limiter::builder()
        .algorithm(Algorithm::FixedWindow)
        .rates(["5/min".parse().unwrap()])
        .timer(timer.clone())
        .store(store)
        .build()
        .unwrap();
    limiter.hold("k", SECOND).unwrap();
    let both = |d: Duration| {
        clock.advance(d);
        timer.advance(d);
    };
    let mut first = Task::new(limiter.request("k").weight(5).acquire_async());
    let mut second = Task::new(limiter.request("k").timeout(SECOND * 20).acquire_async());
    assert!(second.is_pending(), "{:?}", second.output());
    both(SECOND);
    assert!(first.output().is_ok());
    both(SECOND * 9);
    assert!(second.output().is_ok());
}

/// A clock that panics from some time on.
#[derive(Debug, Clone)]
struct Broken {
    inner: ManualTimer,
    broken: Arc<AtomicBool>,
}
impl Timer for Broken {
    fn now(&self) -> Timestamp {
        assert!(!self.broken.load(Ordering::SeqCst), "broken");
        self.inner.now()
    }
    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.inner.wake_at(at, waker)
    }
}
#[test]
fn a_clock_that_panics_does_not_make_the_line_spin() {
    assert!(
        within(5, || {
            let (timer, store) = clock_and_store();
            let broken = Arc::new(AtomicBool::new(false));
            let limiter = Limiter::builder()
                .rates(["1/h".parse().unwrap()])
                .timer(Broken { inner: timer.clone(), broken: broken.clone() })
                .shared_store(Arc::new(store.clone()))
                .build()
                .unwrap();
            limiter.acquire("k").unwrap();
            let mut waiting = Task::new(limiter.acquire_async("k"));
            broken.store(true, Ordering::SeqCst);
            timer.advance(HOUR * 2);
            assert!(waiting.output().is_err());
        }),
        "it spins"
    );
}

/// Counts the alarms that are set.
#[derive(Debug, Clone)]
struct Counting {
    inner: ManualTimer,
    set: Arc<AtomicUsize>,
}
impl Timer for Counting {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.set.fetch_add(1, Ordering::SeqCst);
        self.inner.wake_at(at, waker)
    }
}
#[test]
fn who_gathers_during_a_call_sets_no_alarms() {
    let (timer, store) = clock_and_store();
    let set = Arc::new(AtomicUsize::new(0));
    let limiter = Limiter::builder()
        .rates(["5000/h".parse().unwrap()])
        .timer(Counting { inner: timer.clone(), set: set.clone() })
        .shared_store(Arc::new(store.clone()))
        .build()
        .unwrap();
    store.answer(Answers::Later);
    let tasks: Vec<_> = (0..1000).map(|_| Task::new(limiter.request("k").timeout(SECOND).acquire_async())).collect();
    assert_eq!(store.calls(), 1);
    assert!(
        set.load(Ordering::SeqCst) < 20,
        "{} alarms set by 1000 who gather during one call",
        set.load(Ordering::SeqCst)
    );
    std::mem::forget(tasks);
}

#[test]
fn another_limiters_runtime_is_none_of_ones_business() {
    let store = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let theirs = {
        let _in = runtime.enter();
        Limiter::builder()
            .rates(["1/2s".parse().unwrap()])
            .timer(TokioTimer::current().unwrap())
            .store(store.clone())
            .build()
            .unwrap()
    };
    let ours = Limiter::builder().rates(["1/2s".parse().unwrap()]).store(store).build().unwrap();
    ours.acquire("k").unwrap();
    let mut first = Task::new(theirs.acquire_async("k"));
    assert!(first.is_pending());
    let mut mine = Task::new(ours.acquire_async("k"));
    assert!(mine.is_pending());
    drop(runtime);
    let is_pending = mine.is_pending();
    assert!(is_pending, "{:?}", mine.output());
}

/// Panics when it is asked for its answer.
#[derive(Debug)]
struct Fragile;

impl Store for Fragile {
    fn submit(&self, _: Batch<'_>) -> Submission {
        let mut polls = 0;
        Submission::Pending(Box::pin(std::future::poll_fn(move |context: &mut Context<'_>| {
            polls += 1;
            assert!(polls == 1, "on purpose");
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })))
    }
}

#[test]
fn promise_8_a_call_that_panics_is_one_of_which_nothing_is_known() {
    let limiter =
        Limiter::builder().rates(["1/h".parse().unwrap()]).timer(ManualTimer::new()).store(Fragile).build().unwrap();
    for _ in 0..2 {
        assert_eq!(limiter.acquire("k").unwrap_err().kind(), ErrorKind::Unknown);
        assert_eq!(limiter.try_acquire("k").unwrap_err().kind(), ErrorKind::Unknown);
    }
}
