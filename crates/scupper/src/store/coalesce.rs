//! Calls that gather while others are under way.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::{Error, ErrorKind};
use crate::store::io::Runner;
use crate::sync::{Arc, Mutex, Weak, lock};

/// What is asked, with the way to answer.
pub(crate) trait Gathered: Send + 'static {
    /// How many operations that are.
    fn size(&self) -> usize;

    /// Whether nobody waits for the answer, so that it need not be sent.
    fn is_abandoned(&self) -> bool;

    /// Answers that it was not sent: there is no room for it, or its turn did not come in time.
    fn turn_away(self, reason: TurnedAway);
}

/// Carries jobs to where they are done, several at once.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// What it carries.
    type Job: Gathered;

    /// What came back of a call.
    type Answers: Send;

    /// Has these jobs done.
    fn carry(self: Arc<Self>, jobs: Vec<Self::Job>) -> impl Future<Output = Self::Answers> + Send;

    /// Answers each job of a call.
    fn deliver(self: Arc<Self>, answers: Self::Answers);
}

/// Why a job was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// So many wait already.
    Full,
    /// Those before it take too long.
    Late,
}

impl TurnedAway {
    /// What whoever asked this server is told. A full queue is not an outage: it is as full as it may be.
    #[cold]
    pub(crate) fn error(self, server: &str) -> Error {
        match self {
            Self::Full => Error::new(
                ErrorKind::Capacity,
                format!("as many requests as may wait for their turn to be sent to {server}; this one was not sent"),
            ),
            Self::Late => Error::new(
                ErrorKind::Unavailable,
                format!("{server} does not answer earlier requests, and this one was not sent"),
            ),
        }
    }
}

/// How much goes together, and how long it may wait for that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls under way at once.
    pub(crate) calls: usize,
    /// Operations in a call; a single job may have more.
    pub(crate) operations: usize,
    /// Jobs that wait for their call.
    pub(crate) waiting: usize,
    /// How long a job waits for its call.
    pub(crate) patience: Duration,
}

/// A queue before a carrier: while calls are under way, later jobs gather, and go out together as soon as one of them is back,
/// or as they are half as many as went out with it. First come, first sent, so that no bucket keeps others from their turn.
/// One that finds no call under way goes out at once.
pub(crate) struct Coalescer<C: Carrier>(Arc<Shared<C>>);

struct Shared<C: Carrier> {
    carrier: Arc<C>,
    bounds: Bounds,
    queue: Mutex<Queue<C::Job>>,
}

struct Queue<J> {
    jobs: VecDeque<(Instant, J)>,
    /// Operations of the jobs that wait, and of those under way.
    waiting: usize,
    under_way: usize,
    calls: usize,
    is_watched: bool,
}

impl<J> Queue<J> {
    /// Whether another call is worth its while: the first always is; beside others, one that is much smaller than they are would
    /// only keep those from it who come next.
    fn is_worth_a_call(&self, most: usize) -> bool {
        self.calls == 0 || (self.calls < most && self.waiting * self.calls * 2 >= self.under_way)
    }
}

impl<C: Carrier> Coalescer<C> {
    pub(crate) fn new(carrier: Arc<C>, bounds: Bounds) -> Self {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), waiting: 0, under_way: 0, calls: 0, is_watched: false });
        Self(Arc::new(Shared { carrier, bounds, queue }))
    }

    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn carrier(&self) -> &Arc<C> {
        &self.0.carrier
    }

    /// Sends a job, now or with others.
    pub(crate) fn send(&self, job: C::Job, runner: &Runner) {
        let shared = &self.0;
        let mut queue = lock(&shared.queue);
        if queue.jobs.len() >= shared.bounds.waiting {
            drop(queue);
            return job.turn_away(TurnedAway::Full);
        }
        queue.waiting += job.size();
        queue.jobs.push_back((Instant::now(), job));
        if queue.is_worth_a_call(shared.bounds.calls) {
            queue.calls += 1;
            drop(queue);
            runner.begin(Arc::clone(shared).call());
        } else if !queue.is_watched {
            queue.is_watched = true;
            drop(queue);
            runner.spawn(Shared::watch(Arc::downgrade(shared)));
        }
    }
}

impl<C: Carrier> Shared<C> {
    /// Makes calls for as long as jobs wait that are worth one.
    async fn call(self: Arc<Self>) {
        let mut under_way = UnderWay { shared: &self, operations: 0, is_over: false };
        let mut last = None;
        loop {
            let jobs = under_way.next();
            let answers = last.take();
            let deliver = || {
                if let Some(answers) = answers {
                    Arc::clone(&self.carrier).deliver(answers);
                }
            };
            if jobs.is_empty() {
                return deliver();
            }
            // The next call is on its way before anybody hears of the last one: the server need not wait for that.
            last = Some(once_begun(Arc::clone(&self.carrier).carry(jobs), deliver).await);
        }
    }

    /// Turns away whose turn does not come in time, for as long as jobs wait.
    async fn watch(this: Weak<Self>) {
        loop {
            let Some(shared) = this.upgrade() else { return };
            let (late, next) = shared.late();
            for job in late {
                job.turn_away(TurnedAway::Late);
            }
            let Some(next) = next else { return };
            drop(shared);
            sleep_until(next).await;
        }
    }

    /// Those who have waited too long, and when to look again.
    fn late(&self) -> (Vec<C::Job>, Option<Instant>) {
        let (mut queue, now) = (lock(&self.queue), Instant::now());
        let mut late = Vec::new();
        while let Some((since, _)) = queue.jobs.front() {
            let end = *since + self.bounds.patience;
            if end > now {
                return (late, Some(end));
            }
            if let Some((_, job)) = queue.jobs.pop_front() {
                queue.waiting -= job.size();
                late.push(job);
            }
        }
        queue.is_watched = false;
        (late, None)
    }
}

/// Does something as soon as this has been begun.
pub(crate) async fn once_begun<F: Future>(work: F, then: impl FnOnce()) -> F::Output {
    let (mut work, mut then) = (pin!(work), Some(then));
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        if let Some(then) = then.take() {
            // What goes wrong in one of the two is no reason to lose the other.
            let _ = catch_unwind(AssertUnwindSafe(then));
        }
        polled.unwrap_or_else(|panic| resume_unwind(panic))
    })
    .await
}

/// The place of a call among those under way. A carrier that panics loses its jobs, and not the place.
struct UnderWay<'a, C: Carrier> {
    shared: &'a Shared<C>,
    operations: usize,
    is_over: bool,
}

impl<C: Carrier> UnderWay<'_, C> {
    /// What goes out together next; with nothing that is worth a call, this one is over.
    fn next(&mut self) -> Vec<C::Job> {
        let bounds = self.shared.bounds;
        let mut queue = lock(&self.shared.queue);
        // Between two calls it is not under way.
        queue.under_way -= self.operations;
        queue.calls -= 1;
        self.operations = 0;
        let mut jobs = Vec::new();
        let is_worth_it = queue.is_worth_a_call(bounds.calls);
        while let Some((_, job)) = queue.jobs.front().filter(|_| is_worth_it) {
            let size = job.size();
            if !jobs.is_empty() && self.operations + size > bounds.operations {
                break;
            }
            let Some((_, job)) = queue.jobs.pop_front() else { break };
            queue.waiting -= size;
            if !job.is_abandoned() {
                self.operations += size;
                jobs.push(job);
            }
        }
        self.is_over = jobs.is_empty();
        if !self.is_over {
            queue.under_way += self.operations;
            queue.calls += 1;
        }
        jobs
    }
}

impl<C: Carrier> Drop for UnderWay<'_, C> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut queue = lock(&self.shared.queue);
            queue.under_way -= self.operations;
            queue.calls -= 1;
        }
    }
}

impl<C: Carrier> fmt::Debug for Coalescer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = lock(&self.0.queue);
        f.debug_struct("Coalescer").field("waiting", &queue.jobs.len()).field("calls", &queue.calls).finish()
    }
}

#[cfg(test)]
mod tests;
