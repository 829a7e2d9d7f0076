//! What is done with all buckets of a place.

use scupper::{Limiter, Result};

use crate::place::Place;

/// How many keys are listed at a time.
const PAGE: usize = 1_000;

/// Units in use in one bucket, under the rate where they are most; of many, how many buckets there are that owe anything.
pub(crate) async fn count(limiter: Limiter, place: Place) -> Result<u64> {
    let prefix = match place {
        Place::One(key) => {
            let snapshot = limiter.peek_async(&key).await?;
            return Ok(snapshot.usage.iter().map(|usage| usage.used).max().unwrap_or_default());
        }
        Place::PerName(prefix) => prefix,
    };
    let (mut count, mut after) = (0, None);
    loop {
        let page = limiter.list_async(&prefix, after.as_ref(), PAGE).await?;
        count += page.keys.len() as u64;
        after = page.next;
        if after.is_none() {
            return Ok(count);
        }
    }
}

/// Forgets all that was taken.
pub(crate) async fn forget_all(limiter: Limiter, place: Place) -> Result<()> {
    let prefix = match place {
        Place::One(key) => return limiter.reset_async(&key).await.map(drop),
        Place::PerName(prefix) => prefix,
    };
    let mut after = None;
    loop {
        let page = limiter.list_async(&prefix, after.as_ref(), PAGE).await?;
        for key in &page.keys {
            limiter.reset_async(key).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
