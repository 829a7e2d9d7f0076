//! The ways of asking a limiter for units, each polled by hand.

use scupper::{Limiter, Result};

use crate::support::Task;

type Ask = fn(&Limiter) -> Task<'_, Result<u64>>;

/// The key that they ask for.
pub(crate) const ASKED_KEY: &str = "user:key";

pub(crate) const ASKS: [Ask; 3] = [
    |limiter| {
        Task::new(async { limiter.request(ASKED_KEY).weight(3).acquire_async().await.map(|permit| permit.weight()) })
    },
    |limiter| {
        Task::new(async {
            limiter.try_acquire_async(ASKED_KEY).await.map(|decision| u64::from(decision.is_admitted()))
        })
    },
    |limiter| {
        Task::new(async {
            limiter.request(ASKED_KEY).detailed_async().await.map(|detailed| detailed.snapshot.usage[0].used)
        })
    },
];
