//! Many threads on few keys and the real clock, for a sanitizer to look at: whoever comes, leaves, gives back or closes
//! meanwhile, everybody is answered and no rate is exceeded.
#![cfg(not(scupper_shuttle))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use scupper::{Decision, ErrorKind, Limiter, MemoryStore, Permit, Rate, Result, Timestamp};

const LIMIT: u64 = 100;
const INTERVAL: Duration = Duration::from_millis(10);
const KEYS: [&str; 3] = ["one", "two", "three"];
const THREADS: usize = 6;
const REQUESTS: usize = 250;

/// What was admitted and kept: on which key, when, and how much.
type One = (&'static str, Timestamp, u64);

#[test]
fn promise_1_and_5_nobody_is_left_waiting_and_no_rate_is_exceeded() {
    let store = MemoryStore::new();
    let open = || Limiter::builder().rate(Rate::new(LIMIT, INTERVAL).unwrap()).store(store.clone()).build().unwrap();
    let (stays, closes) = (open(), open());
    let mut kept: Vec<One> = thread::scope(|scope| {
        let come = |thread| {
            let limiter = if thread % 2 == 0 { &stays } else { &closes };
            scope.spawn(move || requests(limiter, thread * REQUESTS))
        };
        let coming: Vec<_> = (0..THREADS).map(come).collect();
        thread::sleep(2 * INTERVAL);
        closes.close();
        coming.into_iter().flat_map(|coming| coming.join().unwrap()).collect()
    });
    for key in KEYS {
        stays.request(key).weight(LIMIT).acquire().unwrap();
    }
    kept.sort_by_key(|(_, tick, _)| *tick);
    for (at, (key, from, _)) in kept.iter().enumerate() {
        let inside = kept[at..].iter().take_while(|(_, tick, _)| *tick <= *from + INTERVAL);
        let weight: u64 = inside.filter(|(other, ..)| other == key).map(|(.., weight)| weight).sum();
        assert!(weight <= LIMIT, "{weight} units of {key} from {from}");
    }
}

/// Requests of all kinds, until the limiter is closed; what of them was kept.
fn requests(limiter: &Limiter, first: usize) -> Vec<One> {
    let mut kept = Vec::new();
    for turn in first..first + REQUESTS {
        match request(limiter, turn) {
            Ok(one) => kept.extend(one),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                break;
            }
        }
    }
    kept
}

/// One request of the kind whose turn it is; what of it was kept.
fn request(limiter: &Limiter, turn: usize) -> Result<Option<One>> {
    let key = KEYS[turn % KEYS.len()];
    let weight = 1 + turn as u64 % 7;
    let request = || limiter.request(key).weight(weight);
    let answer = match turn / KEYS.len() % 6 {
        0 => request().acquire().map(Some),
        1 => request().try_acquire().map(|decision| match decision {
            Decision::Admitted(permit) => Some(permit),
            _ => None,
        }),
        2 => request().acquire().and_then(|permit| limiter.refund(permit)).map(|_| None),
        3 => request().reserve().map(|reserved| drop(reserved.into_owned())).map(|()| None),
        4 => leave(request().acquire_async()),
        _ => limiter.bucket(key).and_then(|bucket| bucket.acquire().map(|permit| Some(permit.into_owned()))),
    };
    Ok(answer?.map(|permit: Permit<'_>| (key, permit.tick(), permit.weight())))
}

/// Comes, and goes unless there is an answer at once.
fn leave<'a>(waiting: impl Future<Output = Result<Permit<'a>>>) -> Result<Option<Permit<'a>>> {
    match pin!(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.map(Some),
        Poll::Pending => Ok(None),
    }
}
