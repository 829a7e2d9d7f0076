//! What goes to a store together.

use std::time::Duration;

use crate::conformance::kit::{admitted, denied, in_line, log, quota, standing, take, tick, under_each, verdict};
use crate::conformance::subject::Subject;
use crate::error::ErrorKind;
use crate::quota::{Algorithm, Quota};
use crate::store::{Action, Cause, Operation, Outcome, Reply, Standing, Verdict};

/// Answers come in the order of the operations, whatever their keys and kinds.
pub fn each_operation_has_its_outcome_in_its_place(subject: &Subject) {
    let hourly = log("2/h");
    let look = Action::Peek { quota: &hourly };
    let outcomes = subject.submit(&[
        take("a", &hourly, 1, 10),
        take("b", &hourly, 2, 20),
        Operation::new("a", look).at(tick(30)),
        take("a", &hourly, 1, 40),
        take("a", &hourly, 1, 50),
        Operation::new("b", Action::Penalize { quota: &hourly, units: 7 }).at(tick(60)),
        Operation::new("c", Action::Hold { quota: &hourly, duration: Duration::from_micros(5) }).at(tick(70)),
        take("c", &hourly, 3, 80),
        Operation::new("b", Action::Reset).at(tick(90)),
    ]);
    assert_eq!(admitted(verdict(&outcomes[0])).tick, tick(10));
    assert_eq!(admitted(verdict(&outcomes[1])).weight, 2);
    assert!(matches!(&outcomes[2], Ok(Reply::Peeked(snapshot)) if snapshot.usage[0].used == 1), "{:?}", outcomes[2]);
    assert_eq!(admitted(verdict(&outcomes[3])).tick, tick(40));
    assert_eq!(denied(verdict(&outcomes[4])).retry_at, tick(10 + 3_600_000_001));
    assert!(matches!(outcomes[5], Ok(Reply::Penalized(at)) if at == tick(60)), "{:?}", outcomes[5]);
    assert!(matches!(outcomes[6], Ok(Reply::Held(until)) if until == tick(75)), "{:?}", outcomes[6]);
    assert_eq!(verdict(&outcomes[7]), Verdict::NeverFits { rate: 0 });
    assert!(matches!(outcomes[8], Ok(Reply::Reset(true))), "{:?}", outcomes[8]);
    assert!(subject.submit(&[]).is_empty());
}

/// An operation that fails leaves no trace and spoils none beside it, on its own key or on another.
pub fn promise_8_an_operation_that_fails_spoils_no_other(subject: &Subject) {
    let (mine, other) = (log("3/h"), quota(Algorithm::Gcra, "3/h"));
    let outcomes = subject.submit(&[
        take("good", &mine, 1, 10),
        take("good", &other, 1, 11),
        take("good", &mine, 1, 12),
        take("fine", &other, 1, 13),
        Operation::new("good", Action::Penalize { quota: &other, units: 9 }).at(tick(14)),
        Operation::new("good", Action::Peek { quota: &mine }).at(tick(15)),
    ]);
    let failed = |outcome: &Outcome| matches!(outcome, Err(error) if error.kind() == ErrorKind::AlgorithmMismatch);
    assert!(failed(&outcomes[1]) && failed(&outcomes[4]), "{outcomes:?}");
    let sequences = [0, 2].map(|place| admitted(verdict(&outcomes[place])).sequence);
    assert_eq!(sequences[1], sequences[0] + 1);
    admitted(verdict(&outcomes[3]));
    assert!(matches!(&outcomes[5], Ok(Reply::Peeked(snapshot)) if snapshot.usage[0].used == 2), "{outcomes:?}");
}

/// Whoever is denied, never fits or fails is not to be seen afterwards, in no rate of the list and in no list of
/// buckets.
pub fn promise_3_a_denied_request_leaves_no_trace(subject: &Subject) {
    for quota in under_each("3/s, 5/min, 7/h") {
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &quota, 2, 1_000_000)));
        let before = subject.look(&key, &quota, Some(tick(1_000_001)));
        assert_eq!(before.usage.iter().map(|usage| usage.used).collect::<Vec<_>>(), [2, 2, 2], "under {quota}");
        for _ in 0..20 {
            denied(subject.acquire(&take(&key, &quota, 3, 1_000_001)));
            assert_eq!(subject.acquire(&take(&key, &quota, 4, 1_000_001)), Verdict::NeverFits { rate: 0 });
        }
        assert_eq!(subject.look(&key, &quota, Some(tick(1_000_001))), before, "under {quota}");
        let next = admitted(subject.acquire(&take(&key, &quota, 1, 1_000_001)));
        assert_eq!(next.sequence, 3, "under {quota}");
        let unknown = subject.fresh_key();
        assert_eq!(subject.acquire(&Operation::acquire(&unknown, &quota, 9)), Verdict::NeverFits { rate: 0 });
        assert!(subject.list(&unknown, 10).is_empty());
    }
}

/// Requests in line on a key are served up to the first that does not fit; nobody else is kept waiting.
pub fn promise_5_requests_in_line_are_served_up_to_the_first_misfit(subject: &Subject) {
    let hourly = log("5/h");
    let outcomes = subject.submit(&[
        in_line("a", &hourly, 3),
        in_line("a", &hourly, 6),
        in_line("a", &hourly, 3),
        in_line("b", &hourly, 5),
        in_line("a", &hourly, 1),
        Operation::acquire("a", &hourly, 1),
        in_line("b", &hourly, 1),
        in_line("c", &hourly, 1),
        in_line("a", &hourly, 1),
    ]);
    let verdicts: Vec<_> = outcomes.iter().map(verdict).collect();
    admitted(verdicts[0]);
    assert_eq!(verdicts[1], Verdict::NeverFits { rate: 0 }, "holds up nobody");
    let misfit = denied(verdicts[2]);
    assert_eq!(misfit.cause, Cause::Full);
    for place in [4, 8] {
        let queued = denied(verdicts[place]);
        assert_eq!(queued.cause, Cause::Queued);
        assert!(queued.retry_at > queued.now && queued.retry_at <= misfit.retry_at, "a lower bound: {queued:?}");
    }
    admitted(verdicts[3]);
    admitted(verdicts[5]);
    assert_eq!(denied(verdicts[6]).cause, Cause::Full);
    admitted(verdicts[7]);
    // The next batch is another line.
    admitted(subject.acquire(&in_line("a", &hourly, 1)));
}

/// Who is in line without waiting is held up by those who wait, and holds up nobody.
pub fn promise_5_requests_that_do_not_wait_pass_nobody_and_hold_up_nobody(subject: &Subject) {
    let hourly = log("5/h");
    let (waiting, passing) = (Standing::Waiting, Standing::Passing);
    let outcomes = subject.submit(&[
        standing(passing, "a", &hourly, 3),
        standing(passing, "a", &hourly, 3),
        standing(passing, "a", &hourly, 1),
        standing(waiting, "a", &hourly, 3),
        standing(passing, "a", &hourly, 1),
        standing(waiting, "a", &hourly, 1),
        standing(Standing::Alone, "a", &hourly, 1),
        standing(passing, "b", &hourly, 5),
    ]);
    let verdicts: Vec<_> = outcomes.iter().map(verdict).collect();
    admitted(verdicts[0]);
    assert_eq!(denied(verdicts[1]).cause, Cause::Full);
    admitted(verdicts[2]);
    assert_eq!(denied(verdicts[3]).cause, Cause::Full);
    assert_eq!([4, 5].map(|place| denied(verdicts[place]).cause), [Cause::Queued; 2]);
    admitted(verdicts[6]);
    admitted(verdicts[7]);
}

/// Nothing comes between operations that stand next to each other on one key.
pub fn a_run_on_one_key_is_atomic(subject: &Subject) {
    const RUNS: usize = 100;
    let plenty = log("1000000/h");
    let work = || {
        for _ in 0..RUNS {
            let look = Operation::new("shared", Action::Peek { quota: &plenty });
            let step = Operation::acquire("shared", &plenty, 2);
            let outcomes = subject.submit(&[look, step, step, Operation::acquire("own", &plenty, 1), look, step, look]);
            let [first, second, third] = [1, 2, 5].map(|place| admitted(verdict(&outcomes[place])));
            assert_eq!(second.sequence, first.sequence + 2, "{outcomes:?}");
            assert_eq!(
                (used(&outcomes[4]) + 2, third.sequence),
                (used(&outcomes[6]), used(&outcomes[6])),
                "{outcomes:?}"
            );
            assert_eq!(used(&outcomes[0]) + 2, first.sequence, "{outcomes:?}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
}

fn used(outcome: &Outcome) -> u64 {
    match outcome {
        Ok(Reply::Peeked(snapshot)) => snapshot.usage[0].used,
        other => panic!("{other:?} is no answer to a peek"),
    }
}

/// A batch on a key that is not there, of operations that need none, makes none.
pub fn what_needs_no_bucket_makes_none(subject: &Subject) {
    let hourly: Quota = log("5/h");
    let admission = admitted(subject.acquire(&Operation::acquire("there", &hourly, 1)));
    let outcomes = subject.submit(&[
        Operation::new("nobody", Action::Refund(admission)),
        Operation::new("nobody", Action::Reset),
        Operation::new("nobody", Action::Peek { quota: &hourly }),
    ]);
    assert!(matches!(outcomes[0], Ok(Reply::Refunded(0))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Ok(Reply::Reset(false))), "{outcomes:?}");
    assert!(matches!(&outcomes[2], Ok(Reply::Peeked(snapshot)) if snapshot.usage[0].remaining == 5), "{outcomes:?}");
    assert_eq!((subject.count(), subject.list("", 10)), (1, vec!["there".to_owned()]));
}
