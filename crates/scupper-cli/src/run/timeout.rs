use std::time::Duration;

use scupper::Rate;

/// A time in the words of a rate's interval: `10s`, `500ms`, `2min`; 0 needs no unit.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let form = || {
        let most = Rate::MAX_INTERVAL.as_secs() / (24 * 3600);
        format!("write a whole number and a unit of time, such as 500ms, 10s, 2min or 1h, of at most {most} days")
    };
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit_at);
    // Of a burst, which follows after a plus sign, nothing may be said here.
    if count.is_empty() || unit.contains('+') {
        return Err(form());
    }
    let is_zero = count.bytes().all(|digit| digit == b'0');
    if is_zero && unit.is_empty() {
        return Ok(Duration::ZERO);
    }
    let count = if is_zero { "" } else { count };
    let rate: Rate = format!("1/{count}{unit}").parse().map_err(|_| form())?;
    Ok(if is_zero { Duration::ZERO } else { rate.interval() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_written_as_the_interval_of_a_rate() {
        for (text, micros) in [
            ("10s", 10_000_000),
            ("500ms", 500_000),
            ("2min", 120_000_000),
            ("1 hour", 3_600_000_000),
            ("1us", 1),
            ("0", 0),
            ("0s", 0),
            ("000ms", 0),
            (" 3660d ", 316_224_000_000_000),
        ] {
            assert_eq!(parse_timeout(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_what_would_be() {
        let others = ["", "s", "10", "ten s", "-1s", "1.5s", "10s+5", "0+5", "0 fortnights", "1/s", "3661d", "10s 5s"];
        for text in others.into_iter().chain(["99999999999999999999s"]) {
            assert!(parse_timeout(text).unwrap_err().contains("500ms, 10s, 2min"), "{text}");
        }
    }
}
