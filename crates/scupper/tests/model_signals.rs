//! Threads that wait, and what wakes them.
#![cfg(scupper_shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod model;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use scupper::store::{Outcomes, Reply, Submission};
use scupper::{ManualTimer, SystemTimer, Timer, Timestamp};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use crate::model::{HOUR, KEY, TICK, check, full, join_all, used};

/// How often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_thread_that_waits_for_a_store_misses_no_wake_up() {
    check(|| {
        let (answers, waiting) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let answering = [(); 2].map(|()| {
            let (answers, waiting) = (Arc::clone(&answers), Arc::clone(&waiting));
            thread::spawn(move || {
                answers.fetch_add(1, Ordering::SeqCst);
                let waker = waiting.lock().unwrap().clone();
                waker.into_iter().for_each(Waker::wake);
            })
        });
        let submission = Submission::Pending(Box::pin(poll_fn(move |context| {
            *waiting.lock().unwrap() = Some(context.waker().clone());
            if answers.load(Ordering::SeqCst) < 2 {
                return Poll::Pending;
            }
            Poll::Ready(Outcomes::from_iter([Ok(Reply::Reset(true))]))
        })));
        assert_eq!(submission.wait().len(), 1);
        join_all(answering);
    });
}

#[test]
fn a_thread_that_sleeps_wakes_whoever_moves_the_clock() {
    check(|| {
        let timer = ManualTimer::new();
        let sleeps = |micros| {
            let timer = timer.clone();
            thread::spawn(move || {
                timer.sleep_until(Timestamp::from_micros(micros)).unwrap();
                assert!(timer.now().as_micros() >= micros);
            })
        };
        let sleeping = [sleeps(1), sleeps(2)];
        let clock = timer.clone();
        let moves = thread::spawn(move || clock.advance(TICK));
        timer.advance(TICK);
        moves.join().unwrap();
        join_all(sleeping);
        assert_eq!(timer.alarms(), 0);
    });
}

#[test]
fn idle_threads_move_a_clock_that_moves_by_itself() {
    check(|| {
        let timer = ManualTimer::auto_advancing();
        let sleeps = |micros| {
            let timer = timer.clone();
            thread::spawn(move || timer.sleep_until(Timestamp::from_micros(micros)).unwrap())
        };
        let sleeping = [sleeps(5), sleeps(7)];
        join_all(sleeping);
        assert_eq!(timer.now().as_micros(), 7);
    });
}

#[test]
fn a_thread_with_nothing_to_wait_for_yet_moves_the_clock_later() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        // Each may look at the clock before anybody has set an alarm, or after.
        let waits = || {
            let (timer, limiter) = (timer.clone(), limiter.clone());
            thread::spawn(move || {
                timer.block_on(async { limiter.acquire_async(KEY).await.unwrap().into_owned() });
            })
        };
        join_all([waits(), waits()]);
        assert_eq!(used(&limiter), 1);
        assert_eq!(timer.alarms(), 0);
    });
}

#[test]
fn the_thread_of_the_system_timer_wakes_who_asks_and_ends_with_its_last_user() {
    check(|| {
        let bells = [(); 2].map(|()| Arc::<Bell>::default());
        let asking = bells.clone().map(|bell| {
            thread::spawn(move || {
                let timer = SystemTimer::new();
                let far = timer.wake_at(timer.now() + HOUR, Waker::noop().clone()).unwrap();
                let due = timer.wake_at(Timestamp::ZERO, Waker::from(Arc::clone(&bell))).unwrap();
                while bell.0.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
                drop(far);
                drop(due);
            })
        });
        join_all(asking);
        assert_eq!(bells.map(|bell| bell.0.load(Ordering::SeqCst)), [1, 1]);
    });
}
