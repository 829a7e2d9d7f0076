//! A server in the test itself, that does what the test says.

use std::future::Future;
use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::store::redis::endpoint::Endpoint;

/// A client, as the server sees it.
pub(super) struct Peer<S = TcpStream>(BufReader<S>);

/// Serves one client after the other, each in this way.
pub(super) async fn serve<F>(serve: impl Fn(Peer) -> F + Send + Sync + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send,
{
    let (endpoint, listener) = listen().await;
    tokio::spawn(async move {
        loop {
            serve(accept(&listener).await).await;
        }
    });
    endpoint
}

/// Serves one client in this way, and nobody after.
pub(super) async fn serve_one<F>(serve: impl FnOnce(Peer) -> F + Send + 'static) -> (Endpoint, JoinHandle<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (endpoint, listener) = listen().await;
    let server = tokio::spawn(async move {
        let peer = accept(&listener).await;
        drop(listener);
        serve(peer).await
    });
    (endpoint, server)
}

/// An endpoint where nobody listens, and nobody can while there is the socket.
pub(super) fn nobody() -> (Endpoint, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (Endpoint::new("127.0.0.1", port), socket)
}

pub(super) async fn listen() -> (Endpoint, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (Endpoint::new("127.0.0.1", port), listener)
}

async fn accept(listener: &TcpListener) -> Peer {
    Peer::new(listener.accept().await.unwrap().0)
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next command.
    pub(super) async fn command(&mut self) -> Vec<String> {
        let count = self.number('*').await;
        let mut command = Vec::new();
        for _ in 0..count {
            let mut argument = vec![0; self.number('$').await + 2];
            self.0.read_exact(&mut argument).await.unwrap();
            command.push(String::from_utf8_lossy(&argument[..argument.len() - 2]).into_owned());
        }
        command
    }

    async fn number(&mut self, kind: char) -> usize {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().strip_prefix(kind).unwrap().parse().unwrap()
    }

    /// Reads commands up to `PING`, and answers each as a server does that is content.
    pub(super) async fn greet(&mut self) -> Vec<Vec<String>> {
        let mut said = Vec::new();
        loop {
            let command = self.command().await;
            if command == ["PING"] {
                self.say("+PONG\r\n").await;
                return said;
            }
            self.say("+OK\r\n").await;
            said.push(command);
        }
    }

    pub(super) async fn say(&mut self, answer: &str) {
        self.0.write_all(answer.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Waits until the client is gone.
    pub(super) async fn gone(&mut self) {
        let _ = self.0.read_to_end(&mut Vec::new()).await;
    }
}
