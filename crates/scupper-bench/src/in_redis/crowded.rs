//! Many tasks at once.

use std::sync::Arc;

use anyhow::Result;
use scupper::RedisStoreBuilder;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::in_redis::site::Site;
use crate::in_redis::{CLIENT, COMMANDS, HOT_KEY, MANY_KEYS, NEVER_FULL, SERVER};
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::ping::NAME as PING;
use crate::row::{Row, Target};
use crate::run::Run;

const FEW: u64 = 16;
const MANY: u64 = 256;
const A_CALL: Measure = Measure("requests a call", "", Run::requests_per_call);

/// Other settings of the store, and what to call them for a hot key and for many.
type Setting = ([&'static str; 2], fn(RedisStoreBuilder) -> RedisStoreBuilder);

const SETTINGS: [Setting; 3] = [
    (["hot key, 1 operation a call", "1000 keys, 1 operation a call"], |store| store.operations_a_call(1)),
    (["hot key, 1 call at once", "1000 keys, 1 call at once"], |store| store.calls_at_once(1)),
    (["hot key, 4 calls at once", "1000 keys, 4 calls at once"], |store| store.calls_at_once(4)),
];

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let ping = site.ping()?;
    let open =
        |store: RedisStoreBuilder| Asked::open(&NEVER_FULL, Algorithm::SlidingWindowLog, Arc::new(store.open()?));
    let limiter = open(site.store())?;
    let pinging = |tasks| Side::tasks(PING, Expected::Admitted, tasks, |_| ping.clone());
    let [hot, any] = both([HOT_KEY, MANY_KEYS], FEW, &limiter, &site);
    let few = site.contest("16 tasks", pace, &[pinging(FEW), hot, any])?;

    let others = SETTINGS.map(|(_, set)| open(set(site.store())));
    let others: Vec<Asked> = others.into_iter().collect::<Result<_>>()?;
    let mut sides = vec![pinging(MANY)];
    sides.extend(both([HOT_KEY, MANY_KEYS], MANY, &limiter, &site));
    for ((names, _), limiter) in SETTINGS.iter().zip(&others) {
        sides.extend(both(*names, MANY, limiter, &site));
    }
    let many = site.contest("256 tasks", pace, &sides)?;

    let mut rows = Vec::new();
    for (side, least) in [(HOT_KEY, 1.0), (MANY_KEYS, 0.25)] {
        rows.push(many.row(side, PING, Measure::REQUESTS, Some(Target::AtLeast(least)))?);
        rows.push(many.row(side, PING, A_CALL, None)?);
        rows.push(many.row(side, PING, CLIENT, None)?);
        rows.push(many.row(side, PING, SERVER, None)?);
        rows.push(many.share(side, COMMANDS, SERVER)?);
    }
    for ([of_one, of_many], _) in SETTINGS {
        rows.push(many.row(HOT_KEY, of_one, Measure::REQUESTS, None)?);
        rows.push(many.row(MANY_KEYS, of_many, Measure::REQUESTS, None)?);
    }
    rows.extend(few.latencies(&[HOT_KEY, MANY_KEYS], PING)?);
    rows.extend(many.latencies(&[HOT_KEY, MANY_KEYS], PING)?);
    Ok(rows)
}

/// Tasks on one key, and tasks on many.
fn both<'a>([of_one, of_many]: [&'static str; 2], tasks: u64, limiter: &'a Asked, site: &'a Site) -> [Side<'a>; 2] {
    [
        Side::tasks(of_one, Expected::Admitted, tasks, |_| limiter.one("hot")),
        Side::tasks(of_many, Expected::Admitted, tasks, |number| limiter.any(&site.keys, number)),
    ]
}
