use crate::error::Result;
use crate::store::coalesce::Coalescer;
use crate::store::io::Runner;
use crate::store::redis::cluster::Cluster;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::job::Job;
use crate::store::redis::login::{Login, Role};
use crate::store::redis::node::{Node, Place};
use crate::store::redis::sentinel::Sentinels;
use crate::store::redis::settings::Settings;
use crate::store::redis::single::Single;
use crate::store::redis::url::{Address, Topology};
use crate::sync::Arc;

/// How jobs get to the servers that have their buckets.
pub(super) enum Way {
    Single(Coalescer<Single>, Runner),
    Cluster(Arc<Cluster>),
}

/// What a list calls the only server that there is.
const ONLY: &str = "only";

impl Way {
    pub(super) fn new(guide: &Guide, settings: Settings, runner: Runner) -> Self {
        let login = Arc::clone(&guide.login);
        let place = match &guide.start {
            Start::Cluster(seeds) => return Self::Cluster(Cluster::new(seeds, login, settings, runner)),
            Start::Single(endpoint) => Place::Fixed(endpoint.clone()),
            Start::Sentinels(sentinels) => Place::Sentinels(Arc::clone(sentinels)),
        };
        let single = Single(Arc::new(Node::new(place, login, settings)));
        Self::Single(Coalescer::new(Arc::new(single), settings.bounds), runner)
    }

    /// Has a job done; its answer comes by itself.
    pub(super) fn send(&self, job: Job) {
        match self {
            Self::Single(single, runner) => single.send(job, runner),
            Self::Cluster(cluster) => cluster.send(job),
        }
    }

    /// Whether the servers can be reached.
    pub(super) async fn check(&self) -> Result<()> {
        match self {
            Self::Single(single, _) => single.carrier().0.check().await,
            Self::Cluster(cluster) => cluster.check().await,
        }
    }

    /// The server of this name, or the first that comes behind it; behind the empty name, all do.
    pub(super) async fn server_from(&self, name: &str) -> Result<Option<(String, Arc<Node>)>> {
        match self {
            Self::Single(single, _) if name <= ONLY => Ok(Some((ONLY.to_owned(), Arc::clone(&single.carrier().0)))),
            Self::Single(..) => Ok(None),
            Self::Cluster(cluster) => cluster.server_from(name).await,
        }
    }
}

/// What must be known to set out, with the files that the address names read.
pub(super) struct Guide {
    start: Start,
    login: Arc<Login>,
}

enum Start {
    Single(Endpoint),
    Sentinels(Arc<Sentinels>),
    Cluster(Vec<Endpoint>),
}

impl Guide {
    pub(super) fn new(address: &Address) -> Result<Self> {
        let start = match &address.topology {
            Topology::Single(endpoint) => Start::Single(endpoint.clone()),
            Topology::Cluster(seeds) => Start::Cluster(seeds.clone()),
            Topology::Sentinel { sentinels, master } => {
                let sentinels = Sentinels::new(sentinels.clone(), master.clone(), &address.sentinel_access)?;
                Start::Sentinels(Arc::new(sentinels))
            }
        };
        Ok(Self { start, login: Arc::new(Login::new(Role::Server, &address.access)?) })
    }
}
