use redis::{RedisError, ServerError};

use crate::error::{Error, ErrorKind};
use crate::store::redis::endpoint::Endpoint;

/// What a server's error to a call means. Nothing of the call was carried out, unless this is an error of kind *unknown*.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It has not seen the script yet, or not since it was started.
    NoScript,
    /// Another node has the slot.
    Moved(Redirect),
    /// Another node is about to have the slot, and has the key.
    Ask(Redirect),
    /// The keys of the call lie on two nodes for the moment.
    TryAgain,
    /// It is not the master, or no longer.
    ReadOnly,
    Failed(Error),
}

/// Where a node of a cluster points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) slot: u16,
    /// Without a host, it is on the host of the node that said so.
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

impl Refusal {
    pub(super) fn of(error: &ServerError, endpoint: &Endpoint) -> Self {
        let text = error.details().unwrap_or_default();
        match error.code() {
            "NOSCRIPT" => Self::NoScript,
            "MOVED" => Redirect::parse(text).map_or_else(|| Self::Failed(odd(endpoint, error)), Self::Moved),
            "ASK" => Redirect::parse(text).map_or_else(|| Self::Failed(odd(endpoint, error)), Self::Ask),
            "TRYAGAIN" => Self::TryAgain,
            "READONLY" => Self::ReadOnly,
            "NOAUTH" | "WRONGPASS" => Self::Failed(not_allowed(&format!("Redis at {endpoint}"), &shown(error))),
            _ if is_want_of_rights(&shown(error)) => {
                Self::Failed(not_allowed(&format!("Redis at {endpoint}"), &shown(error)))
            }
            _ if text.contains("cluster support disabled") => Self::Failed(Error::new(
                ErrorKind::InvalidConfig,
                format!("Redis at {endpoint} is no part of a cluster; open it with a URL that begins with redis://"),
            )),
            // By what these say, the script was not begun.
            "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "OOM" | "MISCONF" | "NOREPLICAS" => {
                Self::Failed(Error::new(
                    ErrorKind::Unavailable,
                    format!("Redis at {endpoint} cannot serve the call now: {}", shown(error)),
                ))
            }
            _ => Self::Failed(odd(endpoint, error)),
        }
    }
}

impl Redirect {
    /// Parses `3999 127.0.0.1:6381`.
    fn parse(text: &str) -> Option<Self> {
        let (slot, address) = text.split_once(' ')?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            slot: slot.parse().ok()?,
            host: (!host.is_empty()).then(|| host.to_owned()),
            port: port.parse().ok()?,
        })
    }
}

/// Whether a server's words mean that the user may not do that, or nobody may. Redis 7.0 has no code for it within scripts.
pub(super) fn is_want_of_rights(words: &str) -> bool {
    let of_scripts = ["can't run this command", "ACL failure in script", "unknown command", "Unknown Redis command"];
    words.starts_with("NOPERM") || of_scripts.iter().any(|part| words.contains(part))
}

#[cold]
pub(super) fn not_allowed(who: &str, words: &str) -> Error {
    let what = format!(
        "{who} does not let this user do that ({words}); it must be allowed EVALSHA, SCRIPT LOAD, GET, SET, GETRANGE, SETRANGE, \
         PEXPIREAT, TIME, TYPE and SCAN on keys with the prefix: docs/redis.md has a line for its ACL"
    );
    Error::new(ErrorKind::InvalidConfig, what)
}

#[cold]
fn odd(endpoint: &Endpoint, error: &ServerError) -> Error {
    let what = format!(
        "Redis at {endpoint} answered with an error; what was asked may or may not have been done: {}",
        shown(error)
    );
    Error::new(ErrorKind::Unknown, what)
}

/// The same to what changes nothing.
#[cold]
pub(super) fn not_seen(endpoint: &Endpoint, error: &ServerError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("Redis at {endpoint} answered with an error: {}", shown(error)))
}

fn shown(error: &ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default()).trim_end().to_owned()
}

/// The call broke off. What was not sent was not done.
#[cold]
pub(super) fn broken(endpoint: &Endpoint, was_sent: bool, error: RedisError) -> Error {
    let (kind, what) = if was_sent {
        (ErrorKind::Unknown, "did not answer; what was asked may or may not have been done")
    } else {
        (ErrorKind::Unavailable, "could not be asked")
    };
    Error::new(kind, format!("Redis at {endpoint} {what}: {error}")).with_source(error)
}

/// What came back is not what the script says.
#[cold]
pub(super) fn unreadable(endpoint: &Endpoint) -> Error {
    Error::new(ErrorKind::Unknown, format!("Redis at {endpoint} answered something that is no answer of the script"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read() {
        let redirect = |text| Redirect::parse(text);
        let to = |slot, host: Option<&str>, port| Some(Redirect { slot, host: host.map(str::to_owned), port });
        assert_eq!(redirect("3999 127.0.0.1:6381"), to(3999, Some("127.0.0.1"), 6381));
        assert_eq!(redirect("0 [::1]:7000"), to(0, Some("::1"), 7000));
        assert_eq!(redirect("1 ::1:7000"), to(1, Some("::1"), 7000));
        assert_eq!(redirect("16383 :7000"), to(16383, None, 7000));
        for wrong in ["", "3999", "3999 host", "x host:1", "1 host:x", "99999 host:1"] {
            assert_eq!(redirect(wrong), None, "{wrong:?}");
        }
    }
}
