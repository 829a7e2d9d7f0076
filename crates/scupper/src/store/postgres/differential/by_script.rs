//! What another client asks by the texts of a script, decided as the library does.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::BucketState;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::postgres::differential::server::Server;
use crate::store::postgres::script::{Applied, PostgresScript};
use crate::time::Timestamp;

const KEY: &str = "it's \"one\"";
const NOW: u64 = 1_790_000_000_000_000;

/// A client that has no types: each value goes as a text, and comes as one.
struct Client {
    server: Server,
    script: PostgresScript,
}

impl Client {
    fn new() -> Self {
        let server = Server::new();
        let script = server.script(KEY);
        Self { server, script }
    }

    fn ask(&self, sql: &str) -> String {
        self.server
            .ask(sql)
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten())
            .next_back()
            .unwrap_or_default()
    }

    /// The verdict of the function alone.
    fn acquire(&self, quota: &Quota, weight: u64) -> Option<Verdict> {
        let values = self.script.acquire(quota, weight);
        let sql = (1..).zip(&values).fold(self.script.acquire_sql(), |sql, (nth, value)| {
            sql.replace(&format!("${nth}"), &format!("'{value}'"))
        });
        self.script.verdict(quota, weight, &self.ask(&sql)).unwrap()
    }

    fn transact(&self, action: Action<'_>, at: Option<Timestamp>) -> Outcome {
        let bucket = self.ask(&self.script.begin_sql());
        let Applied { outcome, statements } = self.script.apply(action, at, &bucket).unwrap();
        self.server.ask(&format!("{statements}COMMIT"));
        outcome
    }

    fn look(&self, quota: &Quota) -> Outcome {
        self.script.apply(Action::Peek { quota }, None, &self.ask(&self.script.load_sql())).unwrap().outcome
    }
}

/// But for the sequence, which begins anew with a bucket that was idle.
fn plain(outcome: Outcome) -> Reply {
    match outcome.unwrap() {
        Reply::Acquired(Verdict::Admitted(mut admission)) => {
            admission.sequence = 0;
            Reply::Acquired(Verdict::Admitted(admission))
        }
        reply => reply,
    }
}

const fn acquire(quota: &Quota, weight: u64) -> Action<'_> {
    Action::Acquire { quota, weight, standing: Standing::Alone }
}

#[test]
fn promises_1_to_4_who_asks_by_texts_is_answered_as_the_library_answers() {
    let client = Client::new();
    for algorithm in Algorithm::ALL {
        client.server.begin();
        let quotas = ["5/s, 90/min", "7/s, 100/min"].map(|rates| Quota::new(algorithm, rates).unwrap());
        let mut clock = NOW;
        let mut bucket = BucketState::new(&quotas[0], Timestamp::from_micros(clock));
        let (mut alone, mut together) = (0, 0);
        for step in 0..400_u64 {
            clock += 37_000 * (step * step % 11);
            client.server.turn(clock);
            let now = Timestamp::from_micros(clock);
            // Another list of rates now and then, which the function leaves to who sees the whole bucket.
            let (quota, weight) = (&quotas[usize::from(step % 40 > 30)], 1 + step % 3);
            let answer = client.acquire(quota, weight).map(|verdict| Ok(Reply::Acquired(verdict)));
            if answer.is_some() {
                alone += 1;
            } else {
                together += 1;
            }
            let answer = answer.unwrap_or_else(|| client.transact(acquire(quota, weight), None));
            let expected = bucket.apply(&Operation::new(KEY, acquire(quota, weight)), now);
            assert_eq!(plain(answer), plain(expected), "{algorithm}, step {step}");
            let seen = bucket.apply(&Operation::new(KEY, Action::Peek { quota }), now);
            assert_eq!(plain(client.look(quota)), plain(seen), "{algorithm}, step {step}");
            if step % 150 == 149 {
                assert_eq!(client.transact(Action::Reset, None).unwrap(), Reply::Reset(true));
                bucket.apply(&Operation::new(KEY, Action::Reset), now).unwrap();
            }
        }
        assert!(alone >= 30 && together >= 18, "{algorithm}: {alone} alone, {together} in transactions");
    }
}

#[test]
fn promises_1_to_4_a_callers_own_time_is_decided_as_the_library_does() {
    let client = Client::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "5/s").unwrap();
    client.server.turn(NOW);
    let mut bucket = BucketState::new(&quota, Timestamp::from_micros(NOW));
    for step in 0..200_u64 {
        let at = Timestamp::from_micros(50_000 * step);
        let answer = client.transact(acquire(&quota, 1), Some(at));
        let expected = bucket.apply(&Operation::new(KEY, acquire(&quota, 1)).at(at), Timestamp::from_micros(NOW));
        assert_eq!(plain(answer), plain(expected), "step {step}");
    }
    let last = client.ask(&client.script.load_sql());
    let taken = |place| client.script.taken_at(&quota, Some(Timestamp::from_micros(9_950_000)), &last, place).unwrap();
    let ticks: Vec<_> = (0..5).map_while(taken).collect();
    assert_eq!(ticks.len(), 5);
    assert!(ticks.is_sorted_by(|newer, older| newer > older), "{ticks:?}");
    assert_eq!(taken(5), None);
}
