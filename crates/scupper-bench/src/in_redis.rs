//! The suite `redis`: what a decision on a server costs, beside the least that the same client can ask of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use scupper::{Limiter, Rate, RedisStore};
use scupper_testbed::RedisServer;

use crate::caller::{runtime, thread};
use crate::contest::{Contest, Expected, Side, THROUGHPUT, TIME};
use crate::harness::Plan;
use crate::ours::remote::{AnyKey, OneKey};
use crate::peers::ping::{self, Ping};
use crate::row::{Row, Target};

const MANY: u64 = 256;
const KEYS: usize = 1_000;

pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let server = RedisServer::start();
    let runtime = runtime()?;
    let ping = || Ping::connect(&server.url(), &runtime);
    let ping = ping()?;
    let limiter = || -> Result<Limiter> {
        let store = RedisStore::open(&server.url())?;
        let rates = [Rate::new(1_000_000, Duration::from_millis(50))?, Rate::new(2_000_000, Duration::from_millis(100))?];
        Ok(Limiter::builder().rates(rates).store(store).build()?)
    };
    let limiter = limiter()?;
    let keys: Arc<[String]> = (0..KEYS).map(|n| format!("user:{n}")).collect();
    let one = |_| OneKey { limiter: limiter.clone(), key: "one" };
    let any = |n| AnyKey { limiter: limiter.clone(), keys: Arc::clone(&keys), random: Rng::with_seed(n) };
    let ping = |_| ping.clone();
    let alone = Contest::hold("one caller", plan, &runtime, &[
        Side::tasks(ping::NAME, Expected::Admitted, 1, ping),
        Side::tasks("async", Expected::Admitted, 1, one),
        Side::new("blocking", Expected::Admitted, |_, span| thread(|| Ok(limiter.try_acquire("one")?.is_admitted()), span)),
    ])?;
    let many = Contest::hold("256 tasks", plan, &runtime, &[
        Side::tasks(ping::NAME, Expected::Admitted, MANY, ping),
        Side::tasks("hot key", Expected::Admitted, MANY, one),
        Side::tasks("1000 keys", Expected::Admitted, MANY, any),
    ])?;
    Ok(vec![
        alone.row("async", ping::NAME, TIME, Some(Target::AtMost(1.4)))?,
        alone.row("blocking", ping::NAME, TIME, None)?,
        many.row("hot key", ping::NAME, THROUGHPUT, Some(Target::AtLeast(1.0)))?,
        many.row("1000 keys", ping::NAME, THROUGHPUT, Some(Target::AtLeast(0.25)))?,
    ])
}
