//! Rates and lists of rates: what is read and printed, and what the errors say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use scupper::{Algorithm, ErrorKind, Quota, Rate, Rates};

fn rate(text: &str) -> Rate {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn rates_are_read_as_people_write_them() {
    let second = Duration::from_secs(1);
    for (text, limit, interval) in [
        ("5/s", 5, second),
        ("5/2s", 5, 2 * second),
        (" 5 / 2 s ", 5, 2 * second),
        ("100/min", 100, 60 * second),
        ("100/m", 100, 60 * second),
        ("100/15 minutes", 100, 900 * second),
        ("1000/hour", 1000, 3600 * second),
        ("1000/H", 1000, 3600 * second),
        ("7/day", 7, 86_400 * second),
        ("10000/4w", 10_000, 4 * 604_800 * second),
        ("20/500ms", 20, second / 2),
        ("3/us", 3, Duration::from_micros(1)),
        ("3/10µs", 3, Duration::from_micros(10)),
        ("1000000000000/3660d", 1_000_000_000_000, Rate::MAX_INTERVAL),
    ] {
        assert_eq!(rate(text), Rate::new(limit, interval).unwrap(), "{text}");
    }
    assert_eq!(rate("5/s+10"), Rate::per_second(5).unwrap().with_burst(10).unwrap());
}

#[test]
fn rates_are_printed_in_the_largest_unit() {
    for (text, printed) in [
        ("5/1000ms", "5/s"),
        ("5/120s", "5/2min"),
        ("5/3600s", "5/h"),
        ("5/28d", "5/4w"),
        ("5/90s", "5/90s"),
        ("5/1500us", "5/1500us"),
        ("5/s+5", "5/s"),
        ("5/s+6", "5/s+6"),
    ] {
        assert_eq!(rate(text).to_string(), printed, "{text}");
    }
}

#[test]
fn a_bad_rate_says_what_is_wrong_and_what_would_be_right() {
    for (text, wrong) in [
        ("", "no '/'"),
        ("5", "no '/'"),
        ("5 per second", "no '/'"),
        ("/s", "no limit"),
        ("five/s", "limit is not a whole number"),
        ("-5/s", "limit is not a whole number"),
        ("5.5/s", "limit is not a whole number"),
        ("5/", "no unit of time"),
        ("5/2", "no unit of time"),
        ("5/month", "no unit of time"),
        ("5/0.5s", "no unit of time"),
        ("5/s+", "no burst"),
        ("5/s+x", "burst is not a whole number"),
        ("99999999999999999999/s", "limit is too large"),
        ("5/99999999999999999999s", "interval is too large"),
        ("5/9999999999999999w", "interval is too long"),
    ] {
        let error = text.parse::<Rate>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRate, "{text}");
        let message = error.to_string();
        assert!(message.contains(wrong) && message.contains("for example 5/s"), "{text}: {message}");
    }
    for (text, wrong) in [
        ("0/s", "the limit is 0; it must be at least 1"),
        ("1000000000001/s", "at most 1000000000000"),
        ("5/0s", "at least 1 µs"),
        ("5/3661d", "at most 3660 days"),
        ("5/s+0", "the burst is 0; it must be at least 1"),
        ("1/3660d+2", "a burst of at most 1 would do"),
    ] {
        let message = text.parse::<Rate>().unwrap_err().to_string();
        assert!(message.contains(wrong), "{text}: {message}");
    }
}

#[test]
fn intervals_are_rounded_up_to_a_tick_and_none_is_shorter() {
    assert_eq!(Rate::new(1, Duration::from_nanos(1_001)).unwrap().interval(), Duration::from_micros(2));
    assert!(Rate::new(1, Duration::from_nanos(999)).is_err());
    assert!(Rate::new(1, Duration::ZERO).is_err());
    assert!(Rate::new(1, Duration::MAX).is_err());
}

#[test]
fn a_list_that_does_not_hold_together_names_the_pair() {
    for (text, wrong) in [
        ("", "there is no rate"),
        ("5/s, 5/s", "5/s followed by 5/s: both have the same interval"),
        ("5/s, 10/s", "same interval"),
        ("100/min, 5/s", "100/min followed by 5/s: the interval gets shorter"),
        ("5/s, 5/min", "5/s followed by 5/min: the limit does not grow"),
        ("5/s, 4/min", "the limit does not grow"),
        ("5/s, 100/min, 7000/h", "100/min followed by 7000/h: the second allows more per time"),
    ] {
        let error = text.parse::<Rates>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRate, "{text}");
        assert!(error.to_string().contains(wrong), "{text}: {error}");
    }
    assert!(Rates::new((1..=33).map(|n| Rate::new(n, Duration::from_secs(n * n)).unwrap())).is_err());
    assert_eq!("5/s,300/min".parse::<Rates>().unwrap().to_string(), "5/s, 300/min");
}

#[test]
fn a_burst_is_refused_where_the_algorithm_does_not_know_one() {
    for algorithm in [Algorithm::SlidingWindowLog, Algorithm::FixedWindow] {
        let error = Quota::new(algorithm, rate("5/s+10")).unwrap_err();
        assert!(error.to_string().contains("use gcra"), "{error}");
    }
    assert_eq!(Quota::new(Algorithm::TOKEN_BUCKET, rate("5/s+10")).unwrap().capacity(), 10);
    assert!("leaky".parse::<Algorithm>().unwrap_err().to_string().contains("token-bucket"));
}

fn any_rate() -> impl Strategy<Value = Rate> {
    let micros = prop_oneof![1..5_000_u64, (1..400_000_u64).prop_map(|n| n * 1_000_000), 1..316_224_000_000_000_u64];
    let rates =
        (1..=Rate::MAX_LIMIT, micros).prop_map(|(limit, micros)| Rate::new(limit, Duration::from_micros(micros)));
    (rates, any::<bool>(), 1..1_000_000_u64).prop_map(|(rate, bursts, burst)| {
        let rate = rate.unwrap();
        if bursts { rate.with_burst(burst).unwrap_or(rate) } else { rate }
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(rate in any_rate()) {
        prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}", digits in "[0-9]{0,25}/[0-9]{0,25}(us|ms|s|min|h|d|w)?(\\+[0-9]{0,25})?") {
        let _ = text.parse::<Rate>();
        let _ = digits.parse::<Rate>();
        let _ = text.parse::<Rates>();
    }
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[test]
    fn rates_are_text_in_a_configuration() {
        let rates: Rates = serde_json::from_str(r#"["5/s", "1000/hour"]"#).unwrap();
        assert_eq!(rates, "5/s, 1000/h".parse().unwrap());
        assert_eq!(serde_json::to_string(&rates).unwrap(), r#"["5/s","1000/h"]"#);
        let error = serde_json::from_str::<Rates>(r#"["1000/h", "5/s"]"#).unwrap_err();
        assert!(error.to_string().contains("the interval gets shorter"), "{error}");
        assert_eq!(serde_json::from_str::<Algorithm>(r#""gcra""#).unwrap(), Algorithm::Gcra);
        let quota: Quota = serde_json::from_str(r#"{"algorithm": "gcra", "rates": ["5/s+10"]}"#).unwrap();
        assert_eq!((quota.algorithm(), quota.capacity()), (Algorithm::Gcra, 10));
        assert_eq!(serde_json::to_string(&quota).unwrap(), r#"{"algorithm":"gcra","rates":["5/s+10"]}"#);
        assert!(serde_json::from_str::<Quota>(r#"{"rates": ["5/s+10"]}"#).is_err(), "the log knows no burst");
        assert_eq!(serde_json::to_string(&Algorithm::SlidingWindowLog).unwrap(), r#""sliding-window-log""#);
    }
}
