//! One side of a case: a name and a closure that makes requests.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use crate::keys::Keys;

/// `(thread, requests) -> admitted`: makes that many requests as that thread. Called once per
/// batch of milliseconds, so that the dynamic call is not seen; the loop inside is monomorphic.
type Batch = Box<dyn Fn(usize, u32) -> u32 + Send + Sync>;

/// What can be timed: a limiter, behind requests that answer whether they were admitted.
pub(crate) struct Side {
    name: &'static str,
    batch: Batch,
}

impl Side {
    /// A side that makes the same request again and again.
    pub(crate) fn repeating(name: &'static str, request: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let batch = move |_thread, requests| {
            let mut admitted = 0;
            for _ in 0..requests {
                admitted += u32::from(request());
            }
            admitted
        };
        Self { name, batch: Box::new(batch) }
    }

    /// A side that visits the keys one after the other, in the order of its thread.
    pub(crate) fn visiting(
        name: &'static str,
        keys: Arc<Keys>,
        request: impl Fn(&String) -> bool + Send + Sync + 'static,
    ) -> Self {
        let batch = move |thread, requests| {
            let mut admitted = 0;
            let mut left = requests;
            while left > 0 {
                let keys = keys.of(thread);
                let round = usize::try_from(left).map_or(keys.len(), |n| n.min(keys.len()));
                for key in &keys[..round] {
                    admitted += u32::from(request(black_box(key)));
                    left -= 1;
                }
                if round == 0 {
                    break;
                }
            }
            admitted
        };
        Self { name, batch: Box::new(batch) }
    }

    /// A side that has each thread's requests made somewhere else: `(thread, requests) -> admitted`.
    pub(crate) fn handing_over(name: &'static str, batch: impl Fn(usize, u32) -> u32 + Send + Sync + 'static) -> Self {
        Self { name, batch: Box::new(batch) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Makes `requests` requests as `thread` and returns how many were admitted.
    pub(crate) fn run(&self, thread: usize, requests: u32) -> u32 {
        (self.batch)(thread, black_box(requests))
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Side").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn visits_go_round_the_keys_and_make_exactly_the_requests_asked_for() {
        let keys = Arc::new(Keys::new(3, 1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let side = Side::visiting("any", Arc::clone(&keys), move |key| {
            log.lock().unwrap().push(key.clone());
            true
        });
        assert_eq!(side.run(0, 7), 7);
        let expected: Vec<_> = keys.all().iter().cycle().take(7).cloned().collect();
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
