use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::quota::Quota;
use crate::store::batch::{Action, Standing};
use crate::store::postgres::id::Id;
use crate::store::postgres::job::Job;

/// What goes to the server in one call: acquires on several buckets, each bucket's together.
#[derive(Debug, Default)]
pub(super) struct Call(pub(super) BTreeMap<Id, Group>);

/// Acquires on one bucket.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) quota: Quota,
    pub(super) jobs: Vec<Job>,
    /// All operations of the jobs, in their order.
    pub(super) entries: Vec<Entries>,
    /// Whether one of the jobs has a line of its own, which another's would come into.
    has_line: bool,
}

/// Acquires that are alike, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) weight: u64,
    pub(super) standing: Standing,
    pub(super) count: u32,
}

impl From<(Id, Group)> for Call {
    fn from(only: (Id, Group)) -> Self {
        Self(BTreeMap::from([only]))
    }
}

impl From<Group> for Vec<Job> {
    fn from(group: Group) -> Self {
        group.jobs
    }
}

impl Call {
    /// Takes in what can go together, and gives back the rest: what is not plain, and what has another quota than those before
    /// it on the same bucket, or a line beside theirs.
    pub(super) fn of(jobs: Vec<Job>) -> (Self, Vec<Job>) {
        let (mut call, mut rest) = (Self::default(), Vec::new());
        for job in jobs {
            rest.extend(call.take(job));
        }
        (call, rest)
    }

    /// The same in calls of no more than so many buckets each.
    pub(super) fn parts(mut self, most: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        while let Some(next) = self.0.keys().nth(most).copied() {
            let rest = self.0.split_off(&next);
            parts.push(Self(std::mem::replace(&mut self.0, rest)));
        }
        if !self.0.is_empty() {
            parts.push(self);
        }
        parts
    }

    /// The bucket that it is for, where there is but one.
    pub(super) fn only(&mut self) -> Option<(Id, Group)> {
        if self.0.len() == 1 { self.0.pop_first() } else { None }
    }

    fn take(&mut self, job: Job) -> Option<Job> {
        let Some(quota) = job.plain_quota() else { return Some(job) };
        let entries = entries(&job);
        let has_line = entries.iter().any(|entry| entry.standing != Standing::Alone);
        match self.0.entry(job.id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Group { quota: quota.clone(), jobs: vec![job], entries, has_line });
            }
            Entry::Occupied(occupied) => {
                let group = occupied.into_mut();
                if &group.quota != quota || (group.has_line && has_line) {
                    return Some(job);
                }
                group.has_line |= has_line;
                for entry in entries {
                    push(&mut group.entries, entry);
                }
                group.jobs.push(job);
            }
        }
        None
    }
}

fn entries(job: &Job) -> Vec<Entries> {
    let mut entries = Vec::new();
    for asked in &job.asked {
        if let Action::Acquire { weight, standing, .. } = asked.operation().action {
            push(&mut entries, Entries { weight, standing, count: 1 });
        }
    }
    entries
}

fn push(entries: &mut Vec<Entries>, entry: Entries) {
    match entries.last_mut() {
        Some(last) if (last.weight, last.standing) == (entry.weight, entry.standing) => last.count += entry.count,
        _ => entries.push(entry),
    }
}
