//! The suite `waiting`: whether waits are as short as they can be, shared fairly, and cheap.

use std::time::Duration;

use anyhow::Result;

use crate::crowds;
use crate::harness::Plan;
use crate::limit::Limit;
use crate::ours::in_line;
use crate::peers::{governor, leaky_bucket};
use crate::queue::Queue;
use crate::row::{Row, Spread, Target};
use crate::visits::{inequality, overtaken};
use crate::waiters::serve;

const LIMIT: Limit = Limit::new(50, Duration::from_millis(500));
const WAITERS: u32 = 20;
/// Of the time that the ideal schedule takes.
const ON_SCHEDULE: f64 = 1.01;

/// One run of one side.
#[derive(Clone, Copy, Debug)]
struct Run {
    millis: f64,
    ideal: f64,
    /// Between the shares of the waiters, in grants.
    inequality: f64,
    /// Grants that went past one request.
    overtaken: f64,
}

/// # Errors
///
/// If a side cannot be built, or a waiter is not served.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let (rounds, windows) = if plan.is_quick() { (1, 3) } else { (3, 10) };
    let grants = windows * LIMIT.requests;
    let sides = [in_line::tasks, leaky_bucket::in_line, governor::in_line, in_line::threads];
    let mut runs = [(); 4].map(|()| Vec::new());
    for round in 0..rounds {
        for turn in 0..sides.len() {
            let side = (round + turn) % sides.len();
            runs[side].push(time(&sides[side](LIMIT)?, grants)?);
        }
    }
    let [tasks, leaky_bucket, governor, threads] = runs;
    let peers = [(leaky_bucket::NAME, &leaky_bucket), (governor::NAME, &governor)];
    let mut rows = held_to_targets(&format!("{WAITERS} tasks, {grants} grants"), &tasks, Some(1.0))?;
    for (name, peer) in peers {
        rows.extend(beside(&format!("{WAITERS} tasks, {grants} grants"), &tasks, (name, peer))?);
    }
    rows.extend(held_to_targets(&format!("{WAITERS} threads, {grants} grants"), &threads, None)?);
    rows.extend(counted(windows)?);
    rows.extend(crowds::run(LIMIT)?);
    Ok(rows)
}

fn time(queue: &Queue, grants: u32) -> Result<Run> {
    let served = serve(queue, WAITERS as usize, grants)?;
    let grant_count = |count| Ok::<_, anyhow::Error>(f64::from(u32::try_from(count)?));
    Ok(Run {
        millis: served.took.as_secs_f64() * 1e3,
        ideal: queue.refill.ideal(LIMIT, grants).as_secs_f64() * 1e3,
        inequality: grant_count(inequality(&served.visits, WAITERS as usize))?,
        overtaken: grant_count(overtaken(&served.visits))?,
    })
}

/// Beside what we promise. What threads get of units that nobody waits for is up to the system, so that their shares are shown
/// without a target.
fn held_to_targets(case: &str, runs: &[Run], equal_shares: Option<f64>) -> Result<Vec<Row>> {
    let one_grant = |what: &str, value: fn(&Run) -> f64, target: Option<f64>| {
        let values = Spread::of(runs.iter().map(value))?;
        anyhow::Ok(Row {
            suite: "waiting",
            case: format!("{case}, {what}"),
            ours: values,
            peer_name: "one grant",
            peer: Spread::exactly(1.0),
            unit: "grants",
            ratio: values,
            target: target.map(Target::AtMost),
        })
    };
    let shares = match equal_shares {
        Some(_) => "largest share less smallest",
        None => "largest share less smallest, as the system runs them",
    };
    Ok(vec![
        Row {
            suite: "waiting",
            case: format!("{case}, time"),
            ours: Spread::of(runs.iter().map(|run| run.millis))?,
            peer_name: "ideal schedule",
            peer: Spread::of(runs.iter().map(|run| run.ideal))?,
            unit: "ms",
            ratio: Spread::of(runs.iter().map(|run| run.millis / run.ideal))?,
            target: Some(Target::AtMost(ON_SCHEDULE)),
        },
        one_grant(shares, |run| run.inequality, equal_shares)?,
        one_grant("later ones that passed one", |run| run.overtaken, Some(1.0))?,
    ])
}

/// Beside a peer, which refills in its own way: each side is held to its own ideal.
fn beside(case: &str, ours: &[Run], (peer_name, peer): (&'static str, &[Run])) -> Result<Vec<Row>> {
    let compare = |what: String, unit, value: fn(&Run) -> f64, ratio: fn(&Run, &Run) -> f64| {
        anyhow::Ok(Row {
            suite: "waiting",
            case: format!("{case}, {what}"),
            ours: Spread::of(ours.iter().map(value))?,
            peer_name,
            peer: Spread::of(peer.iter().map(value))?,
            unit,
            ratio: Spread::of(ours.iter().zip(peer).map(|(ours, peer)| ratio(ours, peer)))?,
            target: None,
        })
    };
    let ideals = ours.iter().zip(peer).next().map_or((0.0, 0.0), |(ours, peer)| (ours.ideal, peer.ideal));
    Ok(vec![
        compare(
            format!("late after {:.3} ms, its ideal {:.3}", ideals.0, ideals.1),
            "ms",
            |run| run.millis - run.ideal,
            |ours, peer| (ours.millis - ours.ideal) / (peer.millis - peer.ideal),
        )?,
        // In grants, as no side need have any to divide by.
        compare(
            "largest share less smallest".into(),
            "grants",
            |run| run.inequality,
            |ours, peer| ours.inequality / peer.inequality.max(1.0),
        )?,
        compare(
            "later ones that passed one".into(),
            "grants",
            |run| run.overtaken,
            |ours, peer| ours.overtaken / peer.overtaken.max(1.0),
        )?,
    ])
}

/// What the waiters ask of store and timer: one call for each grant and one that says when to come back, and one alarm, for
/// each window.
fn counted(windows: u32) -> Result<Vec<Row>> {
    let grants = windows * LIMIT.requests;
    let (queue, counts) = in_line::counted_tasks(LIMIT)?;
    serve(&queue, WAITERS as usize, grants)?;
    let row = |what, count: u32, peer_name, most: u32, unit| {
        let (count, most) = (f64::from(count), f64::from(most));
        Row {
            suite: "waiting",
            case: format!("{WAITERS} tasks, {grants} grants, {what}"),
            ours: Spread::exactly(count),
            peer_name,
            peer: Spread::exactly(most),
            unit,
            ratio: Spread::exactly(count / most),
            target: Some(Target::AtMost(1.0)),
        }
    };
    Ok(vec![
        row("store calls", counts.calls(), "one a grant, one a window", grants + windows, "calls"),
        row("alarms set", counts.alarms(), "one a window", windows, "alarms"),
        row("alarms gone off", counts.rung(), "one a window", windows, "alarms"),
    ])
}
