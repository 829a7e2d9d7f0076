use std::future::Future;
use std::pin::Pin;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::Error;
use crate::store::coalesce::{Carrier, Coalescer, Gathered as _, TurnedAway};
use crate::store::io::Runner;
use crate::store::outcome::{Outcome, Reply};
use crate::store::postgres::arguments::Arguments;
use crate::store::postgres::call::{Call, Group};
use crate::store::postgres::failure::{Failure, Fate};
use crate::store::postgres::general::General;
use crate::store::postgres::id::Id;
use crate::store::postgres::job::Job;
use crate::store::postgres::pool::{Lease, Pool};
use crate::store::postgres::statement::Query;
use crate::store::postgres::sweep::Sweeper;
use crate::store::postgres::turns::{Turn, Turns};
use crate::store::postgres::verdicts::{Decided, NUMBERS};
use crate::sync::Arc;

/// Has the server decide on what gathers, in one call of its function.
pub(super) struct Decider {
    pub(super) pool: Arc<Pool>,
    /// Where what the function leaves undecided goes.
    pub(super) general: Arc<Coalescer<General>>,
    pub(super) sweeper: Sweeper,
    /// Of calls for one bucket, which wait for it.
    pub(super) turns: Arc<Turns>,
    /// For so many buckets may be waited at once: the rest of the connections is for all others.
    pub(super) waits: Arc<Semaphore>,
    pub(super) runner: Runner,
}

/// What became of a call.
#[derive(Debug, Default)]
pub(super) struct Carried {
    decided: Vec<(Job, Vec<Outcome>)>,
    /// Nothing was done for these; they are to be carried out one by one.
    undecided: Vec<Job>,
    /// Nothing was done for these, either: somebody else has their bucket. They are to be asked for alone.
    busy: Vec<(Id, Group)>,
    failed: Vec<(Job, Error)>,
    /// How many buckets were looked at.
    touched: usize,
}

impl Decider {
    /// A call takes a lock for each bucket, of which a server has 64 a connection unless it is told otherwise, and which it
    /// shares with whoever else uses it.
    const MOST_BUCKETS: usize = 64;

    /// Waits for the bucket, if it may and there is but one.
    async fn call(&self, call: Call, may_wait: bool, carried: &mut Carried) {
        carried.touched += call.0.len();
        match self.decide(&call, may_wait).await {
            Ok(numbers) => carried.answered(call, may_wait, &numbers, &self.pool.entry().place),
            Err(failure) => carried.failed(call, &failure),
        }
    }

    /// Asks for one bucket, and waits for it if there is a place for that; else it may be busy.
    async fn call_one(&self, call: Call, carried: &mut Carried) {
        let place = self.waits.try_acquire();
        self.call(call, place.is_ok(), carried).await;
    }

    /// Has those served who came for the same bucket meanwhile.
    fn go_on(self: &Arc<Self>, turn: Turn) {
        if let Some((turn, jobs)) = turn.next() {
            self.go(turn, jobs);
        }
    }

    /// Asks for a bucket alone, and waits for it.
    fn go(self: &Arc<Self>, turn: Turn, jobs: Vec<Job>) {
        let this = Arc::clone(self);
        let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let ask = |turn, jobs| this.ask_alone(turn, jobs);
            turn.serve(jobs, ask, |carried| Arc::clone(&this).deliver(carried)).await;
        });
        self.runner.begin(work);
    }

    /// As others may wait for other buckets meanwhile, it waits only for one that somebody has.
    async fn ask_alone(&self, turn: Turn, jobs: Vec<Job>) -> (Carried, Option<Turn>) {
        let (call, undecided) = Call::of(jobs);
        let mut carried = Carried { undecided, ..Carried::default() };
        self.call_one(call, &mut carried).await;
        let Some((id, group)) = carried.busy.pop() else { return (carried, Some(turn)) };
        let Some((turn, group)) = turn.give_way(group) else { return (carried, None) };
        match timeout(self.pool.entry().settings.patience, self.waits.acquire()).await {
            Ok(_place) => self.call(Call::from((id, group)), true, &mut carried).await,
            Err(_) => group.jobs.into_iter().for_each(|job| job.turn_away(TurnedAway::Late)),
        }
        (carried, Some(turn))
    }

    /// What the function says of each entry of the call.
    async fn decide(&self, call: &Call, may_wait: bool) -> Result<Vec<i64>, Failure> {
        let arguments = Arguments::of(call, may_wait);
        let mut tries = 1;
        loop {
            let lease = self.pool.lease().await.map_err(Failure::not_sent)?;
            match self.ask(&lease, &arguments).await {
                Err(failure) if failure.can_be_repeated() && tries < General::TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn ask(&self, lease: &Lease, arguments: &Arguments<'_>) -> Result<Vec<i64>, Failure> {
        let place = &self.pool.entry().place;
        let work = async {
            let statement = lease.statement(Query::Decide).await?;
            lease.client().query_one(&statement, &arguments.parameters()).await?.try_get(0)
        };
        self.pool.call(lease, async { work.await.map_err(|error| Failure::of(error, place)) }).await
    }
}

impl Carried {
    fn answered(&mut self, call: Call, may_wait: bool, numbers: &[i64], place: &str) {
        let mut rest = numbers;
        for (id, group) in call.0 {
            let length = (NUMBERS * group.entries.len()).min(rest.len());
            let (said, others) = rest.split_at(length);
            rest = others;
            match Decided::of(&group, said) {
                Decided::Undecided => self.undecided.extend(group.jobs),
                Decided::Busy if !may_wait => self.busy.push((id, group)),
                Decided::Busy | Decided::Unreadable => self.fail(group.jobs, &Failure::unreadable(place).error),
                Decided::Verdicts(verdicts) => {
                    let mut outcomes = verdicts.into_iter().map(|verdict| Ok(Reply::Acquired(verdict)));
                    for job in group.jobs {
                        let outcomes = outcomes.by_ref().take(job.asked.len()).collect();
                        self.decided.push((job, outcomes));
                    }
                }
            }
        }
    }

    fn failed(&mut self, call: Call, failure: &Failure) {
        // What is wrong with one bucket is no matter of the others.
        let is_for_one = match failure.fate {
            Fate::Spoiled => true,
            Fate::Locked => call.0.len() > 1,
            Fate::Met | Fate::NotSent | Fate::Lost | Fate::NotDone | Fate::Unknown => false,
        };
        let jobs = call.0.into_values().flat_map(|group: Group| group.jobs);
        if is_for_one {
            self.undecided.extend(jobs);
        } else {
            self.fail(jobs, &failure.error);
        }
    }

    fn fail(&mut self, jobs: impl IntoIterator<Item = Job>, error: &Error) {
        self.failed.extend(jobs.into_iter().map(|job| (job, error.again())));
    }
}

impl Carrier for Decider {
    type Job = Job;
    type Answers = Carried;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Carried {
        let mut carried = Carried::default();
        let (mut call, rest) = Call::of(jobs);
        carried.undecided = rest;
        if let Some((id, group)) = call.only() {
            if let Some((turn, group)) = self.turns.enter(id, group) {
                self.call_one(Call::from((id, group)), &mut carried).await;
                match carried.busy.pop() {
                    Some((_, group)) => self.go(turn, group.jobs),
                    None => self.go_on(turn),
                }
            }
            return carried;
        }
        for mut call in call.parts(Self::MOST_BUCKETS) {
            match call.only() {
                // It would have the others wait as well.
                Some(last) => carried.busy.push(last),
                None => self.call(call, false, &mut carried).await,
            }
        }
        carried
    }

    fn deliver(self: Arc<Self>, carried: Carried) {
        for (job, outcomes) in carried.decided {
            job.finish(outcomes);
        }
        for (job, error) in carried.failed {
            job.fail(&error);
        }
        for job in carried.undecided {
            self.general.send(job, &self.runner);
        }
        for (id, group) in carried.busy {
            if let Some((turn, group)) = self.turns.enter(id, group) {
                self.go(turn, group.jobs);
            }
        }
        self.sweeper.after(carried.touched);
    }
}
