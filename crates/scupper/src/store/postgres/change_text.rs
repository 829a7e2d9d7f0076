//! What becomes of a bucket, in statements without parameters.

use std::fmt::Display;

use crate::store::postgres::arguments::bigint;
use crate::store::postgres::id::Id;
use crate::store::postgres::log::Laid;
use crate::store::postgres::schema::Schema;
use crate::store::postgres::statement::Query;
use crate::store::postgres::stored::flat;
use crate::store::postgres::transaction::{Change, ChunkColumns};

/// The rows of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) schema: &'a Schema,
    pub(super) id: Id,
    pub(super) key: &'a str,
}

impl Place<'_> {
    /// The statements of this change, behind each other; none for none.
    pub(super) fn statements(&self, change: &Change) -> String {
        match change {
            Change::Nothing => String::new(),
            Change::Remove => self.filled(Query::RemoveChunks, &[]) + &self.filled(Query::RemoveBucket, &[]),
            Change::Save { head, laid, idle_from } => {
                let wiped = if laid.wipe { self.filled(Query::RemoveChunks, &[]) } else { String::new() };
                let chunks = if laid.written().is_empty() { String::new() } else { self.chunks(laid) };
                wiped + &chunks + &self.bucket(head, laid, *idle_from)
            }
        }
    }

    fn bucket(&self, head: &[u64], laid: &Laid, idle_from: u64) -> String {
        let log = &laid.log;
        let head: Vec<i64> = head.iter().copied().map(bigint).collect();
        let idle_from = i64::try_from(idle_from).unwrap_or(i64::MAX);
        let values = [
            format!("pg_catalog.decode('{}', 'hex')", hex(self.key.as_bytes())),
            typed(idle_from, "bigint"),
            array(&head, "bigint"),
            array(&flat(&log.recent), "bigint"),
            typed(bigint(log.base), "bigint"),
            typed(bigint(log.spilled), "bigint"),
            typed(log.first, "bigint"),
            typed(log.last, "bigint"),
            typed(log.in_last(), "int"),
            typed(log.slots, "int"),
        ];
        self.filled(Query::SaveBucket, &values)
    }

    fn chunks(&self, laid: &Laid) -> String {
        let ChunkColumns { slots, numbers, starts, lengths, events, ends } = ChunkColumns::of(laid);
        let values = [
            array(&slots, "int"),
            array(&numbers, "bigint"),
            array(&starts, "bigint"),
            array(&lengths, "int"),
            array(&events, "bigint"),
            array(&ends, "int"),
        ];
        self.filled(Query::SaveChunks, &values)
    }

    /// The statement with the id, and these, in the place of its parameters.
    fn filled(&self, query: Query, values: &[String]) -> String {
        let sql = self.schema.within(query.sql());
        let id = format!("'{}'::uuid", self.id);
        // The last one first, as `$1` is the beginning of `$10`.
        let values = [&id].into_iter().chain(values).enumerate().collect::<Vec<_>>().into_iter().rev();
        values.fold(sql, |sql, (nth, value)| sql.replace(&format!("${}", nth + 1), value)) + "; "
    }
}

fn typed(number: impl Display, of: &str) -> String {
    format!("'{number}'::{of}")
}

fn array<N: ToString>(numbers: &[N], of: &str) -> String {
    format!("'{{{}}}'::{of}[]", joined(numbers))
}

/// With commas between them.
pub(super) fn joined<N: ToString>(numbers: &[N]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::log::Log;

    #[test]
    fn a_change_has_no_parameter_left_and_no_quote_of_the_key() {
        let schema = Schema::new("s").unwrap();
        let place = Place { schema: &schema, id: Id::of("a'b"), key: "a'b" };
        let events: Vec<(u64, u64)> = (1..200).map(|tick| (tick, tick)).collect();
        let laid = Log::default().lay(&events).unwrap();
        let sql = place.statements(&Change::Save { head: vec![u64::MAX], laid, idle_from: 7 });
        assert!(!sql.contains('$') && !sql.contains("a'b"), "{sql}");
        assert!(sql.contains("pg_catalog.decode('612762', 'hex'), '7'::bigint, '{-1}'::bigint[]"), "{sql}");
        assert!(sql.starts_with("INSERT INTO \"s\".chunk") && sql.ends_with("; "), "{sql}");
    }

    #[test]
    fn what_goes_goes_with_its_chunks() {
        let schema = Schema::new("s").unwrap();
        let place = Place { schema: &schema, id: Id::of("k"), key: "k" };
        let sql = place.statements(&Change::Remove);
        assert_eq!((sql.matches("DELETE").count(), place.statements(&Change::Nothing)), (2, String::new()));
    }
}
