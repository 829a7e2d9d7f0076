use std::collections::BTreeMap;
use std::mem::take;
use std::time::{Duration, Instant};

use redis::Pipeline;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::store::coalesce::{Coalescer, Gathered, TurnedAway};
use crate::store::io::Runner;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::evaluated::{Astray, Elsewhere, Group};
use crate::store::redis::failure::Redirect;
use crate::store::redis::job::{Job, fail};
use crate::store::redis::login::Login;
use crate::store::redis::master::{Directory, Master};
use crate::store::redis::node::{Node, Place};
use crate::store::redis::settings::Settings;
use crate::store::redis::slot::slot_of;
use crate::store::redis::slots::{Slots, read_slots};
use crate::sync::{Arc, Mutex, Weak, lock};

/// The nodes of a cluster, and which of them has which slot: learnt when it is first needed, and again when a node says that
/// it is otherwise.
pub(super) struct Cluster {
    seeds: Vec<Endpoint>,
    login: Arc<Login>,
    settings: Settings,
    runner: Runner,
    map: Mutex<Map>,
    this: Weak<Self>,
}

#[derive(Default)]
struct Map {
    slots: Slots,
    masters: BTreeMap<String, Arc<Coalescer<Master>>>,
    /// Jobs that wait until the nodes have told which of them has what.
    waiting: Vec<Job>,
    is_learning: bool,
    /// Whom to ask first.
    best_informed: Option<Endpoint>,
    learnt: Option<Instant>,
}

impl Cluster {
    /// So often a job is sent on before it is given up: slots do not move faster than that.
    const MOST_REDIRECTS: u32 = 8;
    /// What has just been learnt is not asked for again.
    const FRESH: Duration = Duration::from_millis(100);
    /// While a slot moves, its keys lie on two nodes.
    const WHILE_A_KEY_MOVES: Duration = Duration::from_millis(5);

    pub(super) fn new(seeds: &[Endpoint], login: Arc<Login>, settings: Settings, runner: Runner) -> Arc<Self> {
        let seeds = seeds.to_vec();
        Arc::new_cyclic(|this| Self { seeds, login, settings, runner, map: Mutex::default(), this: this.clone() })
    }

    /// Has a job done by the node that has its slot.
    pub(super) fn send(&self, job: Job) {
        let mut map = lock(&self.map);
        let owner = map.slots.owner(slot_of(&job.key)).cloned();
        if let Some(endpoint) = owner {
            let master = self.master(&mut map, &endpoint);
            drop(map);
            return master.send(job, &self.runner);
        }
        if map.waiting.len() >= self.settings.bounds.waiting {
            drop(map);
            return job.turn_away(TurnedAway::Full);
        }
        map.waiting.push(job);
        self.start_learning(&mut map);
    }

    fn master(&self, map: &mut Map, endpoint: &Endpoint) -> Arc<Coalescer<Master>> {
        let make = || {
            let node = Arc::new(Node::new(Place::Fixed(endpoint.clone()), Arc::clone(&self.login), self.settings));
            let master = Master { node, endpoint: endpoint.clone(), directory: self.this.clone() };
            Arc::new(Coalescer::new(Arc::new(master), self.settings.bounds))
        };
        Arc::clone(map.masters.entry(endpoint.to_string()).or_insert_with(make))
    }

    fn start_learning(&self, map: &mut Map) {
        let Some(this) = self.this.upgrade() else { return };
        if !map.is_learning {
            map.is_learning = true;
            self.runner.spawn(async move {
                let learnt = this.learn().await;
                this.finish_learning(learnt);
            });
        }
    }

    /// Asks node after node for the slots, until one tells. One that is silent leaves the others their share of the time.
    async fn learn(&self) -> Result<Slots> {
        let (mut last, end) = (None, Instant::now() + self.settings.connect_within);
        let nodes = self.nodes();
        let mut remaining = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        for (endpoint, node) in nodes {
            let share = end.saturating_duration_since(Instant::now()) / remaining;
            remaining = remaining.saturating_sub(1).max(1);
            match timeout(share, ask(&endpoint, &node)).await {
                Ok(Ok(slots)) => {
                    lock(&self.map).best_informed = Some(endpoint);
                    return Ok(slots);
                }
                Ok(Err(error)) => last = Some(error),
                Err(_) => {
                    let what = format!("Redis at {endpoint} did not answer within {share:?}");
                    last = Some(Error::new(ErrorKind::Unavailable, what));
                }
            }
        }
        let error =
            last.unwrap_or_else(|| Error::new(ErrorKind::InvalidConfig, "the URL names no node of the cluster"));
        let message =
            format!("no node of the Redis cluster tells which of them has what; the last said: {}", error.message());
        Err(Error::new(error.kind(), message).with_source(error))
    }

    /// The nodes that are known to have slots, the best informed one first, and then those of the URL.
    fn nodes(&self) -> Vec<(Endpoint, Arc<Node>)> {
        let mut map = lock(&self.map);
        let known = map.masters.values().map(|master| master.carrier().endpoint.clone());
        let mut endpoints: Vec<Endpoint> = known.collect();
        let others = self.seeds.iter().filter(|seed| !map.masters.contains_key(&seed.to_string()));
        endpoints.extend(others.cloned());
        let best_informed = map.best_informed.clone();
        endpoints.sort_by_key(|endpoint| Some(endpoint) != best_informed.as_ref());
        endpoints
            .into_iter()
            .map(|endpoint| {
                let node = Arc::clone(&self.master(&mut map, &endpoint).carrier().node);
                (endpoint, node)
            })
            .collect()
    }

    fn finish_learning(&self, learnt: Result<Slots>) {
        let mut map = lock(&self.map);
        map.is_learning = false;
        let waiting = take(&mut map.waiting);
        match learnt {
            Ok(slots) => {
                let masters: Vec<String> = slots.masters().iter().map(Endpoint::to_string).collect();
                let (kept, gone) = take(&mut map.masters).into_iter().partition(|(name, _)| masters.contains(name));
                map.masters = kept;
                (map.slots, map.learnt) = (slots, Some(Instant::now()));
                drop(map);
                // What that drops may wake somebody.
                let _: BTreeMap<_, _> = gone;
                for job in waiting {
                    if lock(&self.map).slots.owner(slot_of(&job.key)).is_some() {
                        self.send(job);
                    } else {
                        job.fail(&Error::new(
                            ErrorKind::Unavailable,
                            "no node of the Redis cluster has the slot of this key",
                        ));
                    }
                }
            }
            Err(error) => {
                drop(map);
                fail(waiting, &error);
            }
        }
    }

    /// Whether the nodes can be reached and tell their slots.
    pub(super) async fn check(&self) -> Result<()> {
        let slots = self.learn().await?;
        self.finish_learning(Ok(slots));
        Ok(())
    }

    /// The node of this name, or the first behind it.
    pub(super) async fn server_from(&self, name: &str) -> Result<Option<(String, Arc<Node>)>> {
        self.know().await?;
        let map = lock(&self.map);
        let masters = map.slots.masters();
        let mut behind = map.masters.range(name.to_owned()..);
        let master = behind.find(|(_, master)| masters.contains(&master.carrier().endpoint));
        Ok(master.map(|(name, master)| (name.clone(), Arc::clone(&master.carrier().node))))
    }

    async fn know(&self) -> Result<()> {
        if lock(&self.map).learnt.is_none() {
            self.check().await?;
        }
        let mut map = lock(&self.map);
        for endpoint in map.slots.masters() {
            self.master(&mut map, &endpoint);
        }
        Ok(())
    }

    fn may_go_on(mut job: Job) -> Option<Job> {
        job.redirected += 1;
        job.asking = false;
        if job.redirected <= Self::MOST_REDIRECTS {
            return Some(job);
        }
        let what = "the nodes of the Redis cluster do not agree on which of them has this key";
        job.fail(&Error::new(ErrorKind::Unavailable, what));
        None
    }
}

impl Directory for Cluster {
    /// Sends jobs on to where their buckets are said to be.
    fn send_on(&self, astray: Astray, from: &Endpoint) {
        let group: Group = astray.group.into_iter().filter_map(Self::may_go_on).collect();
        match astray.why {
            Elsewhere::Moved(to) => {
                let endpoint = to_endpoint(&to, from);
                let mut map = lock(&self.map);
                map.slots.set(to.slot, endpoint.clone());
                // Whoever has taken a slot knows of it; others may not yet.
                map.best_informed = Some(endpoint);
                drop(map);
                self.learn_again();
                for job in group {
                    self.send(job);
                }
            }
            Elsewhere::Ask(to) => {
                let endpoint = to_endpoint(&to, from);
                let master = self.master(&mut lock(&self.map), &endpoint);
                for job in group {
                    master.send(Job { asking: true, ..job }, &self.runner);
                }
            }
            Elsewhere::TryAgain => {
                let Some(this) = self.this.upgrade() else { return };
                self.runner.spawn(async move {
                    tokio::time::sleep(Self::WHILE_A_KEY_MOVES).await;
                    // One by one, as each key is on one node.
                    for job in group {
                        this.send(Job { alone: true, ..job });
                    }
                });
            }
            Elsewhere::Lost(error) => {
                fail(group, &error);
                self.learn_again();
            }
        }
    }

    /// Learns the slots anew, unless that has just been done.
    fn learn_again(&self) {
        let mut map = lock(&self.map);
        if map.learnt.is_none_or(|learnt| learnt.elapsed() >= Self::FRESH) {
            self.start_learning(&mut map);
        }
    }
}

/// What a node says of the slots.
async fn ask(endpoint: &Endpoint, node: &Node) -> Result<Slots> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.cmd("CLUSTER").arg("SLOTS");
    let values = node.look(&pipeline).await?;
    read_slots(&values, endpoint)
}

fn to_endpoint(redirect: &Redirect, from: &Endpoint) -> Endpoint {
    Endpoint::new(redirect.host.clone().unwrap_or_else(|| from.host.clone()), redirect.port)
}
