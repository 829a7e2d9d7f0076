//! Waiting under Tokio: paused time, two runtimes, a runtime that ends.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use scupper::{ErrorKind, Limiter, Timer, TokioTimer};
use tokio::time::Instant;

fn limiter(rate: &str) -> Limiter {
    Limiter::builder().rates([rate.parse().unwrap()]).timer(TokioTimer::current().unwrap()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn promise_4_waits_are_exact_under_paused_time() {
    let (limiter, started) = (limiter("2/h"), Instant::now());
    for _ in 0..4 {
        limiter.acquire_async("key").await.unwrap();
    }
    // Tokio's clock counts whole milliseconds while it is paused.
    let ideal = Duration::from_hours(1) + Duration::from_micros(1);
    assert!(
        started.elapsed() >= ideal && started.elapsed() <= ideal + Duration::from_millis(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn promise_5_tasks_are_served_in_the_order_in_which_they_came() {
    let limiter = limiter("1/s");
    let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
    for task in 0..50 {
        let (limiter, sender) = (limiter.clone(), sender.clone());
        tokio::spawn(async move {
            limiter.acquire_async("key").await.unwrap();
            sender.send(task).unwrap();
        });
        tokio::task::yield_now().await;
    }
    for expected in 0..50 {
        assert_eq!(served.recv().await, Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_timeout_around_the_wait_leaves_no_trace() {
    let limiter = limiter("1/h");
    limiter.acquire_async("key").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(5), limiter.acquire_async("key"));
    assert!(waiting.await.is_err());
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
}

#[test]
fn a_timer_needs_a_runtime_with_time() {
    assert_eq!(TokioTimer::current().unwrap_err().kind(), ErrorKind::InvalidConfig);
    let timeless = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = timeless.block_on(async { TokioTimer::current() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().contains("enable_time"), "{error}");
}

#[test]
fn a_limiter_is_made_in_one_runtime_and_used_from_another_and_from_none() {
    let (home, other) = (tokio::runtime::Runtime::new().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let limiter = home.block_on(async { limiter("1/5ms") });
    other.block_on(async { limiter.acquire_async("key").await.map(drop) }).unwrap();
    pollster::block_on(limiter.acquire_async("key")).unwrap();
    limiter.acquire("key").unwrap();
}

#[test]
fn when_the_runtime_ends_those_who_wait_on_its_clock_are_told() {
    let home = tokio::runtime::Runtime::new().unwrap();
    let limiter = home.block_on(async { limiter("1/h") });
    limiter.acquire("key").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| limiter.acquire("key").map(drop));
        while limiter.try_acquire("key").unwrap().source() != scupper::Source::Line {
            std::thread::yield_now();
        }
        home.shutdown_background();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    });
    assert_eq!(limiter.acquire("key").unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_alarm_that_is_called_off_does_not_go_off() {
    let timer = TokioTimer::current().unwrap();
    let count = Arc::new(Count::default());
    let alarm = timer.wake_at(timer.now() + Duration::from_hours(1), Waker::from(Arc::clone(&count))).unwrap();
    drop(alarm);
    tokio::task::yield_now().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn housekeeping_on_a_paused_clock_comes_to_its_end() {
    let limiter = limiter("100/2s");
    let reservation = limiter.request("settled").weight(50).reserve_async().await.unwrap();
    reservation.settle_async(10).await.unwrap();
    limiter.acquire_async("reset").await.unwrap();
    limiter.reset_async("reset").await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(limiter.list("", None, 10).unwrap().keys.is_empty());
}
