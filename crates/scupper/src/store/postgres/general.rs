use crate::error::Error;
use crate::store::asked::Asked;
use crate::store::bucket::BucketState;
use crate::store::coalesce::Carrier;
use crate::store::line::Line;
use crate::store::outcome::Outcome;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::job::Job;
use crate::store::postgres::pool::{Lease, Pool};
use crate::store::postgres::stored::Stored;
use crate::store::postgres::transaction::{Change, Transaction};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::time::Timestamp;

/// Carries out whatever there is, one bucket a transaction: loaded as a whole, and decided here.
pub(super) struct General(pub(super) Arc<Pool>);

impl General {
    /// What met another transaction is tried so often.
    pub(super) const TRIES: u32 = 4;

    async fn carry_out(&self, job: &Job) -> Result<Vec<Outcome>, Failure> {
        let mut tries = 1;
        loop {
            let lease = self.0.lease().await.map_err(Failure::not_sent)?;
            match self.transact(&lease, job).await {
                Err(failure) if failure.can_be_repeated() && tries < Self::TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn transact(&self, lease: &Lease, job: &Job) -> Result<Vec<Outcome>, Failure> {
        let place = &self.0.entry().place;
        let is_ending = AtomicBool::new(false);
        let work = async {
            let (transaction, rows) = match Transaction::begin(lease, job.id).await {
                Ok(begun) => begun,
                Err(error) => return Err(roll_back(lease, Failure::of(error, place)).await),
            };
            let clock = Timestamp::from_micros(rows.clock.cast_unsigned());
            let (outcomes, change) = match rows.stored() {
                Ok(stored) => decide(&job.asked, stored.as_ref(), clock),
                Err(error) => (job.asked.iter().map(|_| Err(error.again())).collect(), Change::Nothing),
            };
            let changes = change != Change::Nothing;
            is_ending.store(changes, Ordering::Relaxed);
            match transaction.end(job.key(), change).await {
                Err(error) if changes => Err(Failure::of(error, place)),
                Err(_) => {
                    lease.cut();
                    Ok(outcomes)
                }
                Ok(()) => Ok(outcomes),
            }
        };
        let outcome = self.0.call(lease, work).await;
        // Before its end nothing counts.
        outcome.map_err(|failure| if is_ending.load(Ordering::Relaxed) { failure } else { failure.nothing_done() })
    }
}

/// Has the connection ready for others, if it can be.
async fn roll_back(lease: &Lease, failure: Failure) -> Failure {
    let keeps_connection = failure.keeps_connection && lease.client().batch_execute("ROLLBACK").await.is_ok();
    Failure { keeps_connection, ..failure }
}

/// Decides on this bucket at this time, and says what it is to be.
fn decide(asked: &[Asked], stored: Option<&Stored>, clock: Timestamp) -> (Vec<Outcome>, Change) {
    let mut state = match stored.map(Stored::state).transpose() {
        Ok(state) => state,
        Err(error) => return (asked.iter().map(|_| Err(error.again())).collect(), Change::Nothing),
    };
    let mut line = Line::default();
    let mut outcomes = Vec::with_capacity(asked.len());
    for asked in asked {
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
    (outcomes, Change::to(state, stored, clock))
}

impl Carrier for General {
    type Job = Job;
    type Answers = Vec<(Job, Result<Vec<Outcome>, Error>)>;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Self::Answers {
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let outcomes = self.carry_out(&job).await.map_err(|failure| failure.error);
            answers.push((job, outcomes));
        }
        answers
    }

    fn deliver(self: Arc<Self>, answers: Self::Answers) {
        for (job, outcomes) in answers {
            match outcomes {
                Ok(outcomes) => job.finish(outcomes),
                Err(error) => job.fail(&error),
            }
        }
    }
}
