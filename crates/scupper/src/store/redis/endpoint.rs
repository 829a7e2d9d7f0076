use std::fmt;
use std::net::Ipv6Addr;

use crate::error::{Error, ErrorKind, Result};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    /// A name or an address; one of IPv6 without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Endpoint {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Parses `host[:port]`. Errors say which host of the URL is wrong by `place`, and never quote it: where somebody forgot the
    /// `@`, it is a password.
    pub(super) fn parse(text: &str, default_port: u16, place: &str) -> Result<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').unwrap_or_default();
                let _: Ipv6Addr = host.parse().map_err(|_| {
                    invalid(format!(
                        "{place} in the Redis URL begins with '[' and is no IPv6 address; one is written like [::1]:6379"
                    ))
                })?;
                (host, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        if host.is_empty() {
            return Err(invalid(format!(
                "{place} in the Redis URL is empty; write a name or an address, like localhost:6379"
            )));
        }
        if port.matches(':').count() > 1 {
            return Err(invalid(format!(
                "{place} in the Redis URL has more than one ':'; an IPv6 address stands in brackets, like [::1]:6379"
            )));
        }
        if let Some(wrong) = host.chars().find(|&c| !(c.is_ascii_alphanumeric() || "-._:".contains(c))) {
            let what = if wrong.is_whitespace() { "a blank" } else { "a character" };
            return Err(invalid(format!(
                "{place} in the Redis URL has {what} that no host has; its name is of letters, digits, '-', '.' and '_'"
            )));
        }
        let port =
            match port {
                "" => default_port,
                port => port.strip_prefix(':').and_then(digits).filter(|&port| port != 0).ok_or_else(|| {
                    invalid(format!("the port of {place} in the Redis URL is no number from 1 to 65535"))
                })?,
            };
        Ok(Self::new(host, port))
    }
}

/// A number of digits alone: the standard library takes a sign as well.
pub(super) fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_every_kind_are_read() {
        for (text, host, port, shown) in [
            ("localhost", "localhost", 6379, "localhost:6379"),
            ("redis_1.internal:1", "redis_1.internal", 1, "redis_1.internal:1"),
            ("127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535"),
            ("[::1]", "::1", 6379, "[::1]:6379"),
            ("[2001:db8::7]:7000", "2001:db8::7", 7000, "[2001:db8::7]:7000"),
        ] {
            let endpoint = Endpoint::parse(text, 6379, "the host").unwrap();
            assert_eq!(endpoint, Endpoint::new(host, port));
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(Endpoint::parse(shown, 1, "the host").unwrap(), endpoint);
        }
    }

    #[test]
    fn what_is_wrong_with_a_host_is_said() {
        for (text, begins) in [
            ("", "host 2 in the Redis URL is empty"),
            (":6379", "host 2 in the Redis URL is empty"),
            ("::1", "host 2 in the Redis URL is empty"),
            ("fe80::1:6379", "host 2 in the Redis URL has more than one ':'"),
            ("[::1", "host 2 in the Redis URL begins with '['"),
            ("[localhost]:6379", "host 2 in the Redis URL begins with '['"),
            ("local host", "host 2 in the Redis URL has a blank"),
            ("localhost\n", "host 2 in the Redis URL has a blank"),
            ("höst", "host 2 in the Redis URL has a character"),
            ("host:", "the port of host 2 in the Redis URL is no number"),
            ("host:0", "the port of host 2 in the Redis URL is no number"),
            ("host:+1", "the port of host 2 in the Redis URL is no number"),
            ("host:65536", "the port of host 2 in the Redis URL is no number"),
            ("host:cache", "the port of host 2 in the Redis URL is no number"),
            ("[::1]6379", "the port of host 2 in the Redis URL is no number"),
        ] {
            let error = Endpoint::parse(text, 6379, "host 2").unwrap_err();
            assert!(error.message().starts_with(begins), "{text:?}: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        }
    }
}
