//! What owes nothing leaves by itself, and nothing else does.

use std::time::Duration;

use crate::conformance::kit::{admitted, denied, log, quota, under_each};
use crate::conformance::subject::Subject;
use crate::quota::{Algorithm, Quota};
use crate::store::{Action, Operation, Reply};

/// Nobody asks for them again, and soon nothing is left of them.
pub fn promise_7_idle_buckets_leave_by_themselves(subject: &Subject) {
    for quota in under_each("5/200ms") {
        for place in 0..100 {
            let key = format!("{}-{place}", quota.algorithm());
            admitted(subject.acquire(&Operation::acquire(&key, &quota, 1 + place % 5)));
        }
    }
    // They are counted before they are listed: a store that looks for them when it is asked does not do so by itself.
    all_leave(subject);
    assert!(subject.list("", 64).is_empty(), "{:?} are still listed", subject.list("", 64));
}

/// Without being asked for.
fn all_leave(subject: &Subject) {
    assert!(
        subject.passes_until(|| subject.count() == 0),
        "{} idle buckets are still kept, though time has passed; nobody asks for them: have the store look for them by itself, at an \
         alarm of its clock that it sets by Timer::remind_at",
        subject.count()
    );
}

/// A bucket that owes anything is kept while others leave around it, and what it owes is kept with it.
pub fn promise_7_a_bucket_that_owes_is_kept(subject: &Subject) {
    let short = log("1/50ms");
    for quota in under_each("3/4w") {
        let key = format!("owes-{}", quota.algorithm());
        admitted(subject.acquire(&Operation::acquire(&key, &quota, 3)));
        for place in 0..50 {
            admitted(subject.acquire(&Operation::acquire(&format!("idle-{key}-{place}"), &short, 1)));
        }
    }
    assert!(subject.passes_until(|| subject.list("idle", 10).is_empty() && subject.count() == 3));
    assert_eq!(subject.list("owes", 10).len(), 3);
    for quota in under_each("3/4w") {
        denied(subject.acquire(&Operation::acquire(&format!("owes-{}", quota.algorithm()), &quota, 3)));
    }
}

/// A hold outlives the windows of its bucket, and ends.
pub fn promise_7_a_held_bucket_is_kept_until_its_hold_ends(subject: &Subject) {
    let short = log("1/50ms");
    let hold = |key, duration| Operation::new(key, Action::Hold { quota: &short, duration });
    subject.reply(&hold("long", Duration::from_hours(24)));
    subject.reply(&hold("brief", Duration::from_millis(300)));
    admitted(subject.acquire(&Operation::acquire("idle", &short, 1)));
    assert!(subject.passes_until(|| subject.list("", 10) == ["long"] && subject.count() == 1));
    denied(subject.acquire(&Operation::acquire("long", &short, 1)));
    admitted(subject.acquire(&Operation::acquire("brief", &short, 1)));
}

/// The debt of a penalty is as good as any other.
pub fn promise_7_a_penalty_is_kept_until_it_is_paid(subject: &Subject) {
    let evenly = quota(Algorithm::Gcra, "1/50ms");
    let days = u64::try_from(Duration::from_hours(48).as_millis() / 50).unwrap();
    let penalize = |key, units| Operation::new(key, Action::Penalize { quota: &evenly, units });
    subject.reply(&penalize("deep", days));
    subject.reply(&penalize("shallow", 5));
    assert!(subject.passes_until(|| subject.list("", 10) == ["deep"] && subject.count() == 1));
    let wait = denied(subject.acquire(&Operation::acquire("deep", &evenly, 1)));
    assert!(wait.retry_at.since(wait.now) > Duration::from_hours(40), "{wait:?}");
}

/// A bucket that two lists of rates use is kept for the longer of them, whoever used it last.
pub fn promise_7_the_longest_retention_that_any_list_asked_for_holds(subject: &Subject) {
    let (short, long) = (log("100/50ms"), log("100/50ms, 102/2d"));
    admitted(subject.acquire(&Operation::acquire("shared", &long, 50)));
    admitted(subject.acquire(&Operation::acquire("shared", &short, 50)));
    admitted(subject.acquire(&Operation::acquire("idle", &short, 1)));
    assert!(subject.passes_until(|| subject.list("", 10) == ["shared"] && subject.count() == 1));
    admitted(subject.acquire(&Operation::acquire("shared", &short, 2)));
    assert_eq!(denied(subject.acquire(&Operation::acquire("shared", &long, 1))).rate, Some(1));
}

/// What was reset or given back whole owes nothing: it is not listed, and leaves.
pub fn promise_7_buckets_that_were_reset_or_given_back_leave_too(subject: &Subject) {
    for quota in under_each("5/400ms") {
        let reset = subject.fresh_key();
        // On a machine that stands still in between, there may be nothing to forget any more.
        let forgets = |_| {
            admitted(subject.acquire(&Operation::acquire(&reset, &quota, 2)));
            subject.reply(&Operation::new(&reset, Action::Reset)) == Reply::Reset(true)
        };
        assert!((0..10).any(forgets), "there was nothing to forget of {reset}");
        assert_eq!(subject.reply(&Operation::new(&reset, Action::Reset)), Reply::Reset(false), "nothing is left");
        assert!(subject.list(&reset, 10).is_empty(), "{reset} owes nothing");
        let returned = subject.fresh_key();
        give_and_take(subject, &returned, &quota);
    }
    all_leave(subject);
}

fn give_and_take(subject: &Subject, key: &str, quota: &Quota) {
    let admission = admitted(subject.acquire(&Operation::acquire(key, quota, 2)));
    let Reply::Refunded(back) = subject.reply(&Operation::new(key, Action::Refund(admission))) else {
        panic!("no answer to a refund");
    };
    assert!(back <= 2);
    if back == 2 {
        assert!(subject.list(key, 10).is_empty(), "{key} owes nothing");
    }
}
