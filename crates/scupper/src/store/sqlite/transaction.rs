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
fn takes_nothing(operation: &Operation<'_>) -> bool {
    matches!(operation.action, Action::Peek { .. } | Action::List { .. })
}

/// What a transaction came to.
#[derive(Debug)]
pub(super) struct Done {
    /// For each batch, those of its operations. What has none was not done, as another process came in between.
    pub(super) outcomes: Vec<Outcomes>,
    /// In how many microseconds the first of the buckets that were written can be forgotten.
    pub(super) idle_in: Option<u64>,
    /// Another process has the file, before all is done.
    pub(super) is_blocked: bool,
}

impl Opened {
    /// For each row that is new, so many are looked at, so that the idle leave as fast as others come.
    const WALK_A_ROW: usize = 3;

    /// Carries out these batches, but for those that are not wanted any more once no other process can have the file: those have
    /// no outcomes. All that comes of a failure is said of each operation.
    ///
    /// # Errors
    /// [`Failure::Busy`] if another process has the file. Nothing was done, and nobody is told yet.
    pub(super) fn serve(
        &mut self,
        batches: &[&[Operation<'_>]],
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<Done, Failure> {
        match self.transact(batches, is_wanted) {
            Ok(done) => Ok(done),
            Err(Failure::Busy) => Err(Failure::Busy),
            Err(failure) if may_be_tried_again(batches, &failure) => {
                Ok(one_by_one(batches, |run| self.transact(&[run], |_| true)))
            }
            Err(failure) => {
                let outcomes = batches.iter().map(|batch| errors(batch, &failure)).collect();
                Ok(Done { outcomes, idle_in: None, is_blocked: false })
            }
        }
    }

    /// All in one transaction.
    fn transact(&mut self, batches: &[&[Operation<'_>]], is_wanted: impl Fn(usize) -> bool) -> Result<Done, Failure> {
        self.within(|this| this.carry_out(batches, is_wanted))
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

    fn carry_out(&mut self, batches: &[&[Operation<'_>]], is_wanted: impl Fn(usize) -> bool) -> Result<Done> {
        let now = self.now()?;
        let mut buckets = Buckets::new(&self.link, now);
        let mut outcomes = Vec::with_capacity(batches.len());
        for (place, batch) in batches.iter().enumerate() {
            let is_wanted = is_wanted(place);
            outcomes.push(if is_wanted { apply(&mut buckets, batch) } else { Outcomes::new() });
        }
        buckets.store()?;
        let written = buckets.written;
        self.after(now, written)?;
        let idle_in = written.idle_from.map(|idle_from| idle_from.unsigned_abs().saturating_sub(now.as_micros()));
        Ok(Done { outcomes, idle_in, is_blocked: false })
    }

    fn after(&mut self, now: Timestamp, written: Written) -> Result<()> {
        self.keep_time(now)?;
        if written.new_rows > 0 {
            self.walk.step(&self.link, now, written.new_rows * Self::WALK_A_ROW)?;
        }
        Ok(())
    }

    /// Has some idle rows leave.
    pub(super) fn sweep(&mut self, rows: usize) -> Result<(Walked, Timestamp), Failure> {
        self.within(|this| {
            let now = this.now()?;
            Ok((this.walk.step(&this.link, now, rows)?, now))
        })
    }
}

/// Whether what went wrong may be wrong with one of several runs alone. What may have been done is not done again.
fn may_be_tried_again(batches: &[&[Operation<'_>]], failure: &Failure) -> bool {
    let is_one = batches.len() == 1 && batches.iter().all(|batch| Batch::new(batch).runs().count() <= 1);
    !is_one && !matches!(failure, Failure::Unknown(_))
}

/// Each run of operations on one key in a transaction of its own, so that what is wrong with one spoils no other.
#[cold]
fn one_by_one<'a>(
    batches: &[&'a [Operation<'a>]],
    mut transact: impl FnMut(&'a [Operation<'a>]) -> Result<Done, Failure>,
) -> Done {
    let mut done = Done { outcomes: Vec::new(), idle_in: None, is_blocked: false };
    for batch in batches {
        let mut outcomes = Outcomes::new();
        for run in Batch::new(batch).runs() {
            if done.is_blocked {
                break;
            }
            match transact(run) {
                Ok(alone) => {
                    outcomes.extend(alone.outcomes.into_iter().flatten());
                    done.idle_in = done.idle_in.into_iter().chain(alone.idle_in).min();
                }
                Err(Failure::Busy) => done.is_blocked = true,
                Err(failure) => outcomes.extend(errors(run, &failure)),
            }
        }
        done.outcomes.push(outcomes);
    }
    done
}

/// The same failure for each operation.
#[cold]
pub(super) fn errors(operations: &[Operation<'_>], failure: &Failure) -> Outcomes {
    operations.iter().map(|operation| Err(failure.error(takes_nothing(operation)))).collect()
}

fn apply<'a>(buckets: &mut Buckets<'_, 'a>, batch: &[Operation<'a>]) -> Outcomes {
    let mut line = Line::default();
    batch.iter().map(|operation| line.pass(operation, || buckets.apply(operation))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::quota::{Algorithm, Quota};
    use crate::store::host_clock::{Host, ThisHost};
    use crate::store::outcome::{Reply, Verdict};
    use crate::sync::Arc;

    fn reset(key: &str) -> Operation<'_> {
        Operation::new(key, Action::Reset)
    }

    /// What becomes of two batches of three runs, where each transaction ends like that; and how many were tried.
    fn done(ends: impl Fn(usize) -> Result<(), Failure>) -> (Done, usize) {
        let (first, second) = ([reset("a"), reset("a"), reset("b")], [reset("c")]);
        let mut tried = 0;
        let done = one_by_one(&[&first, &second], |run| {
            tried += 1;
            ends(tried)?;
            let outcomes = run.iter().map(|_| Ok(Reply::Reset(true))).collect();
            Ok(Done { outcomes: vec![outcomes], idle_in: Some(10 - tried as u64), is_blocked: false })
        });
        (done, tried)
    }

    fn sizes(done: &Done) -> Vec<usize> {
        done.outcomes.iter().map(Outcomes::len).collect()
    }

    #[test]
    fn promise_5_what_nobody_wants_any_more_once_the_file_is_free_is_not_carried_out() {
        let path = std::env::temp_dir().join(format!("scupper-unwanted-{}.db", std::process::id()));
        let host: Arc<dyn Host> = Arc::new(ThisHost);
        let mut opened = Opened::open(&path, &host).unwrap();
        let quota = Quota::new(Algorithm::default(), "1/h").unwrap();
        let acquire = [Operation::acquire("key", &quota, 1)];
        let done = opened.serve(&[&acquire, &acquire], |place| place != 0).unwrap();
        drop(opened);
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
        assert_eq!(sizes(&done), [0, 1]);
        assert!(matches!(done.outcomes[1][0], Ok(Reply::Acquired(Verdict::Admitted(_)))));
    }

    #[test]
    fn what_is_wrong_with_one_run_is_wrong_with_no_other() {
        let wrong = || Err(Failure::NotDone(Error::new(ErrorKind::Corrupt, "wrong")));
        let (done, tried) = done(|tried| if tried == 2 { wrong() } else { Ok(()) });
        assert_eq!((tried, sizes(&done), done.is_blocked, done.idle_in), (3, vec![3, 1], false, Some(7)));
        let failed: Vec<_> = done.outcomes.iter().flatten().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false]);
    }

    #[test]
    fn promise_2_what_was_not_done_as_another_process_came_in_between_has_no_outcome() {
        for (busy_at, expected) in [(1, [0, 0]), (2, [2, 0]), (3, [3, 0])] {
            let (done, tried) = done(|tried| if tried == busy_at { Err(Failure::Busy) } else { Ok(()) });
            assert_eq!((tried, sizes(&done), done.is_blocked), (busy_at, expected.to_vec(), true));
            assert!(done.outcomes.iter().flatten().all(Result::is_ok));
        }
    }
}
