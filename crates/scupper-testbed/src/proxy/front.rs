//! The proxy as a test has it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::port::listen_on_free_port;
use crate::proxy::control::Control;
use crate::proxy::fault::Fault;
use crate::proxy::link::Link;

/// Passes connections on to a server on this machine, and breaks them as its [`Fault`] says. Dropping it closes them all.
///
/// # Examples
///
/// ```
/// use scupper_testbed::{Client, Fault, Proxy, RedisServer};
///
/// let server = RedisServer::start();
/// let proxy = Proxy::to(server.address());
/// let mut client = Client::connect(proxy.port())?;
/// proxy.set(Fault::cut_after_send().when_sent("INCR"));
/// assert!(client.command(&["INCR", "visits"]).is_err());
/// assert_eq!(server.command(&["GET", "visits"]).text(), "1");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    control: Arc<Control>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a port of its own, which passes everything.
    ///
    /// # Panics
    ///
    /// When the server's address is not one of this machine alone.
    #[must_use = "a proxy lives as long as its value"]
    pub fn to(server: SocketAddr) -> Self {
        assert!(server.ip().is_loopback(), "A test talks to loopback alone, and not to {server}.");
        let listener = listen_on_free_port();
        let address = listener.local_addr().expect("it listens");
        let control = Arc::new(Control::default());
        let listening = thread::spawn({
            let control = Arc::clone(&control);
            move || listen(&listener, server, &control)
        });
        Self { address, control, listening: Some(listening) }
    }

    /// The port that it listens on, of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a fault in place of the one there was, and begins to count its strikes.
    pub fn set(&self, fault: Fault) {
        self.control.set(Some(fault));
    }

    /// Removes the fault: everything passes, and what was held goes on. A connection that was being cut stays so.
    pub fn heal(&self) {
        self.control.set(None);
    }

    /// Closes the connections that there are. New ones are as the fault has them.
    pub fn close_connections(&self) {
        self.control.close_links();
    }

    /// How many connections clients have made, those that were refused too.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.control.connections()
    }

    /// How many bytes went on to the server.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.control.sent()
    }

    /// How many bytes went back to clients.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.control.received()
    }

    /// How often the fault that was last set has struck. A cut counts when it is done, just before the client can see it;
    /// all others count when they begin.
    #[must_use]
    pub fn strikes(&self) -> u64 {
        self.control.strikes()
    }

    /// Waits until the fault that was last set has struck.
    ///
    /// # Panics
    ///
    /// When it has not within a minute.
    pub fn await_strike(&self) {
        self.await_strikes(1);
    }

    /// Waits until the fault that was last set has struck so many times.
    ///
    /// # Panics
    ///
    /// When it has not within a minute.
    pub fn await_strikes(&self, count: u64) {
        self.control.await_strikes(count);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.close();
        // It waits for a connection, and this is one.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, server: SocketAddr, control: &Control) {
    thread::scope(|threads| {
        for client in listener.incoming().flatten() {
            if control.is_closed() {
                break;
            }
            if let Some(ticket) = control.admit() {
                threads.spawn(move || carry(client, server, ticket, control));
            }
        }
    });
}

/// Carries a connection until it ends. Where the server takes none, the client's is closed.
fn carry(client: TcpStream, server: SocketAddr, ticket: u64, control: &Control) {
    let link = TcpStream::connect(server).and_then(|server| Link::new(client, server)).map(Arc::new);
    if let Ok(link) = link
        && control.register(&link, ticket)
    {
        link.carry(control);
    }
}
