use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::Error as PostgresError;

use crate::error::Error;
use crate::quota::Quota;
use crate::store::bucket::{BucketState, corrupt};
use crate::store::coalesce::{Carrier, Gathered as _, TurnedAway};
use crate::store::io::Runner;
use crate::store::line::Line;
use crate::store::outcome::{Outcome, Reply};
use crate::store::postgres::failure::{Failure, Fate};
use crate::store::postgres::job::Job;
use crate::store::postgres::look::Seen;
use crate::store::postgres::pool::{Lease, Pool};
use crate::store::postgres::session::Session;
use crate::store::postgres::stored::{Rows, Stored};
use crate::store::postgres::transaction::{Change, Transaction};
use crate::store::postgres::turns::{Turn, Turns};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::time::Timestamp;

/// Carries out whatever there is, one bucket a transaction: what it takes of it is loaded, and decided on here.
pub(super) struct General {
    pub(super) pool: Arc<Pool>,
    /// Of transactions on one bucket, which wait for it.
    pub(super) turns: Arc<Turns>,
    /// For so many buckets may be waited at once: the rest of the connections is for all others.
    pub(super) waits: Arc<Semaphore>,
    pub(super) runner: Runner,
}

/// What became of jobs.
type Answers = Vec<(Job, Result<Vec<Outcome>, Error>)>;

impl General {
    /// What met another transaction is tried so often.
    pub(super) const TRIES: u32 = 4;

    /// The outcomes of a job, if it could be carried out by these means; what meets another transaction is tried again.
    async fn carry_out(&self, job: &Job, means: Means) -> Result<Option<Vec<Outcome>>, Failure> {
        let mut tries = 1;
        loop {
            let lease = self.pool.lease().await.map_err(Failure::not_sent)?;
            let outcomes = match means {
                Means::Look => self.look(&lease, job).await,
                Means::Transaction { may_wait } => self.transact(&lease, job, may_wait).await,
            };
            match outcomes {
                Err(failure) if failure.can_be_repeated() && tries < Self::TRIES => tries += 1,
                outcomes => return outcomes,
            }
        }
    }

    /// Looks in passing, where that is enough.
    async fn look(&self, lease: &Lease, job: &Job) -> Result<Option<Vec<Outcome>>, Failure> {
        let Some(operation) = job.look() else { return Ok(None) };
        let place = &self.pool.entry().place;
        let work = async { Seen::of(lease, job.id, &operation).await.map_err(|error| Failure::of(error, place)) };
        match self.pool.call(lease, work).await {
            Ok(seen) => Ok(seen.outcome(&operation).map(|outcome| vec![outcome])),
            // What is wrong with the bucket is told by who sees all of it.
            Err(failure) if failure.fate == Fate::Spoiled && failure.keeps_connection => Ok(None),
            Err(failure) => Err(failure.nothing_done()),
        }
    }

    /// Jobs on one bucket; those that are left are busy, as somebody else has it.
    async fn carry_all(&self, jobs: Vec<Job>, may_wait: bool) -> (Answers, Vec<Job>) {
        let (mut answers, mut jobs) = (Vec::with_capacity(jobs.len()), VecDeque::from(jobs));
        while let Some(job) = jobs.pop_front() {
            match self.carry_out(&job, Means::Transaction { may_wait }).await {
                Ok(Some(outcomes)) => answers.push((job, Ok(outcomes))),
                Err(failure) => answers.push((job, Err(failure.error))),
                Ok(None) => {
                    jobs.push_front(job);
                    break;
                }
            }
        }
        (answers, jobs.into())
    }

    /// The same, waiting for the bucket if there is a place for that.
    async fn carry_now(&self, jobs: Vec<Job>) -> (Answers, Vec<Job>) {
        let place = self.waits.try_acquire();
        self.carry_all(jobs, place.is_ok()).await
    }

    /// Has those served who came for the same bucket meanwhile.
    fn go_on(self: &Arc<Self>, turn: Turn) {
        if let Some((turn, jobs)) = turn.next() {
            self.go(turn, jobs);
        }
    }

    /// Sees to jobs on one bucket, and waits for it.
    fn go(self: &Arc<Self>, turn: Turn, jobs: Vec<Job>) {
        let this = Arc::clone(self);
        let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let ask = |turn, jobs| this.see_to(turn, jobs);
            turn.serve(jobs, ask, |answers| Arc::clone(&this).deliver(answers)).await;
        });
        self.runner.begin(work);
    }

    /// As others may wait for other buckets meanwhile, it waits only for one that somebody has.
    async fn see_to(&self, turn: Turn, jobs: Vec<Job>) -> (Answers, Option<Turn>) {
        let (mut answers, busy) = self.carry_now(jobs).await;
        if busy.is_empty() {
            return (answers, Some(turn));
        }
        let Some((turn, busy)) = turn.give_way(busy) else { return (answers, None) };
        let place = timeout(self.pool.entry().settings.patience, self.waits.acquire()).await;
        // Where all places are taken by others, nobody may have this one any more.
        let (done, late) = self.carry_all(busy, place.is_ok()).await;
        answers.extend(done);
        for job in late {
            job.turn_away(TurnedAway::Late);
        }
        (answers, Some(turn))
    }

    /// The outcomes of a job, unless somebody else has the bucket, and may not be waited for.
    async fn transact(&self, lease: &Lease, job: &Job, may_wait: bool) -> Result<Option<Vec<Outcome>>, Failure> {
        let place = &self.pool.entry().place;
        let is_ending = AtomicBool::new(false);
        let work = Box::pin(async {
            let (transaction, decision) = match decided(lease, job, may_wait).await {
                Ok(decided) => decided,
                Err(error) => return Err(roll_back(lease, Failure::of(error, place)).await),
            };
            let (outcomes, change) = match decision {
                Some(Decision { outcomes, change }) => (Some(outcomes), change),
                None => (None, Change::Nothing),
            };
            let changes = change != Change::Nothing;
            is_ending.store(changes, Ordering::Relaxed);
            match transaction.end(job.key(), change).await {
                // A transaction outlives its own end, if that was refused before it began.
                Err(error) if changes => Err(roll_back(lease, Failure::of(error, place)).await),
                Err(_) => {
                    lease.cut();
                    Ok(outcomes)
                }
                Ok(()) => Ok(outcomes),
            }
        });
        let outcome = self.pool.call(lease, work).await;
        // Before its end nothing counts.
        outcome.map_err(|failure| if is_ending.load(Ordering::Relaxed) { failure } else { failure.nothing_done() })
    }
}

/// How a job is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// By a look in passing, which nobody has to wait for: that may not be enough.
    Look,
    /// For which the bucket has to be had.
    Transaction { may_wait: bool },
}

/// What becomes of a job, and of its bucket.
pub(super) struct Decision {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) change: Change,
}

/// Has the connection ready for others, if it can be.
async fn roll_back(lease: &Lease, failure: Failure) -> Failure {
    let keeps_connection = failure.keeps_connection && lease.client().batch_execute("ROLLBACK").await.is_ok();
    Failure { keeps_connection, ..failure }
}

/// Begins a transaction, and decides in it on no more of the bucket than it takes, if it has it.
async fn decided<'s>(
    session: &'s Session,
    job: &Job,
    may_wait: bool,
) -> Result<(Transaction<'s>, Option<Decision>), PostgresError> {
    let (transaction, rows) = Transaction::begin(session, job.id, job.since(), may_wait).await?;
    let Some(rows) = rows else { return Ok((transaction, None)) };
    let decision = if let Some(decision) = decide(job, rows) {
        decision
    } else {
        let rows = transaction.load(0).await?;
        decide(job, rows).unwrap_or_else(|| failed(job, &corrupt("its log cannot be laid anew")))
    };
    Ok((transaction, Some(decision)))
}

/// Decides on this bucket at this time, and says what it is to be; nothing if it takes more of its log than is known.
pub(super) fn decide(job: &Job, rows: Rows) -> Option<Decision> {
    let clock = Timestamp::from_micros(rows.clock.cast_unsigned());
    let read = rows.stored().and_then(|stored| {
        let state = stored.as_ref().map(Stored::state).transpose()?;
        Ok((stored, state))
    });
    let (mut stored, mut state) = match read {
        Ok(read) => read,
        Err(error) => return Some(failed(job, &error)),
    };
    if let (Some(stored), Some(state)) = (&mut stored, &state)
        && stored.log.older.is_some()
    {
        let algorithm = state.quota().algorithm();
        let quotas = job.asked.iter().filter_map(|asked| asked.operation().quota());
        if !state.goes_on_at(clock) || quotas.map(Quota::algorithm).any(|other| other != algorithm) {
            return None;
        }
        if job.is_reset() {
            // That goes with the rest.
            stored.log.older = None;
        }
    }
    let mut line = Line::default();
    let mut outcomes = Vec::with_capacity(job.asked.len());
    for asked in &job.asked {
        let operation = asked.operation();
        outcomes.push(line.pass(&operation, || {
            if let Some(state) = &mut state {
                return state.apply(&operation, clock);
            }
            let Some(quota) = operation.quota() else { return operation.without_bucket() };
            let mut new = BucketState::new(quota, clock);
            let reply = new.apply(&operation, clock)?;
            state = Some(new);
            Ok(reply)
        }));
    }
    // Looks and errors leave no trace, not even where the clock has stepped back.
    let is_touched = outcomes.iter().any(|outcome| !matches!(outcome, Ok(Reply::Peeked(_)) | Err(_)));
    let change = if is_touched { Change::to(state, stored.as_ref(), clock)? } else { Change::Nothing };
    Some(Decision { outcomes, change })
}

/// Of what is no bucket, nothing is changed.
fn failed(job: &Job, error: &Error) -> Decision {
    Decision { outcomes: job.asked.iter().map(|_| Err(error.again())).collect(), change: Change::Nothing }
}

impl Carrier for General {
    type Job = Job;
    type Answers = Answers;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Answers {
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let seen = if job.look().is_some() { self.carry_out(&job, Means::Look).await } else { Ok(None) };
            match seen {
                Ok(None) => {
                    // Those who wait for their turn are no call any more, and leave their place to others.
                    if let Some((turn, jobs)) = self.turns.enter(job.id, vec![job]) {
                        let (done, busy) = self.carry_now(jobs).await;
                        answers.extend(done);
                        if busy.is_empty() { self.go_on(turn) } else { self.go(turn, busy) }
                    }
                }
                Ok(Some(outcomes)) => answers.push((job, Ok(outcomes))),
                Err(failure) => answers.push((job, Err(failure.error))),
            }
        }
        answers
    }

    fn deliver(self: Arc<Self>, answers: Answers) {
        for (job, outcomes) in answers {
            match outcomes {
                Ok(outcomes) => job.finish(outcomes),
                Err(error) => job.fail(&error),
            }
        }
    }
}
