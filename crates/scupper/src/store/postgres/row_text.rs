//! A bucket in one text, for clients that have no types of their own for what is in it.

use std::str::FromStr;

use crate::error::Result;
use crate::store::bucket::corrupt;
use crate::store::postgres::stored::{Numbered, Rows};

/// Gives the time and the bucket `{id}` with its chunks in one text. A bucket that is not there has no more than the time, and one
/// without chunks nothing in their place; numbers of one thing are behind each other.
pub(super) const LOAD: &str = "SELECT pg_catalog.concat_ws('|', {s}.clock(), pg_catalog.array_to_string(b.head, ' '), \
    pg_catalog.array_to_string(b.recent, ' '), b.base, b.spilled, b.first, b.last, b.in_last, b.slots, \
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.number, c.starts, pg_catalog.array_to_string(c.events, ' ')), ',' \
    ORDER BY c.number) FROM {s}.chunk AS c WHERE c.bucket = b.id AND b.first <= c.number AND c.number < b.last)) \
    FROM (SELECT) AS one LEFT JOIN {s}.bucket AS b ON b.id = '{id}'";

/// What [`LOAD`] gave.
///
/// # Errors
/// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if that is no such text.
pub(super) fn rows(text: &str) -> Result<Rows> {
    let fields: Vec<&str> = text.split('|').collect();
    match fields[..] {
        [clock] => Ok(Rows::whole(number(clock)?, None, Vec::new())),
        [clock, ref bucket @ ..] => {
            let (bucket, chunks) = numbered(bucket)?;
            Ok(Rows::whole(number(clock)?, Some(bucket), chunks))
        }
        [] => Err(cut_off()),
    }
}

/// Number, start and events of each.
type Chunks = Vec<(i64, i64, Vec<i64>)>;

fn numbered(fields: &[&str]) -> Result<(Numbered, Chunks)> {
    let [head, recent, base, spilled, first, last, in_last, slots, ref rest @ ..] = *fields else {
        return Err(cut_off());
    };
    let bucket = Numbered {
        head: numbers(head)?,
        recent: numbers(recent)?,
        base: number(base)?,
        spilled: number(spilled)?,
        first: number(first)?,
        last: number(last)?,
        in_last: number(in_last)?,
        slots: number(slots)?,
    };
    let chunks = match *rest {
        [] => Ok(Vec::new()),
        [chunks] => chunks.split(',').map(chunk).collect(),
        _ => Err(cut_off()),
    };
    Ok((bucket, chunks?))
}

fn chunk(text: &str) -> Result<(i64, i64, Vec<i64>)> {
    let numbers = numbers(text)?;
    let [number, starts, ref events @ ..] = numbers[..] else { return Err(cut_off()) };
    Ok((number, starts, events.to_vec()))
}

pub(super) fn numbers(text: &str) -> Result<Vec<i64>> {
    text.split_ascii_whitespace().map(number).collect()
}

fn number<N: FromStr>(text: &str) -> Result<N> {
    text.parse().map_err(|_| cut_off())
}

#[cold]
fn cut_off() -> crate::error::Error {
    corrupt("its rows have other columns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_not_there_has_a_time() {
        let rows = rows("1700000000000000").unwrap();
        assert_eq!(rows.clock, 1_700_000_000_000_000);
        assert!(rows.stored().unwrap().is_none());
    }

    #[test]
    fn a_log_is_read_with_its_chunks() {
        let stored = rows("9|1 -2 3|7 5 8 6|0|4|0|2|1|2|0 0 1 1 2 2,1 2 3 4").unwrap().stored().unwrap().unwrap();
        assert_eq!(stored.head, [1, 2_u64.wrapping_neg(), 3]);
        assert_eq!(stored.log.events().unwrap(), [(1, 1), (2, 2), (3, 4), (7, 5), (8, 6)]);
    }

    #[test]
    fn what_is_no_such_text_is_corrupt() {
        for text in ["", "x", "1|2", "1|2|3|4|5|6|7|8|9|1|1", "1||||0|0|0|0|0", "1||||0|0|0|0|0|0|1"] {
            assert_eq!(rows(text).unwrap_err().kind(), crate::error::ErrorKind::Corrupt, "{text}");
        }
    }
}
