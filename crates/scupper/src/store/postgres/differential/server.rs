//! A real server, in a time of the test's own.

use std::fmt::Write as _;

use scupper_testbed::{Session, SharedPostgres};

use crate::quota::Quota;
use crate::store::batch::Standing;
use crate::store::bucket::{Kind, numbers_of};
use crate::store::postgres::differential::asked::{Answer, Run};
use crate::store::postgres::differential::rows::{Rows, SELECT};
use crate::store::postgres::id::Id;
use crate::store::postgres::schema::Schema;

/// A clock that stands where it is put.
const CLOCK: &str = "CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE \
     RETURN current_setting('scupper_test.clock')::bigint;";

pub(super) struct Server {
    session: Session,
    schema: Schema,
}

impl Server {
    pub(super) fn new() -> Self {
        let postgres = SharedPostgres::get();
        let (session, schema) = (postgres.session(), Schema::new(&postgres.schema()).unwrap());
        session.ask(&schema.sql());
        session.ask(&schema.within(CLOCK));
        session.ask("SET synchronous_commit = off; SET client_min_messages = warning");
        Self { session, schema }
    }

    /// Leaves nothing of what was before.
    pub(super) fn begin(&self) {
        self.ask("DELETE FROM {s}.bucket; DELETE FROM {s}.chunk");
    }

    /// What it says to this, with its schema put in.
    pub(super) fn ask(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.session.ask(&self.schema.within(sql)).0
    }

    /// The answers to each run, and what is there of each bucket afterwards.
    pub(super) fn decide(&self, clock: u64, runs: &[Run<'_>]) -> Vec<(Vec<Answer>, Option<Rows>)> {
        let call = format!("SELECT set_config('scupper_test.clock', '{clock}', false); SELECT {}; ", call(runs));
        let call = runs.iter().fold(call, |call, run| format!("{call}{};", select(run.key)));
        let mut rows = self.ask(&call).into_iter();
        let answers = rows.nth(1).unwrap()[0].clone().unwrap();
        let mut answers = answers.trim_matches(['{', '}']).split(',').map(|number| number.parse::<i64>().unwrap());
        let mut answer = || std::array::from_fn(|_| answers.next().unwrap());
        let decided: Vec<Vec<Answer>> = runs.iter().map(|run| run.entries.iter().map(|_| answer()).collect()).collect();
        assert!(answers.next().is_none(), "eight numbers an entry: {answers:?}");
        decided.into_iter().zip(rows.map(|row| row[0].is_some().then(|| Rows::read(&row[..])))).collect()
    }

    /// What is there of a bucket.
    pub(super) fn rows(&self, key: &str) -> Option<Rows> {
        let row = self.ask(&select(key)).remove(0);
        row[0].is_some().then(|| Rows::read(&row))
    }

    /// Writes these rows in place of those that are there.
    pub(super) fn save(&self, key: &str, rows: &Rows) {
        let (id, key) = (Id::of(key), bytea(key));
        let mut sql = format!(
            "DELETE FROM {{s}}.chunk WHERE bucket = '{id}'; DELETE FROM {{s}}.bucket WHERE id = '{id}'; \
             INSERT INTO {{s}}.bucket (id, key, idle_from, head, recent, base, spilled, first, last, in_last, slots) \
             VALUES ('{id}', '{key}', {}, '{}', '{}', {}, {}, {}, {}, {}, {});",
            rows.idle_from.min(i64::MAX.cast_unsigned()),
            array(rows.head.iter().map(|number| number.cast_signed())),
            flat(&rows.recent),
            rows.base,
            rows.spilled,
            rows.first,
            rows.last,
            rows.in_last,
            rows.slots
        );
        for chunk in &rows.chunks {
            let (slot, number, starts, events) = (chunk.slot, chunk.number, chunk.starts, flat(&chunk.events));
            write!(sql, "INSERT INTO {{s}}.chunk VALUES ('{id}', {slot}, {number}, {starts}, '{events}');").unwrap();
        }
        self.ask(&sql);
    }
}

/// A row in any case: nothing but nulls where there is no bucket.
fn select(key: &str) -> String {
    format!("SELECT b.* FROM (SELECT) AS one LEFT JOIN ({SELECT} WHERE b.id = '{}') AS b ON true", Id::of(key))
}

fn call(runs: &[Run<'_>]) -> String {
    let ids = array(runs.iter().map(|run| Id::of(run.key)));
    let keys = array(runs.iter().map(|run| format!("\"\\{}\"", bytea(run.key))));
    let (mut quotas, mut quota_of) = (Vec::new(), Vec::new());
    for run in runs {
        quota_of.push(quotas.len() + 1);
        let numbers = numbers(run.quota);
        quotas.push(numbers.len() as u64);
        quotas.extend(numbers);
    }
    let entries = || runs.iter().zip(1..).flat_map(|(run, of)| run.entries.iter().map(move |entry| (of, entry)));
    let standings = entries().map(|(_, entry)| match entry.standing {
        Standing::Alone => 0,
        Standing::Passing => 1,
        Standing::Waiting => 2,
    });
    format!(
        "{{s}}.decide('{ids}', '{keys}', '{}', '{}', '{}', '{}', '{}', '{}')",
        array(quota_of),
        array(quotas),
        array(entries().map(|(of, _)| of)),
        array(entries().map(|(_, entry)| entry.weight)),
        array(entries().map(|(_, entry)| entry.count)),
        array(standings),
    )
}

fn numbers(quota: &Quota) -> Vec<u64> {
    let kind = Kind { algorithm: quota.algorithm(), has_own_time: false, rates: quota.rates().len(), others: 0 };
    [kind.to_number()].into_iter().chain(quota.rates().iter().flat_map(numbers_of)).collect()
}

fn array<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    format!("{{{}}}", items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(","))
}

fn flat(events: &[(u64, u64)]) -> String {
    array(events.iter().flat_map(|(tick, total)| [tick, total]))
}

fn bytea(key: &str) -> String {
    key.bytes().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
