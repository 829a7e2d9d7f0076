use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::shared_memory::settings::Settings;

/// What a URL of shared memory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) path: PathBuf,
    /// By name, in a folder that all may write.
    pub(super) is_name: bool,
    pub(super) settings: Settings,
}

/// Where names without a folder lie: in memory, and gone with the next boot.
const FOLDER: &str = "/dev/shm";
const LONGEST_NAME: usize = 200;

const WRONG: &str = "the URL of shared memory is shm:name, shm:/path/to/file or shm:./file, and options may follow, like \
    shm:name?size=64MiB&mode=660&timeout=500ms";

#[cold]
fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("{what}; {WRONG}"))
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("shm") {
            return Err(wrong("this is no URL of shared memory"));
        }
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let mut settings = Settings::default();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let said_twice = match name {
                "size" => settings.size.replace(size(value)?).is_some(),
                "mode" => settings.mode.replace(mode(value)?).is_some(),
                "timeout" => settings.lock_within.replace(duration(value)?).is_some(),
                _ => {
                    return Err(wrong(&format!(
                        "shared memory has no option {name:?}: there are size, mode and timeout"
                    )));
                }
            };
            if said_twice {
                return Err(wrong(&format!("the option {name} is there twice")));
            }
        }
        Ok(Self { path: path(place)?, is_name: !place.contains('/'), settings })
    }
}

/// A name is a file of its own in memory, anything with a '/' is a path.
fn path(place: &str) -> Result<PathBuf> {
    if place.contains('\0') {
        return Err(wrong("the place of shared memory has a NUL in it"));
    }
    if place.starts_with("//") {
        return Err(wrong("shared memory is on no host: leave out the '//'"));
    }
    if place.contains('/') {
        return if place.ends_with('/') {
            Err(wrong("shared memory is a file, and the path ends in a '/'"))
        } else {
            Ok(place.into())
        };
    }
    if place.is_empty() || place.len() > LONGEST_NAME {
        let message = format!(
            "the name of shared memory has {} bytes; it must be at least 1 and at most {LONGEST_NAME}",
            place.len()
        );
        return Err(wrong(&message));
    }
    Ok(Path::new(FOLDER).join(format!("scupper-{place}")))
}

fn size(text: &str) -> Result<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
    let number = |(unit, shift)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(1_u64 << shift);
    let bytes = units.into_iter().find_map(number);
    bytes.ok_or_else(|| wrong(&format!("size={text} is no size; write a whole number and KiB, MiB or GiB")))
}

fn mode(text: &str) -> Result<u32> {
    let is_octal = matches!(text.len(), 3..=4) && text.bytes().all(|digit| digit.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
    mode.ok_or_else(|| wrong(&format!("mode={text} is no mode of a file; write three octal digits, like mode=660")))
}

fn duration(text: &str) -> Result<Duration> {
    let number = |unit| text.strip_suffix(unit)?.parse::<u32>().ok();
    let duration = match (number("ms"), number("s")) {
        (Some(millis), _) => Some(Duration::from_millis(millis.into())),
        (None, seconds) => seconds.map(|seconds| Duration::from_secs(seconds.into())),
    };
    duration.ok_or_else(|| {
        wrong(&format!("timeout={text} is no time; write a whole number and ms or s, like timeout=500ms"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str) -> Address {
        url.parse().unwrap()
    }

    #[test]
    fn a_name_lies_in_memory_and_a_path_where_it_says() {
        for (url, path, is_name) in [
            ("shm:limits", "/dev/shm/scupper-limits", true),
            ("SHM:a b", "/dev/shm/scupper-a b", true),
            ("shm:..", "/dev/shm/scupper-..", true),
            ("shm:/var/lib/limits", "/var/lib/limits", false),
            ("shm:./limits", "./limits", false),
            ("shm:folder/limits?", "folder/limits", false),
        ] {
            assert_eq!(said(url), Address { path: path.into(), is_name, settings: Settings::default() }, "{url}");
        }
    }

    #[test]
    fn options_are_read() {
        let settings = said("shm:a?size=64MiB&mode=660&timeout=2s").settings;
        let expected = Settings { size: Some(64 << 20), mode: Some(0o660), lock_within: Some(Duration::from_secs(2)) };
        assert_eq!(settings, expected);
        assert_eq!(said("shm:a?size=65536&mode=0600&timeout=20ms").settings.size, Some(65536));
        assert_eq!(said("shm:a?size=2GiB").settings.size, Some(2 << 30));
    }

    #[test]
    fn what_is_wrong_is_said_and_what_would_be_right() {
        for (url, says) in [
            ("shm:", "has 0 bytes"),
            ("shm:?size=1MiB", "has 0 bytes"),
            ("shm://host/limits", "leave out the '//'"),
            ("shm:folder/", "ends in a '/'"),
            ("shm:a\0b", "NUL"),
            ("shm:a?size", "size= is no size"),
            ("shm:a?size=64MB", "size=64MB is no size"),
            ("shm:a?size=99999999999GiB", "is no size"),
            ("shm:a?mode=rw", "is no mode"),
            ("shm:a?mode=999", "is no mode"),
            ("shm:a?timeout=5", "is no time"),
            ("shm:a?timeout=-5s", "is no time"),
            ("shm:a?size=1MiB&size=2MiB", "twice"),
            ("shm:a?colour=red", "no option \"colour\""),
            ("redis://host", "no URL of shared memory"),
            ("shm", "no URL of shared memory"),
        ] {
            let error = url.parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(says), "{url}: {error}");
            assert!(error.message().contains("shm:name?size=64MiB"), "says what would be right: {error}");
        }
    }
}
