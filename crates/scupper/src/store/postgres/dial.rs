use std::io;
use std::path::PathBuf;

use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::store::wire::{Record, Wire};
use crate::sync::Arc;

/// A server to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    way: Way,
    /// Its name or address, for TLS; empty if its socket lies in a folder.
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Network(String, u16),
    /// The socket lies in a folder.
    Local(PathBuf),
}

/// A connection that nothing was said on yet.
pub(super) struct Dialled {
    pub(super) wire: Wire,
    /// How far it gets.
    pub(super) record: Arc<Record>,
    /// Tells what whoever reads from it has not been told yet.
    pub(super) probe: Socket,
}

const PORT: u16 = 5432;

impl Target {
    /// Those that are named, in their order.
    pub(super) fn of(config: &Config) -> Vec<Self> {
        let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        let target = |nth: usize| {
            let port = ports.get(nth).or(ports.first()).copied().unwrap_or(PORT);
            let name = match (hosts.get(nth), addresses.get(nth)) {
                (Some(Host::Tcp(name)), _) => name.clone(),
                (_, Some(address)) => address.to_string(),
                _ => String::new(),
            };
            let way = match (addresses.get(nth), hosts.get(nth)) {
                (Some(address), _) => Way::Network(address.to_string(), port),
                (None, Some(Host::Unix(folder))) => Way::Local(folder.join(format!(".s.PGSQL.{port}"))),
                (None, _) => Way::Network(name.clone(), port),
            };
            Self { way, name }
        };
        (0..hosts.len().max(addresses.len())).map(target).collect()
    }

    pub(super) async fn dial(&self, config: &Config) -> io::Result<Dialled> {
        let record = Arc::new(Record::default());
        match &self.way {
            Way::Network(host, port) => {
                let addresses: Vec<_> = lookup_host((host.as_str(), *port)).await?.collect();
                let stream = TcpStream::connect(addresses.as_slice()).await?;
                stream.set_nodelay(true)?;
                keep_alive(&SockRef::from(&stream), config)?;
                let probe = SockRef::from(&stream).try_clone()?;
                Ok(Dialled { wire: Wire::new(stream, Arc::clone(&record)), record, probe })
            }
            Way::Local(path) => {
                let stream = UnixStream::connect(path).await?;
                let probe = SockRef::from(&stream).try_clone()?;
                Ok(Dialled { wire: Wire::new(stream, Arc::clone(&record)), record, probe })
            }
        }
    }
}

fn keep_alive(socket: &SockRef<'_>, config: &Config) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(limit) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*limit))?;
    }
    if !config.get_keepalives() {
        return Ok(());
    }
    let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        keepalive = keepalive.with_retries(retries);
    }
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_that_is_named_is_gone_to_in_its_order() {
        let config: Config = "host=db1,db2,/run/pg port=1,2,3 hostaddr=127.0.0.1,127.0.0.2,127.0.0.3".parse().unwrap();
        let names: Vec<_> = Target::of(&config).into_iter().map(|target| (target.way, target.name)).collect();
        let at = |last, port| Way::Network(format!("127.0.0.{last}"), port);
        assert_eq!(names, [(at(1, 1), "db1".into()), (at(2, 2), "db2".into()), (at(3, 3), "127.0.0.3".into())]);
        let config: Config = "hostaddr=127.0.0.1 port=1".parse().unwrap();
        let alone: Vec<_> = Target::of(&config).into_iter().map(|target| (target.way, target.name)).collect();
        assert_eq!(alone, [(at(1, 1), "127.0.0.1".into())], "a certificate may be for an address");
        let config: Config = "host=/run/pg,db port=7".parse().unwrap();
        let ways: Vec<_> = Target::of(&config).into_iter().map(|target| target.way).collect();
        assert_eq!(ways, [Way::Local("/run/pg/.s.PGSQL.7".into()), Way::Network("db".into(), 7)]);
    }
}
