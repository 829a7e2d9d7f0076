use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::percent;

/// What the URL of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) path: PathBuf,
    pub(super) timeout: Option<Duration>,
}

#[cold]
fn wrong(what: &str) -> Error {
    let right = "write sqlite:limits.db or sqlite:/path/to/limits.db, and ?timeout=500ms behind it if need be";
    Error::new(ErrorKind::InvalidConfig, format!("{what}; {right}"))
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("sqlite") {
            return Err(wrong("this is no URL of an SQLite file"));
        }
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        // As other libraries have it, three slashes are a path from the root on.
        let place = match place.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(wrong("an SQLite file is on no host: leave out the '//'")),
            None => place,
        };
        let path = percent::decode(place, "path of the SQLite file")?;
        if path.contains('\0') {
            return Err(wrong("the path of the SQLite file has a NUL in it"));
        }
        let mut timeout = None;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if name != "timeout" {
                return Err(wrong(&format!("an SQLite file has no option {name:?}: there is timeout")));
            }
            if timeout.replace(duration(value)?).is_some() {
                return Err(wrong("the option timeout is there twice"));
            }
        }
        Ok(Self { path: path.into(), timeout })
    }
}

fn duration(text: &str) -> Result<Duration> {
    let number = |unit| text.strip_suffix(unit)?.parse::<u32>().ok();
    let duration = match (number("ms"), number("s")) {
        (Some(millis), _) => Some(Duration::from_millis(millis.into())),
        (None, seconds) => seconds.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let unknown = || wrong(&format!("timeout={text} is no time; write a whole number and ms or s"));
    duration.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_and_how_long_to_wait_for_it() {
        for (rest, path, timeout) in [
            ("limits.db", "limits.db", None),
            ("./a b.db", "./a b.db", None),
            ("/var/lib/limits.db?", "/var/lib/limits.db", None),
            ("///var/lib/limits.db?timeout=500ms", "/var/lib/limits.db", Some(500)),
            ("what%3F%25.db?timeout=2s", "what?%.db", Some(2_000)),
            (":memory:", ":memory:", None),
        ] {
            let address = Address { path: path.into(), timeout: timeout.map(Duration::from_millis) };
            assert_eq!(format!("sqlite:{rest}").parse::<Address>().unwrap(), address, "{rest}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (rest, says) in [
            ("//host/limits.db", "on no host"),
            ("a%zz", "two hexadecimal digits"),
            ("a%00b", "NUL"),
            ("a?timeout=5", "no time"),
            ("a?timeout", "no time"),
            ("a?timeout=1s&timeout=2s", "twice"),
            ("a?mode=rw", "no option \"mode\""),
        ] {
            let error = format!("sqlite:{rest}").parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(says), "{rest}: {error}");
        }
    }
}
