use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::coalesce::{Bounds, Gathered as _, TurnedAway, once_begun};
use crate::store::io::Runner;
use crate::store::postgres::id::Id;
use crate::store::postgres::job::Job;
use crate::sync::{Arc, Mutex, Weak, lock};

/// Who waits for a bucket on the server has a connection meanwhile: so there are few of them a bucket, and who comes next waits
/// here, to go with others in the same call.
pub(super) struct Turns {
    /// Turns at once, of one bucket.
    most: usize,
    bounds: Bounds,
    runner: Runner,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    of: HashMap<Id, Line>,
    /// Jobs in all of them.
    waiting: usize,
    is_watched: bool,
}

#[derive(Default)]
struct Line {
    turns: usize,
    jobs: VecDeque<(Instant, Job)>,
}

/// The right to ask for a bucket alone. It may be handed on, and ends with this at the latest.
#[must_use]
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: Id,
    is_over: bool,
}

impl Turns {
    /// For what waits so long at the most, is so much, and goes out together in so many operations.
    pub(super) fn new(most: usize, bounds: Bounds, runner: Runner) -> Self {
        Self { most, bounds, runner, lines: Mutex::default() }
    }

    /// Gives back the jobs if they may go now. If not they wait, and come with the [next](Turn::next) of a turn under way.
    pub(super) fn enter<J: Into<Vec<Job>>>(self: &Arc<Self>, id: Id, jobs: J) -> Option<(Turn, J)> {
        let mut lines = lock(&self.lines);
        let line = lines.of.entry(id).or_default();
        // While any wait there is a turn, which they come with.
        if line.turns < self.most && line.jobs.is_empty() {
            line.turns += 1;
            return Some((Turn { turns: Arc::clone(self), id, is_over: false }, jobs));
        }
        let mut jobs = jobs.into();
        let room = self.bounds.waiting.saturating_sub(lines.waiting).min(jobs.len());
        let surplus = jobs.split_off(room);
        lines.add(id, jobs);
        let is_first = !std::mem::replace(&mut lines.is_watched, true);
        drop(lines);
        for job in surplus {
            job.turn_away(TurnedAway::Full);
        }
        self.see_to_the_late(is_first);
        None
    }

    fn see_to_the_late(self: &Arc<Self>, is_first: bool) {
        if is_first {
            self.runner.spawn(Self::watch(Arc::downgrade(self)));
        }
    }

    /// Turns away whose turn does not come in time, for as long as any wait.
    async fn watch(this: Weak<Self>) {
        loop {
            let Some(pause) = this.upgrade().map(|turns| turns.bounds.patience / 4) else { return };
            sleep(pause).await;
            let Some(turns) = this.upgrade() else { return };
            let mut lines = lock(&turns.lines);
            let late = lines.late(turns.bounds.patience);
            lines.is_watched = lines.waiting > 0;
            let goes_on = lines.is_watched;
            drop(lines);
            for job in late {
                job.turn_away(TurnedAway::Late);
            }
            if !goes_on {
                return;
            }
        }
    }
}

impl Lines {
    fn add(&mut self, id: Id, jobs: Vec<Job>) {
        let now = Instant::now();
        self.waiting += jobs.len();
        self.of.entry(id).or_default().jobs.extend(jobs.into_iter().map(|job| (now, job)));
    }

    /// Those of a line who go out together next.
    fn next(&mut self, id: Id, operations: usize) -> Vec<Job> {
        let (mut next, mut size) = (Vec::new(), 0);
        let Some(line) = self.of.get_mut(&id) else { return next };
        while let Some((_, job)) = line.jobs.front() {
            size += job.size();
            if !next.is_empty() && size > operations {
                break;
            }
            let Some((_, job)) = line.jobs.pop_front() else { break };
            self.waiting -= 1;
            if !job.is_abandoned() {
                next.push(job);
            }
        }
        next
    }

    /// Ends a turn; says who is left with none to come.
    fn leave(&mut self, id: Id) -> VecDeque<(Instant, Job)> {
        let Some(line) = self.of.get_mut(&id) else { return VecDeque::new() };
        line.turns -= 1;
        if line.turns > 0 {
            return VecDeque::new();
        }
        let left = self.of.remove(&id).map(|line| line.jobs).unwrap_or_default();
        self.waiting -= left.len();
        left
    }

    fn late(&mut self, patience: Duration) -> Vec<Job> {
        let mut late = Vec::new();
        for line in self.of.values_mut() {
            while let Some((since, _)) = line.jobs.front()
                && since.elapsed() >= patience
            {
                late.extend(line.jobs.pop_front().map(|(_, job)| job));
            }
        }
        self.waiting -= late.len();
        late
    }
}

impl Turn {
    /// Ends it if there is another one of the same bucket, which may be who has it: that goes on with these jobs next.
    pub(super) fn give_way<J: Into<Vec<Job>>>(mut self, jobs: J) -> Option<(Self, J)> {
        let turns = Arc::clone(&self.turns);
        let mut lines = lock(&turns.lines);
        let Some(line) = lines.of.get_mut(&self.id).filter(|line| line.turns > 1) else {
            drop(lines);
            return Some((self, jobs));
        };
        let (now, jobs) = (Instant::now(), jobs.into());
        let count = jobs.len();
        line.turns -= 1;
        for job in jobs.into_iter().rev() {
            line.jobs.push_front((now, job));
        }
        lines.waiting += count;
        let is_first = !std::mem::replace(&mut lines.is_watched, true);
        drop(lines);
        self.is_over = true;
        turns.see_to_the_late(is_first);
        None
    }

    /// Asks for these jobs, and then for those who came for the same bucket meanwhile, for as long as any do and however many have
    /// failed. Answers are delivered when the next call is on its way.
    pub(super) async fn serve<A, C>(
        mut self,
        mut jobs: Vec<Job>,
        ask: impl Fn(Self, Vec<Job>) -> C,
        deliver: impl Fn(A),
    ) where
        C: Future<Output = (A, Option<Self>)>,
    {
        let mut last = None;
        loop {
            let answers = last.take();
            let begun = || {
                if let Some(answers) = answers {
                    deliver(answers);
                }
            };
            let (answers, rest) = once_begun(ask(self, jobs), begun).await;
            let Some(next) = rest.and_then(Self::next) else { return deliver(answers) };
            (self, jobs) = next;
            last = Some(answers);
        }
    }

    /// Hands it on to those who came meanwhile, if any did.
    pub(super) fn next(mut self) -> Option<(Self, Vec<Job>)> {
        let turns = Arc::clone(&self.turns);
        let mut lines = lock(&turns.lines);
        let jobs = lines.next(self.id, turns.bounds.operations);
        if !jobs.is_empty() {
            drop(lines);
            return Some((self, jobs));
        }
        self.is_over = true;
        // None is left: they would have been among those.
        lines.leave(self.id);
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            let left = lock(&self.turns.lines).leave(self.id);
            for (_, job) in left {
                job.turn_away(TurnedAway::Late);
            }
        }
    }
}
