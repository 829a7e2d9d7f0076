//! A store that answers later, from a thread of its own, passes the suite: as a remote one does.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use scupper::conformance::Opened;
use scupper::store::{Batch, Outcomes, Store, Submission};
use scupper::{ManualTimer, MemoryStore};

/// Decides like the memory store, and has the answers delivered by a thread.
#[derive(Debug)]
struct Later {
    inner: MemoryStore,
    postman: Sender<(Arc<Letterbox>, Outcomes)>,
}

#[derive(Debug, Default)]
struct Letterbox(Mutex<(Option<Outcomes>, Option<Waker>)>);

impl Later {
    fn new(inner: MemoryStore) -> Self {
        let (postman, letters) = channel::<(Arc<Letterbox>, Outcomes)>();
        thread::spawn(move || {
            for (letterbox, outcomes) in letters {
                let waiting = {
                    let mut slot = letterbox.0.lock().unwrap();
                    slot.0 = Some(outcomes);
                    slot.1.take()
                };
                waiting.into_iter().for_each(Waker::wake);
            }
        });
        Self { inner, postman }
    }
}

impl Store for Later {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let letterbox = Arc::new(Letterbox::default());
        let outcomes = self.inner.submit(batch).wait();
        self.postman.send((Arc::clone(&letterbox), outcomes)).unwrap();
        Submission::Pending(Box::pin(Letter(letterbox)))
    }
}

struct Letter(Arc<Letterbox>);

impl Future for Letter {
    type Output = Outcomes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcomes> {
        let mut slot = self.0.0.lock().unwrap();
        if let Some(outcomes) = slot.0.take() {
            return Poll::Ready(outcomes);
        }
        slot.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

fn later() -> Opened {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let inside = store.clone();
    Opened::new(Later::new(store)).on(timer).counting(move || inside.len())
}

scupper::conformance_tests!(later);
