use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use redis::Pipeline;

use crate::error::{Error, ErrorKind, Result};
use crate::store::coalesce::{Carrier, Coalescer, TurnedAway};
use crate::store::io::Runner;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::evaluated::{Astray, Elsewhere, Evaluated, Group};
use crate::store::redis::failure::{Redirect, turned_away};
use crate::store::redis::job::{Job, fail};
use crate::store::redis::login::Login;
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
    learnt: Option<Instant>,
}

/// A node that has slots.
struct Master {
    node: Arc<Node>,
    endpoint: Endpoint,
    cluster: Weak<Cluster>,
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
            return job.fail(&turned_away(TurnedAway::Full));
        }
        map.waiting.push(job);
        self.start_learning(&mut map);
    }

    fn master(&self, map: &mut Map, endpoint: &Endpoint) -> Arc<Coalescer<Master>> {
        let make = || {
            let node = Arc::new(Node::new(Place::Fixed(endpoint.clone()), Arc::clone(&self.login), self.settings));
            let master = Master { node, endpoint: endpoint.clone(), cluster: self.this.clone() };
            Arc::new(Coalescer::new(Arc::new(master), self.settings.bounds))
        };
        Arc::clone(map.masters.entry(endpoint.to_string()).or_insert_with(make))
    }

    /// Learns the slots anew, unless that has just been done.
    fn learn_again(&self) {
        let mut map = lock(&self.map);
        if map.learnt.is_none_or(|learnt| learnt.elapsed() >= Self::FRESH) {
            self.start_learning(&mut map);
        }
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

    /// Asks node after node for the slots, until one tells.
    async fn learn(&self) -> Result<Slots> {
        let mut last = None;
        for (endpoint, node) in self.nodes() {
            match ask(&endpoint, &node).await {
                Ok(slots) => return Ok(slots),
                Err(error) => last = Some(error),
            }
        }
        let error =
            last.unwrap_or_else(|| Error::new(ErrorKind::InvalidConfig, "the URL names no node of the cluster"));
        let message =
            format!("no node of the Redis cluster tells which of them has what; the last said: {}", error.message());
        Err(Error::new(error.kind(), message).with_source(error))
    }

    /// The nodes that are known to have slots, and then those of the URL.
    fn nodes(&self) -> Vec<(Endpoint, Arc<Node>)> {
        let mut map = lock(&self.map);
        let known = map.masters.values().map(|master| master.carrier().endpoint.clone());
        let mut endpoints: Vec<Endpoint> = known.collect();
        let others = self.seeds.iter().filter(|seed| !map.masters.contains_key(&seed.to_string()));
        endpoints.extend(others.cloned());
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
        let waiting = std::mem::take(&mut map.waiting);
        match learnt {
            Ok(slots) => {
                let masters: Vec<String> = slots.masters().iter().map(Endpoint::to_string).collect();
                map.masters.retain(|name, _| masters.contains(name));
                (map.slots, map.learnt) = (slots, Some(Instant::now()));
                drop(map);
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

    /// Sends jobs on to where their buckets are said to be.
    fn send_on(&self, astray: Astray, from: &Endpoint) {
        let group: Group = astray.group.into_iter().filter_map(Self::may_go_on).collect();
        match astray.why {
            Elsewhere::Moved(to) => {
                let endpoint = to_endpoint(&to, from);
                lock(&self.map).slots.set(to.slot, endpoint);
                self.learn_again();
                for job in group {
                    self.send(job);
                }
            }
            Elsewhere::Ask(to) => {
                let endpoint = to_endpoint(&to, from);
                let master = self.master(&mut lock(&self.map), &endpoint);
                let Some(this) = self.this.upgrade() else { return };
                self.runner.spawn(async move {
                    for astray in master.carrier().node.evaluate(vec![group], true).await.deliver() {
                        this.send_on(astray, &endpoint);
                    }
                });
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

    fn may_go_on(mut job: Job) -> Option<Job> {
        job.redirected += 1;
        if job.redirected <= Self::MOST_REDIRECTS {
            return Some(job);
        }
        let what = "the nodes of the Redis cluster do not agree on which of them has this key";
        job.fail(&Error::new(ErrorKind::Unavailable, what));
        None
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

impl Carrier for Master {
    type Job = Job;

    fn size(job: &Job) -> usize {
        job.operations()
    }

    fn is_abandoned(job: &Job) -> bool {
        job.is_abandoned()
    }

    type Answers = Evaluated;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Evaluated {
        let mut slots: HashMap<u16, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for job in jobs {
            let place = if job.alone { groups.len() } else { *slots.entry(slot_of(&job.key)).or_insert(groups.len()) };
            match groups.get_mut(place) {
                Some(group) => group.push(job),
                None => groups.push(vec![job]),
            }
        }
        self.node.evaluate(groups, false).await
    }

    fn deliver(self: Arc<Self>, answers: Evaluated) {
        for astray in answers.deliver() {
            match self.cluster.upgrade() {
                Some(cluster) => cluster.send_on(astray, &self.endpoint),
                None => drop(astray),
            }
        }
    }

    fn turn_away(&self, job: Job, reason: TurnedAway) {
        job.fail(&turned_away(reason));
    }
}
