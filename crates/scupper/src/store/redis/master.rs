use std::collections::HashMap;

use crate::store::coalesce::Carrier;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::evaluated::{Astray, Evaluated, Group};
use crate::store::redis::job::Job;
use crate::store::redis::node::Node;
use crate::store::redis::slot::slot_of;
use crate::sync::{Arc, Weak};

/// A node of a cluster that has slots: what gathers for it goes out together, in a call for each slot.
pub(super) struct Master {
    pub(super) node: Arc<Node>,
    pub(super) endpoint: Endpoint,
    pub(super) directory: Weak<dyn Directory>,
}

/// Who knows where buckets are.
pub(super) trait Directory: Send + Sync {
    /// Sends jobs on to where their buckets are said to be, by this node.
    fn send_on(&self, astray: Astray, from: &Endpoint);

    /// It may be otherwise than it was.
    fn learn_again(&self);
}

impl Carrier for Master {
    type Job = Job;
    type Answers = Evaluated;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Evaluated {
        let mut slots: HashMap<(u16, bool), usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for job in jobs {
            let place = if job.alone {
                groups.len()
            } else {
                *slots.entry((slot_of(&job.key), job.asking)).or_insert(groups.len())
            };
            match groups.get_mut(place) {
                Some(group) => group.push(job),
                None => groups.push(vec![job]),
            }
        }
        self.node.evaluate(groups).await
    }

    fn deliver(self: Arc<Self>, answers: Evaluated) {
        if answers.has_broken
            && let Some(directory) = self.directory.upgrade()
        {
            // Another one may be about to take its place.
            directory.learn_again();
        }
        for astray in answers.deliver() {
            match self.directory.upgrade() {
                Some(directory) => directory.send_on(astray, &self.endpoint),
                None => drop(astray),
            }
        }
    }
}
