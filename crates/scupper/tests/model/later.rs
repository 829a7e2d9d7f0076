//! A store that answers later, from a thread of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use scupper::store::{Batch, Outcomes, Store, Submission};
use scupper::{Limiter, LimiterBuilder, ManualTimer, MemoryStore};
use shuttle::sync::Mutex;
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::thread::{self, JoinHandle};

use crate::model::{parse, used};

/// Decides like the memory store, and has the answers delivered by a thread.
#[derive(Debug)]
struct Later {
    inner: MemoryStore,
    postman: Sender<(Arc<Letterbox>, Outcomes)>,
}

#[derive(Debug, Default)]
struct Letterbox(Mutex<(Option<Outcomes>, Option<Waker>)>);

struct Letter(Arc<Letterbox>);

impl Store for Later {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let letterbox = Arc::new(Letterbox::default());
        let outcomes = self.inner.submit(batch).wait();
        self.postman.send((Arc::clone(&letterbox), outcomes)).unwrap();
        Submission::Pending(Box::pin(Letter(letterbox)))
    }
}

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

/// What is left of the store once its limiter is gone.
pub(crate) struct Office {
    rates: &'static str,
    timer: ManualTimer,
    inner: MemoryStore,
    postman: JoinHandle<()>,
}

/// A limiter on such a store.
pub(crate) fn open(rates: &'static str, timer: &ManualTimer) -> (Limiter, Office) {
    let inner = MemoryStore::builder().timer(timer.clone()).build();
    let (postman, letters) = channel::<(Arc<Letterbox>, Outcomes)>();
    let delivers = thread::spawn(move || {
        for (letterbox, outcomes) in letters {
            let mut slot = letterbox.0.lock().unwrap();
            slot.0 = Some(outcomes);
            let waiting = slot.1.take();
            drop(slot);
            waiting.into_iter().for_each(Waker::wake);
        }
    });
    let limiter = builder(rates, timer).store(Later { inner: inner.clone(), postman }).build().unwrap();
    (limiter, Office { rates, timer: timer.clone(), inner, postman: delivers })
}

fn builder(rates: &str, timer: &ManualTimer) -> LimiterBuilder {
    Limiter::builder().rates(parse(rates)).timer(timer.clone())
}

impl Office {
    /// Waits until all letters are delivered and nobody can send another, which takes that nothing holds on to the store;
    /// then says how many units are in use.
    pub(crate) fn close(self, limiter: Limiter) -> u64 {
        drop(limiter);
        self.postman.join().unwrap();
        used(&builder(self.rates, &self.timer).store(self.inner).build().unwrap())
    }
}
