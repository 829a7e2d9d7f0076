use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::store::percent::{self, Encoded};
use crate::store::redis::access::Access;
use crate::store::redis::endpoint::{Endpoint, digits};
use crate::store::redis::options::Options;
use crate::store::redis::scheme::{Layout, Scheme};

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const DEFAULT_PREFIX: &str = "scupper:";

/// What a Redis URL says. It is shown without its passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) topology: Topology,
    pub(super) access: Access,
    /// The sentinels' own; that of the servers is another.
    pub(super) sentinel_access: Access,
    /// What every key begins with.
    pub(super) prefix: String,
}

/// Which servers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    Single(Endpoint),
    /// The sentinels know where the master of this name is.
    Sentinel {
        sentinels: Vec<Endpoint>,
        master: String,
    },
    /// Some of the nodes; they know the others.
    Cluster(Vec<Endpoint>),
}

impl FromStr for Address {
    type Err = Error;

    /// Errors name the part that is wrong, and quote nothing of it: where a character is missing, it may be the password.
    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .and_then(|(scheme, rest)| Some((Scheme::parse(scheme)?, rest)))
            .ok_or_else(|| invalid(WRONG_SCHEME))?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains(['@', '#']) {
            return Err(invalid(STRAY));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if credentials.contains([',', '@']) {
            return Err(invalid(STRAY_CREDENTIALS));
        }
        let mut access = credentials_of(credentials)?;
        let default_port = if scheme.layout == Layout::Sentinel { SENTINEL_PORT } else { SERVER_PORT };
        let mut endpoints = endpoints(hosts, default_port)?;
        let mut options = Options::parse(query, scheme)?;

        let path = path.strip_prefix('/').unwrap_or_default();
        let topology = match scheme.layout {
            Layout::Single => {
                access.database = database(path)?;
                if endpoints.len() > 1 {
                    return Err(invalid(SEVERAL_HOSTS));
                }
                Topology::Single(endpoints.remove(0))
            }
            Layout::Sentinel => {
                let (master, path) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(invalid(NO_MASTER));
                }
                access.database = database(path)?;
                Topology::Sentinel {
                    sentinels: endpoints,
                    master: percent::decode(master, "name of the master in the Redis URL")?,
                }
            }
            Layout::Cluster => {
                if database(path)? != 0 {
                    return Err(invalid(CLUSTER_DATABASE));
                }
                Topology::Cluster(endpoints)
            }
        };
        access.tls = if scheme.has_tls { Some(options.take_tls_files()?) } else { None };
        let mut sentinel_access = Access::of(options.take("sentinel_user"), options.take("sentinel_password"));
        sentinel_access.tls = access.tls.clone().filter(|_| scheme.layout == Layout::Sentinel);
        let prefix = options.take("prefix").unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        Ok(Self { topology, access, sentinel_access, prefix })
    }
}

const WRONG_SCHEME: &str = "a Redis URL begins with redis://, rediss:// (TLS), redis+sentinel://, rediss+sentinel://, \
    redis+cluster:// or rediss+cluster://; valkey may stand in place of redis";
const STRAY: &str = "the Redis URL has a '@' or a '#' where none can be; in a user, a password or an option, write '@' as %40, \
    '#' as %23, '/' as %2F, '?' as %3F and '%' as %25";
const STRAY_CREDENTIALS: &str = "the Redis URL has a ',' or a second '@' before its hosts; user and password stand there once, for \
    all hosts, and in them ',' is written %2C and '@' %40";
const SEVERAL_HOSTS: &str = "the Redis URL names several hosts; for a cluster write redis+cluster://host,host, for sentinels \
    redis+sentinel://host,host/master";
const NO_MASTER: &str = "the Redis URL names no master behind its sentinels; write redis+sentinel://host,host/master, with the \
    name that the sentinels monitor it under";
const CLUSTER_DATABASE: &str =
    "the Redis URL names a database of a cluster, and a cluster has only database 0; leave it out";
const WRONG_DATABASE: &str = "the database in the Redis URL is no number from 0 on; it stands behind the last '/', like \
    redis://localhost/1, or nothing does";

fn credentials_of(text: &str) -> Result<Access> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = percent::decode(user, "user in the Redis URL")?;
    let password = password.map(|password| percent::decode(password, "password in the Redis URL")).transpose()?;
    Ok(Access::of(Some(user), password))
}

fn endpoints(hosts: &str, default_port: u16) -> Result<Vec<Endpoint>> {
    let is_one = !hosts.contains(',');
    let place = |index: usize| if is_one { "the host".to_owned() } else { format!("host {}", index + 1) };
    hosts.split(',').enumerate().map(|(index, host)| Endpoint::parse(host, default_port, &place(index))).collect()
}

fn database(path: &str) -> Result<u32> {
    if path.is_empty() { Ok(0) } else { digits(path).ok_or_else(|| invalid(WRONG_DATABASE)) }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layout, endpoints) = match &self.topology {
            Topology::Single(endpoint) => (Layout::Single, std::slice::from_ref(endpoint)),
            Topology::Sentinel { sentinels, .. } => (Layout::Sentinel, sentinels.as_slice()),
            Topology::Cluster(nodes) => (Layout::Cluster, nodes.as_slice()),
        };
        write!(f, "{}://", Scheme { layout, has_tls: self.access.tls.is_some() })?;
        let Access { user, password, database, tls } = &self.access;
        if user.is_some() || password.is_some() {
            write!(f, "{}", Encoded(user.as_deref().unwrap_or_default(), b""))?;
            password.iter().try_for_each(|password| write!(f, ":{password}"))?;
            f.write_str("@")?;
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if index == 0 { "" } else { "," })?;
        }
        if let Topology::Sentinel { master, .. } = &self.topology {
            write!(f, "/{}", Encoded(master, b""))?;
        }
        if *database != 0 {
            write!(f, "/{database}")?;
        }
        let mut separator = '?';
        let mut option = |name: &str, value: &dyn fmt::Display| {
            write!(f, "{separator}{name}={value}")?;
            separator = '&';
            Ok(())
        };
        if self.prefix != DEFAULT_PREFIX {
            option("prefix", &Encoded(&self.prefix, b":/"))?;
        }
        let (authority, client) =
            tls.as_ref().map(|tls| (tls.authority.as_ref(), tls.client.as_ref())).unwrap_or_default();
        let files = [
            ("ca", authority),
            ("cert", client.map(|client| &client.certificate)),
            ("key", client.map(|client| &client.key)),
        ];
        for (name, path) in files.into_iter().filter_map(|(name, path)| Some((name, path?))) {
            option(name, &Encoded(&path.to_string_lossy(), b":/"))?;
        }
        let Access { user, password, .. } = &self.sentinel_access;
        user.iter().try_for_each(|user| option("sentinel_user", &Encoded(user, b"")))?;
        password.iter().try_for_each(|password| option("sentinel_password", password))
    }
}

#[cfg(test)]
mod tests;
