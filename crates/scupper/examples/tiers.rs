//! Different limits for different customers: a route chooses the bucket, the rates and the algorithm of each request.

use std::collections::HashMap;

use scupper::{Algorithm, Limiter, Quota, Rate, Rates, Routed};

fn main() -> scupper::Result<()> {
    let free = Quota::new(Algorithm::SlidingWindowLog, "2/min, 10/day".parse::<Rates>()?)?;
    let paid = Quota::new(Algorithm::TOKEN_BUCKET, Rate::per_second(50)?.with_burst(100)?)?;
    let plans = HashMap::from([("alice", "paid"), ("bob", "free")]);

    // All who are not known share one bucket, so that making up names gains nothing.
    let limiter = Limiter::builder()
        .route(move |request| {
            Ok(match plans.get(request.key()) {
                // Another algorithm, other buckets: who changes plans starts anew.
                Some(&"paid") => Routed::new(format!("paid:{}", request.key()), paid.clone()),
                Some(_) => Routed::new(request.key(), free.clone()),
                None => Routed::new("anonymous", free.clone()),
            })
        })
        .build()?;

    for name in ["alice", "bob", "mallory-1", "mallory-2", "mallory-3"] {
        let admitted =
            (0..5).filter(|_| limiter.try_acquire(name).is_ok_and(|decision| decision.is_admitted())).count();
        println!("{name}: {admitted} of 5 admitted");
    }
    Ok(())
}
