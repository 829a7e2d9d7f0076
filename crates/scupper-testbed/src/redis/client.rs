//! A connection to Redis that owes nothing to the library under test.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::patience::PATIENCE;
use crate::redis::reply::Reply;

/// A connection to a server on this machine: one command at a time.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command and waits for its answer. A refusal is an answer too.
    ///
    /// # Errors
    ///
    /// When the connection fails or ends, or no answer has come within a minute.
    pub fn command<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Reply> {
        self.send(words)?;
        self.receive()
    }

    /// Sends a command, so that others can be sent before its answer.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            write!(bytes, "${}\r\n", word.len())?;
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes)
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    ///
    /// When the connection fails or ends, or no answer has come within a minute.
    pub fn receive(&mut self) -> io::Result<Reply> {
        Reply::read(&mut self.0)
    }
}
