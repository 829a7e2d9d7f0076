use std::future::poll_fn;
use std::io;
use std::mem::{MaybeUninit, forget};
use std::net::Shutdown;
use std::pin::pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Arg, AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value, parse_redis_value};
use socket2::{SockRef, Socket};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::unconstrained;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::detached::Detached;
use crate::error::{Error, Result};
use crate::hold_back::hold_back;
use crate::store::io::Runner;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::login::Login;
use crate::store::redis::refusal;
use crate::store::wire::{Record, Wire};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// One connection to one server, for several calls at once. Nothing that was said on it is ever said again.
pub(super) struct Link {
    connection: MultiplexedConnection,
    record: Arc<Record>,
    driver: Arc<Detached>,
    /// Tells what the driver has not been told yet.
    probe: Socket,
    /// The bytes of all calls so far, in the order in which they are written.
    queued: Mutex<u64>,
    /// Of these, the bytes of calls that nobody waits for any more: they may never be written.
    given_up: AtomicU64,
    /// How many calls have not been answered yet.
    unanswered: AtomicU64,
}

/// The connection broke, or no answer came in time.
#[derive(Debug)]
pub(super) struct Broken {
    /// Where this is false, not one byte of the call has left nor ever will: it can be sent again, elsewhere.
    pub(super) was_sent: bool,
    pub(super) error: RedisError,
}

/// As many calls as can wait to be written, which is more than there ever are: each of them must get its place at once.
const QUEUE: usize = 1 << 20;

impl Link {
    /// Connects, says who one is, and chooses the database.
    pub(super) async fn connect(endpoint: &Endpoint, login: &Login, within: Duration) -> Result<Self> {
        let connected = timeout(within, Self::open(endpoint, login)).await;
        connected.unwrap_or_else(|_| Err(refusal::too_late(endpoint, login, within)))
    }

    async fn open(endpoint: &Endpoint, login: &Login) -> Result<Self> {
        let record = Arc::new(Record::default());
        let (wire, probe) = wire(endpoint, login, Arc::clone(&record)).await?;
        // Times are kept here, and the opening is a call like others: the errors of that library's own would tell too little.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let made = MultiplexedConnection::new_with_config(&info, wire, config).await;
        let (connection, driver) = made.map_err(|error| refusal::not_reached(endpoint, io::Error::other(error)))?;
        // What a call queues is on its way to the socket before the call waits.
        let driver = Runner::here().begin(driver);
        let (queued, given_up, unanswered) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        let link = Self { connection, record, driver, probe, queued, given_up, unanswered };

        let answers =
            link.call(&login.opening, Duration::MAX).await.map_err(|broken| link.explain(endpoint, login, broken))?;
        for (&step, answer) in login.steps.iter().zip(&answers) {
            if let Value::ServerError(error) = answer
                && let Some(error) = refusal::refused(endpoint, login, step, error)
            {
                return Err(error);
            }
        }
        Ok(link)
    }

    fn explain(&self, endpoint: &Endpoint, login: &Login, broken: Broken) -> Error {
        // A server that has no room says so before it is asked, and closes: that answers no call.
        if let Ok(Value::ServerError(error)) = parse_redis_value(&self.record.heard())
            && let Some(&step) = login.steps.first()
            && let Some(error) = refusal::refused(endpoint, login, step, &error)
        {
            return error;
        }
        match self.record.take_failure() {
            None if !self.record.was_closed() => refusal::no_redis(endpoint).with_source(broken.error),
            failure => refusal::broken_off(endpoint, login, failure),
        }
    }

    /// Sends these commands in one go, and waits for an answer to each: where the server refuses one, that is its answer.
    /// They are no transaction.
    ///
    /// After any failure but a lack of time the link has ended. It has as well where there was no time to send the first byte.
    pub(super) async fn call(&self, commands: &Pipeline, within: Duration) -> Result<Vec<Value>, Broken> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        debug_assert!(!commands.is_transaction());
        let length = packed_length(commands);
        let mut connection = self.connection.clone();
        // Unconstrained, the first poll queues the call; otherwise the runtime might want to see to others first.
        let mut answers = pin!(unconstrained(connection.send_packed_commands(commands, 0, commands.len())));
        let given_up = GivenUp { link: self, length };
        self.unanswered.fetch_add(1, Ordering::AcqRel);
        let mut place = None;
        let in_time = timeout(
            within,
            poll_fn(|context| {
                if place.is_some() {
                    return answers.as_mut().poll(context);
                }
                // Places are taken in the order in which calls are queued; what that has sent, and what it wakes, comes after.
                hold_back(|| {
                    let mut queued = lock(&self.queued);
                    place = Some(*queued);
                    *queued += length;
                    answers.as_mut().poll(context)
                })
            }),
        );
        let outcome = in_time.await;
        forget(given_up);
        let start = place.unwrap_or_default();
        let error = match outcome {
            Ok(Ok(answers)) => {
                self.unanswered.fetch_sub(1, Ordering::AcqRel);
                return Ok(answers);
            }
            // That library knows the cause of the first failure alone, and not always.
            Ok(Err(error)) => self.record.failure().map_or(error, Into::into),
            Err(late) => {
                if self.record.written() > start {
                    return Err(Broken { was_sent: true, error: io::Error::from(late).into() });
                }
                self.given_up.fetch_add(length, Ordering::AcqRel);
                io::Error::from(late).into()
            }
        };
        // Nothing is written from here on, so what has not left stays.
        self.abandon();
        // Calls before this one that were given up may have made room for it.
        let earliest = start.saturating_sub(self.given_up.load(Ordering::Acquire));
        Err(Broken { was_sent: self.record.written() > earliest, error })
    }

    /// Whether calls can still be made; false as soon as the server closes the connection.
    pub(super) fn is_open(&self) -> bool {
        !self.record.has_ended() && !self.driver.is_over() && !self.was_closed()
    }

    /// Whether the system knows that the other end is closed, ahead of whoever waits for it to say so. What comes unasked is a
    /// farewell: under TLS there is one, and a server that sends its clients away may say why.
    fn was_closed(&self) -> bool {
        let is_idle = self.unanswered.load(Ordering::Acquire) == 0;
        match self.probe.peek(&mut [MaybeUninit::uninit()]) {
            Ok(heard) => heard == 0 || is_idle,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    /// Closes the connection: what is in flight fails.
    pub(super) fn abandon(&self) {
        self.record.seal();
        self.driver.end();
        // The driver may have been its last holder but one.
        let _ = self.probe.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Counts a call as given up, unless it is forgotten.
struct GivenUp<'a> {
    link: &'a Link,
    length: u64,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.link.given_up.fetch_add(self.length, Ordering::AcqRel);
    }
}

async fn wire(endpoint: &Endpoint, login: &Login, record: Arc<Record>) -> Result<(Wire, Socket)> {
    let addresses = lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses: Vec<_> = addresses.map_err(|error| refusal::not_found(endpoint, error))?.collect();
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
    let stream = stream.map_err(|error| refusal::not_reached(endpoint, error))?;
    let probe = SockRef::from(&stream).try_clone().map_err(|error| refusal::not_reached(endpoint, error))?;
    let Some(tls) = &login.tls else { return Ok((Wire::new(stream, record), probe)) };
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| refusal::nameless(endpoint))?;
    match tls.connect(name, stream).await {
        Ok(stream) => Ok((Wire::failing_midway(stream, record), probe)),
        Err(error) => Err(refusal::broken_off(endpoint, login, Some(error))),
    }
}

/// How many bytes these commands are on the wire, without writing them there.
fn packed_length(commands: &Pipeline) -> u64 {
    let length: Option<usize> = commands.cmd_iter().map(command_length).sum();
    length.unwrap_or_else(|| commands.get_packed_pipeline().len()) as u64
}

fn command_length(command: &Cmd) -> Option<usize> {
    let arguments = command.args_iter();
    let head = head_length(arguments.len());
    let lengths = arguments.map(|argument| match argument {
        Arg::Simple(bytes) => Some(head_length(bytes.len()) + bytes.len() + 2),
        _ => None,
    });
    Some(head + lengths.sum::<Option<usize>>()?)
}

/// The length of a line that says a kind and this number.
fn head_length(number: usize) -> usize {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    1 + digits + 2
}

#[cfg(test)]
mod tests;
