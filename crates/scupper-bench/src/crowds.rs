//! Ten thousand who wait on one key: what each of them takes, and whether the line bears its length.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::crowd::Crowd;
use crate::limit::Limit;
use crate::ours::in_line::Halted;
use crate::peers::leaky_bucket::{self, Starved};
use crate::row::{Row, Spread, Target};
use crate::waiters::runtime;

/// Half a second together, and enough that a time slice that was lost in some does not matter.
const ROUNDS: usize = 9;
const FEW: usize = 100;
const MANY: usize = 10_000;
/// How much longer one grant may take with many in line than with few.
const BEARS: f64 = 2.0;
/// Of those who leave, for how many the store may be asked.
const SELDOM: f64 = 0.01;

/// What one of a crowd took, in nanoseconds where it is time.
#[derive(Clone, Copy, Debug, Default)]
struct Costs {
    bytes: f64,
    join: f64,
    grant: f64,
    leave_first: f64,
    leave_last: f64,
}

/// # Errors
///
/// If one was served before its turn, or not at all, or left a trace.
pub(crate) fn run(limit: Limit) -> Result<Vec<Row>> {
    let grants = MANY;
    let runtime = runtime()?;
    // Its futures set a timer when they are polled.
    let _inside = runtime.enter();
    let (mut few, mut many, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        few.push(ours(limit, FEW, grants)?);
        many.push(ours(limit, MANY, grants)?);
        peer.push(theirs(limit, MANY)?);
    }
    let beside = |what: &str, unit, cost: fn(&Costs) -> f64| {
        row(format!("{MANY} wait, {what}"), unit, (&many, cost), (leaky_bucket::NAME, &peer), None)
    };
    let calls = |what: String, (few, name): (u32, &'static str), many: u32, target| {
        let (few, many) = (f64::from(few), f64::from(many));
        Row {
            suite: "waiting",
            case: format!("{MANY} wait, store calls {what}"),
            ours: Spread::exactly(many),
            peer_name: name,
            peer: Spread::exactly(few),
            unit: "calls",
            ratio: Spread::exactly(many / few),
            target: Some(Target::AtMost(target)),
        }
    };
    let (of_few, of_many) = (calls_to_serve(limit, FEW, grants)?, calls_to_serve(limit, MANY, grants)?);
    let one_each = u32::try_from(MANY)?;
    Ok(vec![
        beside("size of one", "B", |costs| costs.bytes)?,
        beside("joining", "ns", |costs| costs.join)?,
        beside("leaving, the first first", "ns", |costs| costs.leave_first)?,
        beside("leaving, the last first", "ns", |costs| costs.leave_last)?,
        row(format!("{MANY} wait, one grant"), "ns", (&many, |costs| costs.grant), ("100 wait", &few), Some(BEARS))?,
        calls(format!("for {grants} grants"), (of_few, "100 wait"), of_many, 1.0),
        calls("while all leave".into(), (one_each, "one each"), calls_to_leave(limit, MANY)?, SELDOM),
    ])
}

fn row(
    case: String,
    unit: &'static str,
    (ours, cost): (&[Costs], fn(&Costs) -> f64),
    (peer_name, peer): (&'static str, &[Costs]),
    target: Option<f64>,
) -> Result<Row> {
    let ratios = ours.iter().zip(peer).map(|(ours, peer)| cost(ours) / cost(peer));
    Ok(Row {
        suite: "waiting",
        case,
        ours: Spread::of(ours.iter().map(cost))?,
        peer_name,
        peer: Spread::of(peer.iter().map(cost))?,
        unit,
        ratio: Spread::of(ratios)?,
        target: target.map(Target::AtMost),
    })
}

/// Serves so many of a line that is as long at any time, then lets everybody go.
fn ours(limit: Limit, waiters: usize, grants: usize) -> Result<Costs> {
    let halted = Halted::full(limit)?;
    let (mut crowd, mut costs) = joined(waiters, || halted.ask())?;
    let (mut given, mut took, mut last) = (0, Duration::ZERO, None);
    while given < grants {
        let start = Instant::now();
        halted.go_on()?;
        let served = crowd.served(|permit| {
            let tick = permit?.tick();
            ensure!(last.replace(tick).is_none_or(|last| last <= tick), "one was counted before an earlier one");
            Ok(())
        })?;
        took += start.elapsed();
        ensure!(served > 0, "nobody was served");
        given += served;
        crowd.bring(served, || halted.ask());
        crowd.join()?;
    }
    costs.grant = each(took, given);
    let used = halted.used()?;
    costs.leave_last = timed(waiters, || crowd.leave_last())?;
    let (mut crowd, _) = joined(waiters, || halted.ask())?;
    costs.leave_first = timed(waiters, || crowd.leave_first())?;
    ensure!(halted.used()? == used, "one who left was counted");
    Ok(costs)
}

fn theirs(limit: Limit, waiters: usize) -> Result<Costs> {
    let starved = Starved::new(limit)?;
    let (mut crowd, mut costs) = joined(waiters, || starved.ask())?;
    costs.leave_last = timed(waiters, || crowd.leave_last())?;
    let (mut crowd, _) = joined(waiters, || starved.ask())?;
    costs.leave_first = timed(waiters, || crowd.leave_first())?;
    Ok(costs)
}

/// Calls to the store for so many grants.
fn calls_to_serve(limit: Limit, waiters: usize, grants: usize) -> Result<u32> {
    let (halted, counts) = Halted::full_and_counted(limit)?;
    let (mut crowd, _) = joined(waiters, || halted.ask())?;
    let (before, mut given) = (counts.calls(), 0);
    while given < grants {
        halted.go_on()?;
        let served = crowd.served(|permit| Ok(permit.map(drop)?))?;
        ensure!(served > 0, "nobody was served");
        given += served;
        crowd.bring(served, || halted.ask());
        crowd.join()?;
    }
    Ok(counts.calls() - before)
}

/// Calls to the store while all go away, the first one first.
fn calls_to_leave(limit: Limit, waiters: usize) -> Result<u32> {
    let (halted, counts) = Halted::full_and_counted(limit)?;
    let (mut crowd, _) = joined(waiters, || halted.ask())?;
    let before = counts.calls();
    timed(waiters, || crowd.leave_first())?;
    Ok(counts.calls() - before)
}

fn joined<F: Future>(waiters: usize, ask: impl Fn() -> F) -> Result<(Crowd<F>, Costs)> {
    let mut crowd = Crowd::new();
    crowd.bring(waiters, ask);
    let start = Instant::now();
    let bytes = crowd.join()?;
    let join = each(start.elapsed(), waiters);
    Ok((crowd, Costs { bytes: f64::from(u32::try_from(bytes)?), join, ..Costs::default() }))
}

fn timed(waiters: usize, mut leave: impl FnMut() -> bool) -> Result<f64> {
    let start = Instant::now();
    let all_left = (0..waiters).all(|_| leave());
    let took = start.elapsed();
    ensure!(all_left, "fewer stood in line than should");
    Ok(each(took, waiters))
}

#[expect(clippy::cast_precision_loss, reason = "there are thousands")]
fn each(took: Duration, waiters: usize) -> f64 {
    took.as_secs_f64() * 1e9 / waiters as f64
}
