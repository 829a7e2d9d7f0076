use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;

use crate::error::{Error, ErrorKind, Result};
use crate::store::percent;
use crate::store::postgres::options::Options;
use crate::store::postgres::settings::Durability;
use crate::store::postgres::tls_mode::TlsMode;

/// What a Postgres URL says. It is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) config: Config,
    /// Where the servers are, for whoever reads an error.
    pub(super) place: String,
    pub(super) schema: Option<String>,
    pub(super) durability: Option<Durability>,
    pub(super) pool: Option<usize>,
    pub(super) connect_within: Option<Duration>,
    pub(super) tls: Tls,
}

/// Whether what is said is kept from others, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: TlsMode,
    /// Who vouches for the server, in place of those that this host trusts.
    pub(super) authority: Option<PathBuf>,
    /// A certificate of this client, and its key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

const RIGHT_SCHEME: &str =
    "a Postgres URL begins with postgres:// or postgresql://, like postgres://user:password@host:5432/database";
const STRAY: &str = "the Postgres URL has a '@' or a '#' where none can be; in a user, a password, a database or an option, write '@' \
    as %40, '#' as %23, '/' as %2F, '?' as %3F and '%' as %25";
const NO_HOST: &str = "the Postgres URL names no host; write postgres://host/database, or postgres:///database?host=/path for the \
    folder of a socket";

const NOT_ASKED: &str = "the option sslrootcert in the Postgres URL names an authority that nobody would ask; write \
    sslmode=verify-full beside it (or verify-ca or require, which do not look at the name of the host), or leave it out";
const SYSTEM: &str = "the option sslrootcert in the Postgres URL names a file here; for the authorities that this host trusts, leave \
    it out and write sslmode=verify-full";
const NO_USE: &str = "the options sslcert and sslkey in the Postgres URL are of no use with sslmode=disable; leave them out, or \
    write sslmode=verify-full or another that has TLS";

impl FromStr for Address {
    type Err = Error;

    /// Errors name the part that is wrong, and quote nothing of it: where a character is missing, it may be the password.
    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid(RIGHT_SCHEME))?;
        if !["postgres", "postgresql"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(invalid(RIGHT_SCHEME));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains(['@', '#']) {
            return Err(invalid(STRAY));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let mut options = Options::parse(query)?;
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if credentials.contains(['@', ',']) {
            return Err(invalid(STRAY));
        }
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        options.add("user", percent::decode(user, "user in the Postgres URL")?)?;
        options.add("password", percent::decode(password, "password in the Postgres URL")?)?;
        let database = path.strip_prefix('/').unwrap_or_default();
        options.add("dbname", percent::decode(database, "database in the Postgres URL")?)?;
        options.add_hosts(hosts)?;
        Self::of(options)
    }
}

impl Address {
    fn of(mut options: Options) -> Result<Self> {
        let place = options.place().ok_or_else(|| invalid(NO_HOST))?;
        let schema = options.take("schema");
        let durability = options.take("durability").map(|text| durability(&text)).transpose()?;
        let pool = options.take("pool").map(|text| number("pool", &text)).transpose()?;
        let seconds = options.take("connect_timeout").map(|text| number("connect_timeout", &text)).transpose()?;
        let tls = Tls::of(&mut options)?;
        let config = options.into_config(tls.mode)?;
        // To other clients 0 is no limit. Here there always is one, and 0 does not choose it.
        let connect_within = seconds.filter(|&seconds| seconds > 0).map(Duration::from_secs);
        Ok(Self { config, place, schema, durability, pool, connect_within, tls })
    }
}

impl Tls {
    fn of(options: &mut Options) -> Result<Self> {
        let mode = options.take("sslmode").map_or(Ok(TlsMode::default()), |text| text.parse())?;
        let mut file = |name: &str| match options.take(name) {
            Some(path) if path.is_empty() => Err(invalid(format!(
                "the option {name} in the Postgres URL is empty; name a PEM file, or leave it out"
            ))),
            path => Ok(path.map(PathBuf::from)),
        };
        let authority = file("sslrootcert")?;
        let client = match (file("sslcert")?, file("sslkey")?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => {
                return Err(invalid(
                    "the options sslcert and sslkey in the Postgres URL go together: a certificate in PEM, and its private key",
                ));
            }
        };
        if client.is_some() && mode == TlsMode::Disable {
            return Err(invalid(NO_USE));
        }
        if authority.as_deref() == Some(Path::new("system")) {
            return Err(invalid(SYSTEM));
        }
        if authority.is_none() {
            return Ok(Self { mode, authority, client });
        }
        // Whoever names an authority wants it to be asked.
        if mode < TlsMode::Require {
            return Err(invalid(NOT_ASKED));
        }
        Ok(Self { mode: mode.max(TlsMode::VerifyCa), authority, client })
    }
}

fn durability(text: &str) -> Result<Durability> {
    match text {
        "strict" => Ok(Durability::Strict),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err(invalid("the option durability in the Postgres URL is neither strict nor relaxed")),
    }
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let wrong =
        || format!("the option {name} in the Postgres URL is no whole number, or too large; write {name}=8, say");
    number.ok_or_else(|| invalid(wrong()))
}

#[cold]
fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
mod tests;
