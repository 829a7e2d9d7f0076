//! What it prints makes a schema, which stores then use.

use std::process::{Command, Stdio};

use scupper::{Limiter, PostgresStore};
use scupper_testbed::SharedPostgres;

use crate::common::{Ended, Running};

fn schema(args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scupper"));
    command.arg("schema").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::new(&mut command).end()
}

#[test]
fn what_it_prints_makes_the_schema_again_and_again() {
    let postgres = SharedPostgres::get();
    let name = postgres.schema();
    let ended = schema(&["postgres", "--schema", &name]);
    assert_eq!((ended.code(), ended.errors.as_str()), (Some(0), ""));
    let sql = String::from_utf8(ended.output).unwrap();
    assert_eq!(sql, PostgresStore::schema_sql(&name).unwrap());
    for _ in 0..2 {
        postgres.session().ask(&sql);
    }
    let store = PostgresStore::builder(postgres.url()).schema(&name).connect_blocking().unwrap();
    let limiter = Limiter::builder().rates(["1/h".parse().unwrap()]).store(store).build().unwrap();
    assert!(limiter.try_acquire("a").unwrap().is_admitted());
    postgres.session().ask(&sql);
    assert!(!limiter.try_acquire("a").unwrap().is_admitted(), "what was taken stays taken");
}

#[test]
fn without_a_name_it_is_that_of_a_store_without_one() {
    let sql = String::from_utf8(schema(&["postgres"]).output).unwrap();
    assert_eq!(sql, PostgresStore::schema_sql(PostgresStore::DEFAULT_SCHEMA).unwrap());
}

#[test]
fn what_makes_no_sense_is_said() {
    for (args, says) in [
        (&["postgres", "--schema", ""][..], "--schema: the name of the schema has 0 bytes"),
        (&["postgres", "--schema", "a$b"], "neither $ nor control characters"),
        (&["mysql"], "possible values: postgres"),
        (&[], "<STORE>"),
    ] {
        let ended = schema(args);
        assert_eq!(ended.code(), Some(2), "{args:?}: {ended:?}");
        assert!(ended.errors.contains(says) && ended.output.is_empty(), "{args:?}: {ended:?}");
    }
}

#[test]
fn help_tells_the_rights_that_a_role_needs() {
    let help = String::from_utf8(schema(&["--help"]).output).unwrap();
    for words in
        ["GRANT USAGE ON SCHEMA", "scupper.bucket, scupper.chunk", "Exit status:", "| psql -v ON_ERROR_STOP=1 "]
    {
        assert!(help.contains(words), "{words:?} in {help}");
    }
}

#[test]
fn output_that_nobody_reads_ends_it_by_the_signal_that_says_so() {
    let command = format!("{} schema postgres | true; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_scupper"));
    // Whether it had written all before that is up to the two.
    let ended = Running::new(Command::new("bash").args(["-c", &command]).stdout(Stdio::piped())).end();
    let status = String::from_utf8(ended.output).unwrap();
    assert!(["0\n", "141\n"].contains(&status.as_str()), "{status}");
}
