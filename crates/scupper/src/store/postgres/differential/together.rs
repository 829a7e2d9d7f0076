//! Several at once.

use std::thread;

use scupper_testbed::{PostgresServer, Session, SharedPostgres, await_that};

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Standing;
use crate::store::postgres::differential::asked::{Answer, Entry, Run};
use crate::store::postgres::differential::server::{Server, answers, call};
use crate::store::postgres::id::Id;

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A verdict on what another call has.
const BUSY: i64 = 3;

fn sorted(mut runs: Vec<Run<'_>>) -> Vec<Run<'_>> {
    runs.sort_by_key(|run| Id::of(run.key));
    runs
}

fn one<'a>(key: &'static str, quota: &'a Quota) -> Run<'a> {
    Run { key, quota, entries: vec![Entry::one(1)] }
}

fn ask(session: &Session, server: &Server, runs: &[Run<'_>]) -> Vec<Vec<Answer>> {
    answers(runs, &session.ask(&server.within(&call(runs))).0)
}

/// Sessions at a server with the clock that it has.
fn real() -> (Server, Vec<Session>) {
    let server = Server::with_its_own_clock();
    (server, (0..4).map(|_| SharedPostgres::get().session()).collect())
}

/// Two first requests at once: the second waits, and sees what the first has made.
#[test]
fn promise_1_what_is_made_under_the_lock_is_seen_by_who_waited_for_it() {
    let (server, sessions) = real();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "1/h").unwrap();
        let runs = [one("a", &quota)];
        server.begin();
        sessions[0].ask("BEGIN");
        let first = ask(&sessions[0], &server, &runs);
        let waiting = format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = {}",
            sessions[1].ask("SELECT pg_backend_pid()").number()
        );
        let second = sessions[1].send(&server.within(&call(&runs)));
        await_that("the second waits for the lock", || sessions[2].ask(&waiting).number() > 0);
        sessions[0].ask("COMMIT");
        let second = answers(&runs, &second.answer().unwrap().0);
        assert_eq!(first[0][0][..2], [1, 1]);
        assert_eq!(second[0][0][..2], [1, 0]);
    }
}

/// Of several buckets, those that another call has are left, with nothing done; the others are decided.
#[test]
fn promise_1_what_another_has_is_busy_for_who_asks_for_several_buckets() {
    let (server, sessions) = real();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "1/h").unwrap();
        let (left, right) =
            (sorted(vec![one("a", &quota), one("b", &quota)]), sorted(vec![one("b", &quota), one("c", &quota)]));
        server.begin();
        sessions[0].ask("BEGIN");
        let first = ask(&sessions[0], &server, &left);
        let second = ask(&sessions[1], &server, &right);
        sessions[0].ask("COMMIT");
        assert!(first.iter().all(|answers| answers[0][..2] == [1, 1]), "{first:?}");
        for (run, answers) in right.iter().zip(&second) {
            let expected = if run.key == "b" { [BUSY, 0, 0, 0, 0, 0, 0, 0] } else { answers[0] };
            assert_eq!(answers[0], expected, "{}", run.key);
            assert!(run.key == "b" || answers[0][..2] == [1, 1], "{answers:?}");
        }
        let third = ask(&sessions[1], &server, &right);
        assert!(third.iter().all(|answers| answers[0][..2] == [1, 0]), "{third:?}");
    }
}

/// Who is not to wait for a bucket is told the same of a single one.
#[test]
fn promise_1_what_another_has_is_busy_for_who_asks_for_it_alone_and_may_not_wait() {
    let (server, sessions) = real();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "2/h").unwrap();
    let runs = [one("a", &quota)];
    let passing = server.within(&call(&runs)).replace(", true)", ", false)");
    let pass = || answers(&runs, &sessions[1].ask(&passing).0)[0][0];
    sessions[0].ask("BEGIN");
    ask(&sessions[0], &server, &runs);
    assert_eq!(pass(), [BUSY, 0, 0, 0, 0, 0, 0, 0]);
    sessions[0].ask("COMMIT");
    assert_eq!(pass()[..2], [1, 1]);
    assert_eq!(pass()[..2], [1, 0]);
}

/// Each with several buckets, in whatever order: nobody waits in a circle, and of no bucket is more given than there is.
#[test]
fn promises_1_and_2_all_is_given_and_no_more() {
    let (server, sessions) = real();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "97/100d").unwrap();
        server.begin();
        let given: Vec<[i64; KEYS.len()]> = thread::scope(|scope| {
            let threads: Vec<_> = sessions
                .iter()
                .enumerate()
                .map(|(nth, session)| {
                    let (server, quota) = (&server, &quota);
                    let text = move |runs: &[Run<'_>]| server.within(&call(runs));
                    scope.spawn(move || {
                        let mut given = [0; KEYS.len()];
                        for step in 0..60 {
                            let keys =
                                KEYS.iter().enumerate().filter(|(key, _)| (step * 7 + nth * 5) >> (key % 4) & 1 == 0);
                            let runs = sorted(
                                keys.map(|(_, key)| Run {
                                    key,
                                    quota,
                                    entries: vec![Entry { weight: 1, count: 2, standing: Standing::Alone }],
                                })
                                .collect(),
                            );
                            if runs.is_empty() {
                                continue;
                            }
                            let answers = answers(&runs, &session.ask(&text(&runs)).0);
                            for (run, mut answers) in runs.iter().zip(answers) {
                                if answers[0][0] == BUSY {
                                    answers = ask(session, server, std::slice::from_ref(run)).remove(0);
                                }
                                given[KEYS.iter().position(|key| *key == run.key).unwrap()] += answers[0][1];
                            }
                        }
                        given
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for key in 0..KEYS.len() {
            assert_eq!(given.iter().map(|given| given[key]).sum::<i64>(), 97, "{given:?}");
        }
    }
}

/// Elsewhere, what is read would be of before the lock.
#[test]
fn promise_1_no_call_is_carried_out_where_reads_are_of_the_past() {
    let (server, sessions) = real();
    let quota = Quota::new(Algorithm::Gcra, "1/h").unwrap();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        sessions[0].ask(&format!("BEGIN ISOLATION LEVEL {level}"));
        let refusal = sessions[0].try_ask(&server.within(&call(&[one("a", &quota)]))).unwrap_err();
        assert_eq!(refusal.code.as_deref(), Some("25000"), "{refusal}");
        sessions[0].ask("ROLLBACK");
    }
}

/// Whatever the session is set to.
#[test]
fn promise_6_the_clock_is_the_servers_in_any_time_zone_and_not_the_transactions() {
    let (server, sessions) = real();
    let clock = server.within("SELECT {s}.clock()");
    let seconds = server.within("SELECT {s}.clock() - (extract(epoch FROM now()) * 1000000)::bigint");
    sessions[0].ask("SET TimeZone = 'Pacific/Kiritimati'; BEGIN");
    let first = sessions[0].ask(&clock).number();
    let other = sessions[1].ask(&clock).number();
    assert!((first..first + 60_000_000).contains(&other), "{first} {other}");
    assert!(sessions[0].ask(&clock).number() > first);
    assert!(sessions[0].ask(&seconds).number() > 0);
    sessions[0].ask("ROLLBACK");
}

/// What shadows a name of Postgres' own is of no matter.
#[test]
fn names_that_a_session_finds_first_are_not_those_of_the_function() {
    let (server, sessions) = real();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    sessions[0].ask(&server.within(
        "CREATE FUNCTION {s}.cardinality(uuid[]) RETURNS int LANGUAGE sql RETURN 0; SET search_path = {s}, pg_catalog",
    ));
    let runs = [one("a", &quota)];
    assert_eq!(ask(&sessions[0], &server, &runs)[0][0][..2], [1, 1]);
    assert_eq!(ask(&sessions[0], &server, &runs)[0][0][..2], [1, 0]);
}

/// A role needs no more than to read and write rows.
#[test]
fn who_may_not_change_the_schema_may_use_it() {
    let postgres = PostgresServer::start();
    let session = |role| Session::connect(&postgres.url_as(role)).unwrap();
    let server = Server::of(session("scupper"), "limits");
    postgres.ask("CREATE ROLE guest LOGIN");
    let (guest, quota) = (session("guest"), Quota::new(Algorithm::SlidingWindowLog, "20/h").unwrap());
    let runs = [one("a", &quota)];
    assert_eq!(guest.try_ask(&server.within(&call(&runs))).unwrap_err().code.as_deref(), Some("42501"));
    server.ask(
        "GRANT USAGE ON SCHEMA {s} TO guest; GRANT SELECT, INSERT, UPDATE, DELETE ON {s}.bucket, {s}.chunk TO guest",
    );
    for _ in 0..20 {
        assert_eq!(ask(&guest, &server, &runs)[0][0][..2], [1, 1]);
    }
    let swept = guest.ask(&server.within("SELECT * FROM {s}.sweep('00000000-0000-0000-0000-000000000000', 10)"));
    assert_eq!(swept.0, [[None, Some("1".to_owned()), Some("0".to_owned())]]);
}
