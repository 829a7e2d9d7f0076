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
use crate::store::postgres::script::PostgresScript;

/// A clock that stands where it is put.
const CLOCK: &str = "CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE \
     RETURN current_setting('scupper_test.clock')::bigint;";

pub(super) struct Server {
    session: Session,
    schema: Schema,
}

impl Server {
    pub(super) fn new() -> Self {
        let server = Self::with_its_own_clock();
        server.stand_still();
        server
    }

    /// From now on its clock is put, and does not go by itself.
    pub(super) fn stand_still(&self) {
        self.ask(CLOCK);
    }

    pub(super) fn with_its_own_clock() -> Self {
        let postgres = SharedPostgres::get();
        Self::of(postgres.session(), &postgres.schema())
    }

    pub(super) fn of(session: Session, schema: &str) -> Self {
        let schema = Schema::new(schema).unwrap();
        session.ask("SET synchronous_commit = off");
        session.ask(&schema.sql());
        Self { session, schema }
    }

    /// What to ask about a bucket here by texts.
    pub(super) fn script(&self, key: &str) -> PostgresScript {
        PostgresScript::new(self.schema.name(), key).unwrap()
    }

    /// This, with its schema put in.
    pub(super) fn within(&self, sql: &str) -> String {
        self.schema.within(sql)
    }

    /// Leaves nothing of what was before.
    pub(super) fn begin(&self) {
        self.ask("DELETE FROM {s}.bucket; DELETE FROM {s}.chunk");
    }

    /// What it says to this, with its schema put in.
    pub(super) fn ask(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.session.ask(&self.within(sql)).0
    }

    /// The answers to each run, and what is there of each bucket afterwards.
    pub(super) fn decide(&self, clock: u64, runs: &[Run<'_>]) -> Vec<(Vec<Answer>, Option<Rows>)> {
        let answers = self.answers(clock, runs);
        let looks = runs.iter().fold(String::new(), |looks, run| format!("{looks}{};", select(run.key)));
        let rows = self.ask(&looks);
        answers.into_iter().zip(rows.iter().map(|row| Rows::read(row))).collect()
    }

    /// The answers to each run.
    pub(super) fn answers(&self, clock: u64, runs: &[Run<'_>]) -> Vec<Vec<Answer>> {
        self.turn(clock);
        answers(runs, &self.ask(&call(runs)))
    }

    /// From now on, it is so late.
    pub(super) fn turn(&self, clock: u64) {
        self.ask(&format!("SET scupper_test.clock = '{clock}'"));
    }

    /// What is there of a bucket.
    pub(super) fn rows(&self, key: &str) -> Option<Rows> {
        Rows::read(&self.ask(&select(key))[0])
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

/// The call for these runs.
pub(super) fn call(runs: &[Run<'_>]) -> String {
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
        "SELECT {{s}}.decide('{ids}', '{keys}', '{}', '{}', '{}', '{}', '{}', '{}', true)",
        array(quota_of),
        array(quotas),
        array(entries().map(|(of, _)| of)),
        array(entries().map(|(_, entry)| entry.weight)),
        array(entries().map(|(_, entry)| entry.count)),
        array(standings),
    )
}

/// What it answered.
pub(super) fn answers(runs: &[Run<'_>], rows: &[Vec<Option<String>>]) -> Vec<Vec<Answer>> {
    let numbers = rows[0][0].as_deref().unwrap().trim_matches(['{', '}']);
    let mut numbers = numbers.split(',').map(|number| number.parse::<i64>().unwrap());
    let mut answer = || std::array::from_fn(|_| numbers.next().unwrap());
    let answers = runs.iter().map(|run| run.entries.iter().map(|_| answer()).collect()).collect();
    assert!(numbers.next().is_none(), "eight numbers an entry, and no more");
    answers
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
