//! Loopback ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below what systems give to outgoing connections, which could take the port of a server that is being restarted. With
/// [`BUS_OFFSET`] they stay below too, and apart from these.
const PORTS: Range<u16> = 10_000..20_000;

/// A node of a cluster also listens this much higher, for the other nodes.
const BUS_OFFSET: u16 = 10_000;

/// A free port on 127.0.0.1, from 10,000 to 19,999; the port that is 10,000 higher is free as well.
///
/// No two calls in a process return the same port, until all have been used. Another process may take it first.
#[must_use]
pub fn free_port() -> u16 {
    // Processes begin at different places, so that they seldom try the same port at the same moment.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(first()));
    let numbers = (0..PORTS.len()).map(|_| NEXT.fetch_add(1, Ordering::Relaxed) % count() + PORTS.start);
    let mut free = numbers.filter(|&port| is_free(port) && is_free(port + BUS_OFFSET));
    free.next().expect("some port from 10,000 to 19,999 must be free")
}

/// Listens on a free port, which nobody gets by chance right after it is given up: so a test sees that it refuses.
pub(crate) fn listen_on_free_port() -> TcpListener {
    let mut tried = (0..PORTS.len()).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())));
    tried.find_map(Result::ok).expect("some port from 10,000 to 19,999 must be free")
}

fn count() -> u16 {
    PORTS.end - PORTS.start
}

fn first() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    let anywhere = (process::id().wrapping_mul(7919) ^ now) % u32::from(count());
    u16::try_from(anywhere).unwrap_or(0)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_return_the_same_port() {
        let mut ports: Vec<u16> = (0..100).map(|_| free_port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 100);
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }
}
