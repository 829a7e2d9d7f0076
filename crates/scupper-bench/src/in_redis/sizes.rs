//! Bytes in the server.

use std::time::Duration;

use anyhow::Result;

use crate::in_redis::SUITE;
use crate::in_redis::site::Site;
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::row::{Row, Spread, Target};

const EVENTS: u32 = 1_000;
const WEIGHT: u32 = 1_000;
const MOST: f64 = 24.0;
/// What the Python package pyrate-limiter keeps, whose members these are.
const MEMBERS: &str = "a member a unit";
/// What is kept by those who write the time at which a bucket has drained, and no more.
const NUMBER: &str = "a number";

pub(super) fn run() -> Result<Vec<Row>> {
    let site = Site::new()?;
    let member_each = set(&site, "members", EVENTS)? / f64::from(EVENTS);
    let log = |key, weight, events| ours(&site, Algorithm::SlidingWindowLog, key, weight, events);
    let (light, heavy) = (log("light", 1, EVENTS)?, log("heavy", WEIGHT, EVENTS)?);
    let (light, heavy) = (light / f64::from(EVENTS), heavy / f64::from(EVENTS));
    let most = Some(Target::AtMost(1.0));
    site.all(std::iter::once(["SET", "number", "1700000000.123456", "PX", "3600000"].map(str::to_owned).to_vec()))?;
    let number = usage(&site, "number")?;
    let each = |case: &str, value, peer, target| row(case, "B/event", value, peer, target);
    let (of_light, of_heavy) =
        (format!("log of {EVENTS}, full, weight 1"), format!("log of {EVENTS}, full, weight {WEIGHT}"));
    Ok(vec![
        each(&of_light, light, ("24 B", MOST), most),
        each(&of_light, light, (MEMBERS, member_each), None),
        each(&of_heavy, heavy, ("24 B", MOST), most),
        each(&of_heavy, heavy, ("weight 1", light), None),
        each(&of_heavy, heavy, (MEMBERS, member_each * f64::from(WEIGHT)), None),
        row("log, 1 event", "B", log("young", 1, 1)?, (MEMBERS, set(&site, "member", 1)?), None),
        row("gcra", "B", ours(&site, Algorithm::Gcra, "gcra", 1, 1)?, (NUMBER, number), None),
    ])
}

/// Bytes of a bucket with room for [`EVENTS`] requests of this weight that so many have come to.
fn ours(site: &Site, algorithm: Algorithm, key: &str, weight: u32, events: u32) -> Result<f64> {
    let limit = Limit::new(EVENTS * weight, Duration::from_hours(1));
    Asked::open(&[limit], algorithm, site.open()?)?.fill(key, weight, events)?;
    usage(site, &format!("scupper:{key}"))
}

/// Bytes of a sorted set with so many members, as pyrate-limiter writes them: name, an identifier, number; by milliseconds.
fn set(site: &Site, key: &str, members: u32) -> Result<f64> {
    let mut random = fastrand::Rng::with_seed(1);
    site.all((0..members).map(|nth| {
        let mut bits = |count: u32| random.u64(..1 << count);
        let id = format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", bits(32), bits(16), bits(16), bits(16), bits(48));
        let member = format!("user:42:{id}:{nth}");
        ["ZADD", key, &(1_700_000_000_000_u64 + u64::from(nth)).to_string(), &member].map(str::to_owned).to_vec()
    }))?;
    usage(site, key)
}

fn usage(site: &Site, key: &str) -> Result<f64> {
    Ok(f64::from(u32::try_from(site.number(&["MEMORY", "USAGE", key, "SAMPLES", "0"])?)?))
}

fn row(case: &str, unit: &'static str, ours: f64, peer: (&'static str, f64), target: Option<Target>) -> Row {
    Row {
        suite: SUITE,
        case: format!("size, {case}"),
        ours: Spread::exactly(ours),
        peer_name: peer.0,
        peer: Spread::exactly(peer.1),
        unit,
        ratio: Spread::exactly(ours / peer.1),
        target,
    }
}
