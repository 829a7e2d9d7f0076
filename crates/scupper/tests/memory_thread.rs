//! One helper thread for all limiters of a process. Alone in its process, as it counts threads.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::thread;
use std::time::Duration;

use scupper::{Limiter, Rate};

const WAITS: usize = 3000;
const WAIT: Duration = Duration::from_millis(10);

fn helpers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim() == "scupper-timer").count()
}

/// A thread takes its name after it has started, and goes a little after it has ended.
fn soon(number: usize) -> bool {
    (0..WAITS).any(|_| {
        let is_so = helpers() == number;
        if !is_so {
            thread::sleep(WAIT);
        }
        is_so
    })
}

#[test]
fn all_limiters_share_one_helper_thread_which_ends_with_the_last_of_them() {
    for round in 0..2 {
        assert_eq!(helpers(), 0, "in round {round}, nobody needs one");
        let limiters: Vec<Limiter> =
            (0..50).map(|_| Limiter::builder().rate(Rate::per_hour(1).unwrap()).build().unwrap()).collect();
        for limiter in &limiters {
            for key in ["a", "b", "c"] {
                assert!(limiter.try_acquire(key).unwrap().is_admitted());
            }
            pollster::block_on(limiter.request("d").timeout(Duration::ZERO).acquire_async()).unwrap();
        }
        assert!(soon(1), "in round {round}, {} threads", helpers());
        let handle = limiters[0].bucket("a").unwrap();
        drop(limiters);
        assert_eq!(helpers(), 1, "in round {round}, a handle is in use");
        drop(handle);
        assert!(
            (0..WAITS).any(|_| helpers() == 0 || {
                thread::sleep(WAIT);
                false
            }),
            "in round {round}, it goes on"
        );
    }
}
