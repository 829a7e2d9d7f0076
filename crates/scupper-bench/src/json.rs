//! Rows for programs to read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::row::Row;

/// One element of the array. `ours` and `peer` are medians; `ratio` is the median of the ratios
/// of the rounds, so it is close to their quotient but need not equal it.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    suite: &'a str,
    case: &'a str,
    ours: f64,
    peer_name: &'a str,
    peer: f64,
    unit: &'a str,
    ratio: f64,
}

impl<'a> From<&'a Row> for Entry<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            suite: row.suite,
            case: &row.case,
            ours: row.ours.median,
            peer_name: row.peer_name,
            peer: row.peer.median,
            unit: row.unit,
            ratio: row.ratio.median,
        }
    }
}

/// Writes the rows to `path` as an array.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let entries: Vec<Entry<'_>> = rows.iter().map(Entry::from).collect();
    let mut text = serde_json::to_string_pretty(&entries)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Spread, Target};

    #[test]
    fn an_entry_has_the_agreed_fields() -> Result<()> {
        let row = Row {
            suite: "memory",
            case: "one bucket".to_owned(),
            ours: Spread::exactly(12.0),
            peer_name: "governor",
            peer: Spread::exactly(10.0),
            unit: "ns",
            ratio: Spread::exactly(1.2),
            target: Some(Target::AtMost(1.25)),
        };
        let expected = serde_json::json!({
            "suite": "memory", "case": "one bucket", "ours": 12.0,
            "peer_name": "governor", "peer": 10.0, "unit": "ns", "ratio": 1.2,
        });
        assert_eq!(serde_json::to_value(Entry::from(&row))?, expected);
        Ok(())
    }
}
