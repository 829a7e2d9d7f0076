//! Batches, carried out in transactions.

use crate::error::Result;
use crate::store::batch::{Action, Batch, Operation};
use crate::store::line::Line;
use crate::store::sqlite::buckets::{Buckets, Written};
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::opened::Opened;
use crate::store::sqlite::sweep::Walked;
use crate::store::submission::Outcomes;
use crate::time::Timestamp;

/// Whether all that is asked for is to look.
pub(super) fn takes_nothing(operation: &Operation<'_>) -> bool {
    matches!(operation.action, Action::Peek { .. } | Action::List { .. })
}

/// What a transaction came to.
#[derive(Debug)]
pub(super) struct Done {
    /// For each batch, those of its operations.
    pub(super) outcomes: Vec<Outcomes>,
    /// In how many microseconds the first of the buckets that were written can be forgotten.
    pub(super) idle_in: Option<u64>,
}

impl Opened {
    /// For each row that is new, so many are looked at, so that the idle leave as fast as others come.
    const WALK_A_ROW: usize = 3;

    /// Carries out these batches. All that comes of a failure is said of each operation.
    ///
    /// # Errors
    /// [`Failure::Busy`] if another process has the file. Nothing was done, and nobody is told yet.
    pub(super) fn serve(&mut self, batches: &[&[Operation<'_>]]) -> Result<Done, Failure> {
        match self.transact(batches) {
            Ok(done) => Ok(done),
            Err(Failure::Busy) => Err(Failure::Busy),
            Err(failure) => Ok(self.serve_one_by_one(batches, &failure)),
        }
    }

    /// All in one transaction.
    fn transact(&mut self, batches: &[&[Operation<'_>]]) -> Result<Done, Failure> {
        self.within(|this| this.carry_out(batches))
    }

    /// Has work done in a transaction, wholly or not at all.
    fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T, Failure> {
        self.link.begin().inspect_err(|failure| self.is_suspect |= !matches!(failure, Failure::Busy))?;
        let done = match work(self) {
            Ok(done) => self.link.commit().map(|()| done),
            Err(error) => Err(self.link.give_up(error)),
        };
        // What it knows may be of what was undone.
        done.inspect_err(|_| self.is_suspect = true)
    }

    fn carry_out(&mut self, batches: &[&[Operation<'_>]]) -> Result<Done> {
        let now = self.now()?;
        let mut buckets = Buckets::new(&self.link, now);
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            outcomes.push(apply(&mut buckets, batch));
        }
        buckets.store()?;
        let written = buckets.written;
        self.after(now, written)?;
        let idle_in = written.idle_from.map(|idle_from| idle_from.unsigned_abs().saturating_sub(now.as_micros()));
        Ok(Done { outcomes, idle_in })
    }

    fn after(&mut self, now: Timestamp, written: Written) -> Result<()> {
        self.keep_time(now)?;
        if written.new_rows > 0 {
            self.walk.step(&self.link, now, written.new_rows * Self::WALK_A_ROW)?;
        }
        Ok(())
    }

    /// Each run of operations on one key in a transaction of its own, so that what is wrong with one spoils no other. What may
    /// have been done is not done again.
    #[cold]
    fn serve_one_by_one(&mut self, batches: &[&[Operation<'_>]], failure: &Failure) -> Done {
        let mut done = Done { outcomes: Vec::new(), idle_in: None };
        let is_one = batches.len() == 1 && batches.iter().all(|batch| Batch::new(batch).runs().count() <= 1);
        let cannot_be_repeated = is_one || matches!(failure, Failure::Unknown(_));
        for batch in batches {
            let mut outcomes = Outcomes::new();
            if cannot_be_repeated {
                outcomes.extend(batch.iter().map(|operation| Err(failure.error(takes_nothing(operation)))));
            } else {
                Batch::new(batch).runs().for_each(|run| match self.transact(&[run]) {
                    Ok(alone) => {
                        outcomes.extend(alone.outcomes.into_iter().flatten());
                        done.idle_in = done.idle_in.into_iter().chain(alone.idle_in).min();
                    }
                    Err(failure) => {
                        outcomes.extend(run.iter().map(|operation| Err(failure.error(takes_nothing(operation)))));
                    }
                });
            }
            done.outcomes.push(outcomes);
        }
        done
    }

    /// Has some idle rows leave.
    pub(super) fn sweep(&mut self, rows: usize) -> Result<(Walked, Timestamp), Failure> {
        self.within(|this| {
            let now = this.now()?;
            Ok((this.walk.step(&this.link, now, rows)?, now))
        })
    }
}

fn apply<'a>(buckets: &mut Buckets<'_, 'a>, batch: &[Operation<'a>]) -> Outcomes {
    let mut line = Line::default();
    batch.iter().map(|operation| line.pass(operation, || buckets.apply(operation))).collect()
}
