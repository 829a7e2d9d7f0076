//! Runtimes of one thread and of several, and work that must come to an end.

use std::sync::mpsc::channel;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use crate::support::SECOND;

pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn threads(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
}

/// Does this on a thread of its own, so that what never ends is told from what is slow.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, awaited) = channel();
    thread::spawn(move || told.send(act()));
    awaited.recv_timeout(60 * SECOND).unwrap()
}
