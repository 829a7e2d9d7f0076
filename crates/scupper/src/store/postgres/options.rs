use std::net::Ipv6Addr;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::error::{Error, ErrorKind, Result};
use crate::store::percent;
use crate::store::postgres::tls_mode::TlsMode;

/// What a Postgres URL says, by the names that its options have.
pub(super) struct Options(Vec<(&'static str, String)>);

const HOST: &str = "host";
const PORT: &str = "port";

/// Those that are this store's own.
const OWN: [&str; 8] =
    ["schema", "durability", "pool", "connect_timeout", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Those of every client of Postgres.
const COMMON: [&str; 16] = [
    "user",
    "password",
    HOST,
    "hostaddr",
    PORT,
    "dbname",
    "options",
    "application_name",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "tcp_user_timeout",
];

impl Options {
    /// What stands behind the `?`.
    pub(super) fn parse(query: &str) -> Result<Self> {
        let mut options = Self(Vec::new());
        for (index, option) in query.split('&').enumerate().filter(|(_, option)| !option.is_empty()) {
            let Some((name, value)) = option.split_once('=') else {
                return Err(invalid(format!(
                    "option {} in the Postgres URL has no value; options are written name=value, with '&' between them",
                    index + 1
                )));
            };
            let Some(name) = OWN.into_iter().chain(COMMON).find(|known| *known == name) else {
                return Err(options.unknown(index, name));
            };
            let value = percent::decode(value, &format!("option {name} in the Postgres URL"))?;
            options.put(name, value)?;
        }
        Ok(options)
    }

    fn unknown(&self, index: usize, name: &str) -> Error {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        // Behind a password it may be the rest of that password, where somebody left an '&' in it as it is.
        let is_public = is_name && !self.0.iter().any(|(known, _)| *known == "password");
        let option = if is_public { format!("`{name}`") } else { (index + 1).to_string() };
        let known = [&OWN[..], &COMMON[..]].concat().join(", ");
        invalid(format!("option {option} in the Postgres URL is not known; there is: {known}"))
    }

    fn put(&mut self, name: &'static str, value: String) -> Result<()> {
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(invalid(format!("the {name} stands twice in the Postgres URL; leave one out")));
        }
        if value.contains('\0') {
            return Err(invalid(format!("the {name} in the Postgres URL has a NUL in it, which no server takes")));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// What stands before the `?`, unless it is empty.
    pub(super) fn add(&mut self, name: &'static str, value: String) -> Result<()> {
        if value.is_empty() { Ok(()) } else { self.put(name, value) }
    }

    /// Takes in `host[:port],host[:port]`.
    pub(super) fn add_hosts(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            let (host, port) = host_and_port(part)?;
            hosts.push(host);
            ports.push(port);
        }
        self.put(HOST, hosts.join(","))?;
        if ports.iter().any(|port| !port.is_empty()) {
            self.put(PORT, ports.join(","))?;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The servers, like `db1:5432,db2:5433`.
    pub(super) fn place(&self) -> Option<String> {
        let hosts = self.get(HOST).or_else(|| self.get("hostaddr")).filter(|hosts| !hosts.is_empty())?;
        let ports: Vec<&str> = self.get(PORT).unwrap_or_default().split(',').collect();
        let shown = hosts.split(',').enumerate().map(|(nth, host)| {
            let port = ports.get(nth).or(ports.first()).copied().filter(|port| !port.is_empty()).unwrap_or("5432");
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        });
        Some(shown.collect::<Vec<_>>().join(","))
    }

    /// What is left, as that library has it. Which part it cannot take is said, and nothing of what it says itself.
    pub(super) fn into_config(self, mode: TlsMode) -> Result<Config> {
        let mut all = String::new();
        for (name, value) in &self.0 {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            let one = format!("{name}='{quoted}' ");
            let _: Config = one
                .parse()
                .map_err(|_| invalid(format!("the {name} in the Postgres URL is none that there can be")))?;
            all.push_str(&one);
        }
        let mut config: Config = all.parse().map_err(|_| invalid("the Postgres URL cannot be read"))?;
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        Ok(config)
    }
}

fn host_and_port(text: &str) -> Result<(String, String)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or_default();
        let _: Ipv6Addr = host.parse().map_err(|_| {
            invalid("a host in the Postgres URL begins with '[' and is no IPv6 address; one is written like [::1]:5432")
        })?;
        (host.to_owned(), port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        (percent::decode(host, "host in the Postgres URL")?, port)
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == ',') {
        return Err(invalid("a host in the Postgres URL is empty or has a blank in it; write a name or an address"));
    }
    let number = port.strip_prefix(':').unwrap_or("5432");
    let is_number =
        number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_number || !(port.is_empty() || port.starts_with(':')) {
        return Err(invalid("the port of a host in the Postgres URL is no number from 1 to 65535"));
    }
    Ok((host, if port.is_empty() { String::new() } else { number.to_owned() }))
}

#[cold]
fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}
