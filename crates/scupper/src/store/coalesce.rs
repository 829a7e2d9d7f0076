//! Calls that gather while others are under way.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::store::io::Runner;
use crate::sync::{Arc, Mutex, Weak, lock};

/// Carries jobs to where they are done, several at once.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// What is asked, with the way to answer.
    type Job: Send + 'static;

    /// How many operations that are.
    fn size(job: &Self::Job) -> usize;

    /// Whether nobody waits for the answer, so that it need not be sent.
    fn is_abandoned(job: &Self::Job) -> bool;

    /// Has these jobs done, and answers each.
    fn carry(self: Arc<Self>, jobs: Vec<Self::Job>) -> impl Future<Output = ()> + Send;

    /// Answers a job that was not sent: there is no room for it, or its turn did not come in time.
    fn turn_away(&self, job: Self::Job, reason: TurnedAway);
}

/// Why a job was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// So many wait already.
    Full,
    /// Those before it take too long.
    Late,
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

/// A queue before a carrier: while as many calls are under way as may be, later jobs gather, and go out together as soon as one
/// of them is back. First come, first sent, so that no bucket keeps others from their turn. One that finds no call under way
/// goes out at once.
pub(crate) struct Coalescer<C: Carrier>(Arc<Shared<C>>);

struct Shared<C: Carrier> {
    carrier: Arc<C>,
    bounds: Bounds,
    queue: Mutex<Queue<C::Job>>,
}

struct Queue<J> {
    jobs: VecDeque<(Instant, J)>,
    calls: usize,
    is_watched: bool,
}

impl<C: Carrier> Coalescer<C> {
    pub(crate) fn new(carrier: Arc<C>, bounds: Bounds) -> Self {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), calls: 0, is_watched: false });
        Self(Arc::new(Shared { carrier, bounds, queue }))
    }

    pub(crate) fn carrier(&self) -> &Arc<C> {
        &self.0.carrier
    }

    /// Sends a job, now or with others.
    pub(crate) fn send(&self, job: C::Job, runner: &Runner) {
        let shared = &self.0;
        let mut queue = lock(&shared.queue);
        if queue.jobs.len() >= shared.bounds.waiting {
            drop(queue);
            return shared.carrier.turn_away(job, TurnedAway::Full);
        }
        queue.jobs.push_back((Instant::now(), job));
        if queue.calls < shared.bounds.calls {
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
    /// Makes calls for as long as jobs wait.
    async fn call(self: Arc<Self>) {
        let mut under_way = UnderWay(&self, true);
        loop {
            let jobs = self.next();
            if jobs.is_empty() {
                under_way.1 = false;
                return;
            }
            Arc::clone(&self.carrier).carry(jobs).await;
        }
    }

    /// What goes out together; with nothing to send, the call is over.
    fn next(&self) -> Vec<C::Job> {
        let mut queue = lock(&self.queue);
        let (mut jobs, mut operations) = (Vec::new(), 0);
        while let Some((_, job)) = queue.jobs.front() {
            let size = C::size(job);
            if !jobs.is_empty() && operations + size > self.bounds.operations {
                break;
            }
            if let Some((_, job)) = queue.jobs.pop_front()
                && !C::is_abandoned(&job)
            {
                operations += size;
                jobs.push(job);
            }
        }
        if jobs.is_empty() {
            queue.calls -= 1;
        }
        jobs
    }

    /// Turns away whose turn does not come in time, for as long as jobs wait.
    async fn watch(this: Weak<Self>) {
        loop {
            let Some(shared) = this.upgrade() else { return };
            let (late, next) = shared.late();
            for job in late {
                shared.carrier.turn_away(job, TurnedAway::Late);
            }
            let Some(next) = next else { return };
            drop(shared);
            sleep_until(next.into()).await;
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
            late.extend(queue.jobs.pop_front().map(|(_, job)| job));
        }
        queue.is_watched = false;
        (late, None)
    }
}

/// A carrier that panics loses its jobs, and not the place of its call.
struct UnderWay<'a, C: Carrier>(&'a Shared<C>, bool);

impl<C: Carrier> Drop for UnderWay<'_, C> {
    fn drop(&mut self) {
        if self.1 {
            lock(&self.0.queue).calls -= 1;
        }
    }
}

impl<C: Carrier> fmt::Debug for Coalescer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = lock(&self.0.queue);
        f.debug_struct("Coalescer").field("waiting", &queue.jobs.len()).field("calls", &queue.calls).finish()
    }
}
