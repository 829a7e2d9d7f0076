//! A session at Postgres that owes nothing to the library under test.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use postgres::{Client, Config, NoTls};

use crate::patience::PATIENCE;
use crate::postgres::refusal::Refusal;
use crate::postgres::rows::Rows;

type Outcome = Result<Rows, Refusal>;

/// A session: one statement, or several, at a time. It ends with its value. It has a thread of its own, so that it can be used
/// in a runtime as well.
///
/// # Examples
///
/// ```
/// use scupper_testbed::SharedPostgres;
///
/// let session = SharedPostgres::get().session();
/// assert_eq!(session.ask("SELECT 6 * 7").number(), 42);
/// assert_eq!(session.try_ask("SELECT 1 / 0").unwrap_err().code.as_deref(), Some("22012"));
/// ```
#[derive(Debug)]
pub struct Session(Sender<(String, Sender<Outcome>)>);

/// An answer that is still to come.
#[derive(Debug)]
#[must_use = "the answer may be a refusal"]
pub struct Pending(Receiver<Outcome>);

impl Session {
    /// Connects by a URL, without TLS.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or the server takes no connection.
    pub fn connect(url: &str) -> Result<Self, Refusal> {
        let mut config: Config = url.parse().map_err(Refusal::from)?;
        config.connect_timeout(PATIENCE);
        let (orders, taken) = channel::<(String, Sender<Outcome>)>();
        let (connected, connection) = channel();
        thread::spawn(move || {
            let mut client = match config.connect(NoTls) {
                Ok(client) => client,
                Err(error) => return drop(connected.send(Err(Refusal::from(error)))),
            };
            // Nobody minds when the one who asked has gone.
            let _ = connected.send(Ok(()));
            for (sql, answer) in taken {
                let _ = answer.send(answer_of(&mut client, &sql));
            }
        });
        await_answer(&connection)?;
        Ok(Self(orders))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Panics
    ///
    /// When the server refuses, the connection ends, or no answer has come within a minute.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "much is asked for what it does")]
    pub fn ask(&self, sql: &str) -> Rows {
        self.try_ask(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// When the server refuses, the connection ends, or no answer has come within a minute.
    pub fn try_ask(&self, sql: &str) -> Result<Rows, Refusal> {
        self.send(sql).answer()
    }

    /// Asks, so that something else can be done before the answer.
    pub fn send(&self, sql: &str) -> Pending {
        let (answer, answered) = channel();
        // Where the thread has ended, so has the connection, and the answer says so.
        let _ = self.0.send((sql.to_owned(), answer));
        Pending(answered)
    }
}

impl Pending {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// When the server refuses, the connection ends, or no answer has come within a minute.
    pub fn answer(self) -> Result<Rows, Refusal> {
        await_answer(&self.0)
    }
}

fn answer_of(client: &mut Client, sql: &str) -> Outcome {
    Ok(Rows::of(&client.simple_query(sql)?))
}

fn await_answer<T>(from: &Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
    from.recv_timeout(PATIENCE).unwrap_or_else(|error| {
        Err(Refusal::lost(match error {
            RecvTimeoutError::Timeout => "no answer has come within a minute",
            RecvTimeoutError::Disconnected => "the session has ended",
        }))
    })
}
