use std::time::Duration;

use crate::run::timeout::parse_timeout;

/// The URL of a file with no more time to wait for it than this: a call that is cut off sooner than the store gives up would leave
/// unknown what became of it. What the URL says of less stays, and what it says wrongly.
pub(super) fn with_timeout(url: &str, most: Duration) -> String {
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut is_set) = (Vec::new(), false);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.strip_prefix("timeout=").map(parse_timeout) {
            Some(Ok(timeout)) if timeout > most => {}
            Some(_) => {
                is_set = true;
                kept.push(option.to_owned());
            }
            None => kept.push(option.to_owned()),
        }
    }
    if !is_set {
        kept.push(format!("timeout={}ms", most.as_millis()));
    }
    format!("{place}?{}", kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_waited_for_no_longer_than_a_call_takes() {
        for (url, expected) in [
            ("sqlite:a.db", "sqlite:a.db?timeout=750ms"),
            ("sqlite:a.db?", "sqlite:a.db?timeout=750ms"),
            ("sqlite:a.db?timeout=750ms", "sqlite:a.db?timeout=750ms"),
            ("sqlite:a.db?timeout=0ms", "sqlite:a.db?timeout=0ms"),
            ("sqlite:a.db?timeout=751ms", "sqlite:a.db?timeout=750ms"),
            ("sqlite:a.db?timeout=3600s", "sqlite:a.db?timeout=750ms"),
            ("sqlite:a.db?timeout=soon", "sqlite:a.db?timeout=soon"),
            ("sqlite:a.db?mode=rw", "sqlite:a.db?mode=rw&timeout=750ms"),
        ] {
            assert_eq!(with_timeout(url, Duration::from_millis(750)), expected, "{url}");
        }
    }
}
