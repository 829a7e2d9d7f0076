//! The schema is made once, by whoever comes first and may; under any name.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::{env, thread};

use scupper::{ErrorKind, Limiter, PostgresStore};
use scupper_testbed::{PostgresServer, Session, SharedPostgres, await_that};
use support::HOUR;
use support::postgres::{admits, list_all, patient, refused, without_hurry};
use support::process::Process;

const URL: &str = "SCUPPER_TEST_SCHEMA_URL";
const TOGETHER: &str = "processes_that_come_for_the_schema_at_once_all_find_it";

/// A URL of the server that all tests share, for this schema.
fn url(schema: &str) -> String {
    let url = SharedPostgres::get().url();
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}connect_timeout=10&schema={schema}")
}

#[test]
fn processes_that_come_for_the_schema_at_once_all_find_it() {
    if let Ok(url) = env::var(URL) {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let store = PostgresStore::connect_blocking(&url).unwrap();
        return admits(&patient("8/h", &store), "user:42");
    }
    for processes in [2, 8] {
        let url = url(&SharedPostgres::get().schema());
        let start = |_| Process::start(TOGETHER, &[(URL, url.as_ref())]);
        let mut started: Vec<Process> = (0..processes).map(start).collect();
        started.iter_mut().for_each(Process::end_input);
        started.into_iter().for_each(Process::ends_well);
        let limiter = patient("8/h", &PostgresStore::open(&url).unwrap());
        assert_eq!(limiter.peek("user:42").unwrap().usage[0].used, processes);
    }
}

#[test]
fn threads_that_come_for_the_schema_at_once_all_find_it() {
    for _ in 0..3 {
        let url = url(&SharedPostgres::get().schema());
        thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    let store = PostgresStore::connect_blocking(&url).unwrap();
                    admits(&patient("8/h", &store), "user:42");
                });
            }
        });
    }
}

#[test]
fn the_sql_that_is_printed_can_be_run_again_while_the_schema_is_in_use() {
    let schema = SharedPostgres::get().schema();
    let limiter = patient("1000/h", &PostgresStore::open(&url(&schema)).unwrap());
    let session = SharedPostgres::get().session();
    for _ in 0..3 {
        admits(&limiter, "user:42");
        session.ask(&PostgresStore::schema_sql(&schema).unwrap());
    }
    admits(&limiter, "user:42");
    assert_eq!(limiter.peek("user:42").unwrap().usage[0].used, 4);
}

#[test]
fn the_sql_waits_for_nobody_who_reads_the_tables_when_it_is_run_again() {
    let schema = SharedPostgres::get().schema();
    PostgresStore::connect_blocking(&url(&schema)).unwrap();
    let (reader, owner) = (SharedPostgres::get().session(), SharedPostgres::get().session());
    reader.ask(&format!("BEGIN; SELECT * FROM {schema}.bucket; SELECT * FROM {schema}.chunk"));
    owner.ask(&PostgresStore::schema_sql(&schema).unwrap());
    reader.ask("COMMIT");
}

#[test]
fn the_sql_means_the_functions_of_postgres_whatever_the_search_path_of_who_runs_it() {
    let schema = SharedPostgres::get().schema();
    let (others, session) = (SharedPostgres::get().schema(), SharedPostgres::get().session());
    session.ask(&format!(
        "CREATE SCHEMA {others}; CREATE FUNCTION {others}.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
         AS $$ SELECT 'epoch'::timestamptz $$; SET search_path = {others}, pg_catalog"
    ));
    session.ask(&PostgresStore::schema_sql(&schema).unwrap());
    assert!(session.ask(&format!("SELECT {schema}.clock()")).number() > 1_000_000_000_000_000);
}

/// Everything that a store does.
fn works(limiter: &Limiter, key: &str) {
    for _ in 0..40 {
        admits(limiter, key);
    }
    assert_eq!(limiter.refund(limiter.acquire(key).unwrap()).unwrap(), 1);
    limiter.penalize(key, 2).unwrap();
    assert_eq!(limiter.peek(key).unwrap().usage[0].used, 42);
    limiter.hold(key, HOUR).unwrap();
    assert!(!limiter.try_acquire(key).unwrap().is_admitted());
    assert_eq!(list_all(limiter, 10).unwrap(), [key]);
    assert!(limiter.reset(key).unwrap());
}

/// A server with a role that may make nothing.
fn with_guest() -> (PostgresServer, String) {
    let server = PostgresServer::start();
    server.ask("CREATE ROLE guest LOGIN");
    let url = format!("{}?connect_timeout=10&schema=limits", server.url_as("guest"));
    (server, url)
}

#[test]
fn a_role_that_may_make_nothing_is_told_what_to_run_and_works_when_that_was_run() {
    let (server, url) = with_guest();
    let error = PostgresStore::connect_blocking(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    let database = server.ask("SELECT current_database()").text();
    let command = format!("`scupper schema postgres --schema \"limits\" | psql -v ON_ERROR_STOP=1 -d {database:?}`");
    assert!(error.message().contains(&command), "{error}");
    let (_, grants) = error.message().split_once("and then: ").unwrap();
    assert_eq!(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'limits'").number(), 0);

    Session::connect(&server.url()).unwrap().ask(&PostgresStore::schema_sql("limits").unwrap());
    server.ask("GRANT USAGE ON SCHEMA limits TO guest");
    let limiter = patient("1000/200ms", &PostgresStore::open(&url).unwrap());
    let error = refused(limiter.try_acquire("user:42"));
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains("GRANT SELECT, INSERT, UPDATE, DELETE ON"), "{error}");

    server.ask(grants);
    let store = PostgresStore::connect_blocking(&url).unwrap();
    works(&patient("1000/h", &store), "user:42");
    let limiter = patient("1000/200ms", &store);
    for number in 0..100 {
        admits(&limiter, &format!("user:{number}"));
    }
    await_that("idle rows leave", || server.ask("SELECT count(*) FROM limits.bucket").number() <= 1);
}

/// All that a store calls, whoever calls it first.
const FUNCTIONS: &str =
    "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'limits'::regnamespace AND proname <> 'version'";

/// As the schema of an earlier build of the same version is.
#[test]
fn a_function_that_is_missing_is_made_by_who_may() {
    let server = PostgresServer::start();
    let url = format!("{}?connect_timeout=10&schema=limits", server.url());
    admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
    for function in server.ask(FUNCTIONS).column() {
        server.ask(&format!("DROP FUNCTION {function} CASCADE"));
        admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
        let found = server.ask(&format!("SELECT to_regprocedure('{function}') IS NOT NULL"));
        assert_eq!(found.text(), "t", "{function}");
    }
    assert_eq!(server.ask("SELECT count(*) FROM limits.bucket").number(), 1, "what was counted is there");
}

#[test]
fn a_function_that_is_missing_is_told_of_when_a_role_connects_that_may_not_make_it() {
    let (server, url) = with_guest();
    let owner = Session::connect(&server.url()).unwrap();
    let sql = PostgresStore::schema_sql("limits").unwrap();
    owner.ask(&sql);
    server.ask("GRANT USAGE ON SCHEMA limits TO guest; GRANT ALL ON limits.bucket, limits.chunk TO guest");
    PostgresStore::connect_blocking(&url).unwrap();
    for function in server.ask(FUNCTIONS).column() {
        server.ask(&format!("DROP FUNCTION {function} CASCADE"));
        let error = PostgresStore::connect_blocking(&url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{function}: {error}");
        assert!(error.message().contains("scupper schema postgres --schema"), "{function}: {error}");
        owner.ask(&sql);
        PostgresStore::connect_blocking(&url).unwrap();
    }
}

#[test]
fn a_role_without_the_right_to_use_the_schema_is_told_which_it_lacks() {
    let (server, url) = with_guest();
    Session::connect(&server.url()).unwrap().ask(&PostgresStore::schema_sql("limits").unwrap());
    let error = PostgresStore::connect_blocking(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains("USAGE"), "{error}");
}

#[test]
fn a_schema_may_have_any_name() {
    let long = "x".repeat(63);
    let session = SharedPostgres::get().session();
    let unique = SharedPostgres::get().schema();
    let unique = &unique[unique.len() - 12..];
    for name in ["a\"b", "a'b", "a b; DROP TABLE x; --", "Ümlaut", "UPPER", "select", "{s}", "a.b", "%s \\ /* x", &long]
    {
        let name = format!("{name}{unique}");
        let name = if name.len() > 63 { long.clone() } else { name };
        let store = without_hurry(PostgresStore::builder(SharedPostgres::get().url()))
            .schema(&name)
            .connect_blocking()
            .unwrap();
        works(&patient("1000/h", &store), "user:42");
        let literal = name.replace('\'', "''");
        let found = session.ask(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{literal}'"));
        assert_eq!(found.number(), 1, "{name}");
        session.ask(&format!("DROP SCHEMA \"{}\" CASCADE", name.replace('"', "\"\"")));
    }
}

#[test]
fn a_schema_is_named_in_a_url_with_whatever_is_special_there_written_as_elsewhere() {
    let schema = SharedPostgres::get().schema();
    let store = PostgresStore::connect_blocking(&url(&format!("{schema}%22%20%26%3D"))).unwrap();
    admits(&patient("1/h", &store), "user:42");
    let name = format!("{schema}\" &=");
    let session = SharedPostgres::get().session();
    assert_eq!(session.ask(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{name}'")).number(), 1);
}

#[test]
fn a_name_that_no_schema_can_have_is_refused() {
    for name in ["", "a\0b", &"x".repeat(64)] {
        let error = PostgresStore::builder(SharedPostgres::get().url()).schema(name).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert_eq!(PostgresStore::schema_sql(name).unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}

#[test]
fn schemas_beside_each_other_share_nothing() {
    let limiters = [(); 2].map(|()| {
        let url = url(&SharedPostgres::get().schema());
        patient("1/h", &PostgresStore::open(&url).unwrap())
    });
    for limiter in &limiters {
        admits(limiter, "user:42");
    }
    limiters[0].reset("user:42").unwrap();
    assert!(!limiters[1].try_acquire("user:42").unwrap().is_admitted());
}

#[test]
fn a_schema_of_another_version_is_left_alone_with_an_error() {
    let schema = SharedPostgres::get().schema();
    let session = SharedPostgres::get().session();
    let store = PostgresStore::connect_blocking(&url(&schema)).unwrap();
    admits(&patient("5/h", &store), "user:42");
    session.ask(&format!("CREATE OR REPLACE FUNCTION {schema}.version() RETURNS int LANGUAGE sql AS 'SELECT 2'"));
    let error = PostgresStore::connect_blocking(&url(&schema)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains('2') && error.message().contains('1'), "{error}");
    let by_hand = session.try_ask(&PostgresStore::schema_sql(&schema).unwrap());
    assert!(by_hand.is_err(), "it is not made over the other version");
    session.ask("ROLLBACK");
    assert_eq!(session.ask(&format!("SELECT {schema}.version()")).number(), 2);
    assert_eq!(session.ask(&format!("SELECT count(*) FROM {schema}.bucket")).number(), 1);
}

#[test]
fn tables_of_somebody_else_in_the_schema_are_left_alone_with_an_error() {
    let schema = SharedPostgres::get().schema();
    let session = SharedPostgres::get().session();
    session.ask(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.bucket AS SELECT 'mine' AS what"));
    let error = PostgresStore::connect_blocking(&url(&schema)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert_eq!(session.ask(&format!("SELECT what FROM {schema}.bucket")).column(), ["mine"]);
}

#[test]
fn the_tables_of_the_reference_in_the_same_database_are_left_alone() {
    let server = PostgresServer::start();
    let theirs = Session::connect(&server.url()).unwrap();
    server.ask("GRANT ALL ON SCHEMA public TO scupper");
    // As it makes them, for buckets of these names.
    for name in ["ratelimit___bucket", "ratelimit___chunk", "bucket", "chunk"] {
        theirs.ask(&format!(
            "CREATE TABLE {name} (name varchar, weight smallint, item_timestamp timestamp); \
             CREATE INDEX timestampindex_{name} ON {name} (item_timestamp); \
             INSERT INTO {name} SELECT 'key', 1, now() FROM generate_series(1, 7)"
        ));
    }
    // Who has written a row, and who has locked it; and of tables and indexes, who has changed them.
    let state = || {
        let rows = ["ratelimit___bucket", "ratelimit___chunk", "bucket", "chunk"]
            .map(|name| server.ask(&format!("SELECT ctid, xmin, xmax, one.* FROM public.{name} AS one ORDER BY ctid")));
        let namespace = "'public'::regnamespace ORDER BY oid";
        let tables = format!("SELECT oid, xmin, relname, relfilenode FROM pg_class WHERE relnamespace = {namespace}");
        let functions = format!("SELECT oid, xmin, proname FROM pg_proc WHERE pronamespace = {namespace}");
        (rows, server.ask(&tables), server.ask(&functions))
    };
    let before = state();
    assert!(before.0.iter().all(|rows| rows.0.len() == 7) && before.1.0.len() == 8, "{before:?}");
    let store = PostgresStore::connect_blocking(&format!("{}?connect_timeout=10", server.url())).unwrap();
    works(&patient("1000/h", &store), "key");
    assert_eq!(state(), before);
    assert_eq!(server.ask("SELECT count(*) FROM scupper.bucket").number(), 1);
}
