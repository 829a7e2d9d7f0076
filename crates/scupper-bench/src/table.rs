//! Rows for people to read.

use std::fmt::Write as _;

use crate::row::{Row, Spread, Target};

const HEADER: [&str; 7] = ["case", "ours", "peer", "its", "ratio", "target", ""];

/// An aligned table, with median (least to most) in every measured cell.
pub(crate) fn render(rows: &[Row]) -> String {
    let header = HEADER.map(String::from);
    let lines: Vec<_> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let mut widths = [0; HEADER.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(widths) {
            // Writing to a string does not fail.
            let _ = write!(padded, "{cell:<width$}  ");
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; HEADER.len()] {
    let verdict = match row.is_met() {
        Some(true) => "ok",
        Some(false) => "MISSED",
        None => "",
    };
    [
        row.case.clone(),
        format!("{} {}", spread(row.ours, 1), row.unit),
        row.peer_name.to_owned(),
        format!("{} {}", spread(row.peer, 1), row.unit),
        spread(row.ratio, digits(row.target)),
        row.target.map_or_else(String::new, shown),
        verdict.to_owned(),
    ]
}

/// As many as tell the ratio from one, and whether its target is met.
fn digits(target: Option<Target>) -> usize {
    let is_tight = matches!(target, Some(Target::AtMost(most)) if most > 1.0 && most < 1.05);
    if is_tight { 4 } else { 2 }
}

fn shown(target: Target) -> String {
    match target {
        Target::AtMost(most) => format!("<= {most}"),
        Target::AtLeast(least) => format!(">= {least}"),
    }
}

fn spread(value: Spread, decimals: usize) -> String {
    let Spread { least, median, most } = value;
    let shown = format!("{median:.decimals$}");
    if least.total_cmp(&most).is_eq() { shown } else { format!("{shown} ({least:.decimals$}..{most:.decimals$})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(median: f64, target: Option<Target>) -> Row {
        Row {
            suite: "memory",
            case: "one bucket".to_owned(),
            ours: Spread::exactly(12.0),
            peer_name: "governor",
            peer: Spread::exactly(10.0),
            unit: "ns",
            ratio: Spread { least: 1.0, median, most: 1.5 },
            target,
        }
    }

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let target = Some(Target::AtMost(1.25));
        let text = render(&[row(1.25, target), row(1.26, target), row(1.2, None)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("1.25 (1.00..1.50)  <= 1.25  ok"), "{text}");
        assert!(lines[2].ends_with("<= 1.25  MISSED"), "{text}");
        assert!(lines[3].ends_with("1.20 (1.00..1.50)"), "{text}");
        assert!(lines[1].contains("12.0 ns  governor  10.0 ns"), "{text}");
    }

    #[test]
    fn what_is_had_is_to_be_at_least_so_much() {
        let target = Some(Target::AtLeast(1.25));
        let text = render(&[row(1.25, target), row(1.24, target)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("1.25 (1.00..1.50)  >= 1.25  ok"), "{text}");
        assert!(lines[2].ends_with(">= 1.25  MISSED"), "{text}");
    }

    #[test]
    fn a_tight_target_is_shown_with_a_ratio_as_fine() {
        let text = render(&[row(1.0003, Some(Target::AtMost(1.01)))]);
        assert!(text.contains("1.0003 (1.0000..1.5000)  <= 1.01  ok"), "{text}");
    }
}
