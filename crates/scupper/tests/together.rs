//! Requests on one key that come while another is being decided go to the store together.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use scupper::store::{Batch, Store, Submission};
use scupper::{Limiter, MemoryStore};

const KEY: &str = "one";

/// A store in memory that does not tell so, writes down how many operations each call has, and does something during one.
#[derive(Clone, Default)]
struct Counting(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: MemoryStore,
    calls: Mutex<Vec<usize>>,
    during_call: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").finish_non_exhaustive()
    }
}

impl Store for Counting {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        self.0.calls.lock().unwrap().push(batch.operations().len());
        let act = self.0.during_call.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        self.0.memory.submit(batch)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

#[test]
fn those_who_do_not_wait_and_have_come_during_a_call_go_in_the_next_one() {
    let store = Counting::default();
    let limiter = Limiter::builder().rates(["8/h".parse().unwrap()]).store(store.clone()).build().unwrap();
    let (others, held) = (limiter.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&held);
    let come = move || {
        for _ in 0..8 {
            let others = others.clone();
            let mut request = Box::pin(async move { others.try_acquire_async(KEY).await.map(|it| it.is_admitted()) });
            assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            kept.lock().unwrap().push(request);
        }
    };
    *store.0.during_call.lock().unwrap() = Some(Box::new(come));
    assert!(limiter.try_acquire(KEY).unwrap().is_admitted());
    assert_eq!(*store.0.calls.lock().unwrap(), [1, 8]);
    let admitted = std::mem::take(&mut *held.lock().unwrap()).into_iter().map(|mut request| {
        match pin!(request.as_mut()).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(admitted) => admitted.unwrap(),
            std::task::Poll::Pending => panic!("it was answered"),
        }
    });
    let admitted: Vec<bool> = admitted.collect();
    assert_eq!(admitted, [true, true, true, true, true, true, true, false], "in the order in which they came");
}
