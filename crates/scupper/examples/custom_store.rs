//! A whole store of one's own: a map behind a mutex. `BucketState` decides, `Line` keeps requests in order; a store adds
//! a place to keep the state, a lock around it and a clock.
//!
//! It has all that the contract asks for but one thing: its buckets leave only when someone lists them. See
//! `scupper::conformance` for the suite that tells, and `Opened::on` there for how they would leave by themselves.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use scupper::store::{Action, Batch, BucketState, Line, Operation, Outcome, Outcomes, Reply, Store, Submission};
use scupper::{Cursor, Limiter, Page, SystemTimer, Timer};

#[derive(Debug)]
struct MapStore {
    buckets: Mutex<BTreeMap<String, BucketState>>,
    timer: SystemTimer,
}

impl Store for MapStore {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        // One lock for the whole batch, so that nothing comes between operations on one key.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = Line::default();
        let decide = |operation| line.pass(operation, || self.decide(&mut buckets, operation));
        Submission::Ready(batch.operations().iter().map(decide).collect::<Outcomes>())
    }
}

impl MapStore {
    fn new() -> Self {
        Self { buckets: Mutex::default(), timer: SystemTimer::new() }
    }

    fn decide(&self, buckets: &mut BTreeMap<String, BucketState>, operation: &Operation<'_>) -> Outcome {
        // Read under the lock: time must not step back between two who come one after the other.
        let now = self.timer.now();
        if let Action::List { after, most } = operation.action {
            buckets.retain(|_, bucket| bucket.idle_from() > now);
            // A cursor is any number that tells where to go on: here how many keys there were so far, in their order.
            let place = after.map_or(Ok(0), |after| after.place().parse()).unwrap_or(usize::MAX);
            let most = most.max(1);
            let owing =
                buckets.iter().filter(|(key, bucket)| key.starts_with(operation.key) && bucket.settled_from() > now);
            let keys: Vec<String> = owing.skip(place).take(most).map(|(key, _)| key.clone()).collect();
            let next = (keys.len() == most).then(|| Cursor::new((place + most).to_string()));
            return Ok(Reply::Listed(Page { keys, next }));
        }
        if let Some(bucket) = buckets.get_mut(operation.key) {
            return bucket.apply(operation, now);
        }
        let Some(quota) = operation.quota() else { return operation.without_bucket() };
        let mut bucket = BucketState::new(quota, now);
        let outcome = bucket.apply(operation, now);
        // A request that was denied leaves no trace.
        if bucket.idle_from() > now {
            buckets.insert(operation.key.to_owned(), bucket);
        }
        outcome
    }
}

fn main() -> scupper::Result<()> {
    let limiter = Limiter::builder().rates(["3/s".parse()?]).store(MapStore::new()).build()?;
    for request in 1..=5 {
        let decision = limiter.try_acquire("user:42")?;
        println!("request {request}: admitted {}, retry after {:?}", decision.is_admitted(), decision.retry_after());
    }
    limiter.acquire("user:42")?;
    println!("request 6 waited its turn; buckets: {:?}", limiter.list("", None, 10)?.keys);
    Ok(())
}
