use redis::Value;

use crate::error::Error;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::failure::{Redirect, unreadable};
use crate::store::redis::job::Job;
use crate::store::redis::reply;

/// Jobs on one slot, which go into one call of the script, all of them asking or none.
pub(super) type Group = Vec<Job>;

pub(super) fn is_asking(group: &Group) -> bool {
    group.first().is_some_and(|job| job.asking)
}

/// What became of groups.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    pub(super) answered: Vec<Answered>,
    pub(super) astray: Vec<Astray>,
    /// Whether the server did not answer what had been sent.
    pub(super) has_broken: bool,
}

/// A group that was carried out.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) group: Group,
    /// What the script says: its reading of the clock, and then a string for each job.
    pub(super) values: Vec<Value>,
    pub(super) endpoint: Endpoint,
}

/// A group that was not carried out, as the buckets are elsewhere.
#[derive(Debug)]
pub(super) struct Astray {
    pub(super) group: Group,
    pub(super) why: Elsewhere,
}

#[derive(Debug)]
pub(super) enum Elsewhere {
    Moved(Redirect),
    Ask(Redirect),
    TryAgain,
    /// The server is no master, or could not be reached.
    Lost(Error),
}

impl Evaluated {
    /// Answers the jobs that were carried out; the others are left.
    pub(super) fn deliver(self) -> Vec<Astray> {
        for answered in self.answered {
            let mut values = answered.values.iter().skip(1);
            for job in answered.group {
                match values.next() {
                    Some(Value::BulkString(bytes)) => {
                        let outcomes = reply::read(&job, bytes);
                        job.finish(outcomes);
                    }
                    _ => job.fail(&unreadable(&answered.endpoint)),
                }
            }
        }
        self.astray
    }
}
