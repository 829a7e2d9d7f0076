use std::fmt::Write as _;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error as PostgresError, SimpleQueryMessage};

use crate::error::{Error, ErrorKind, Result};
use crate::store::io::Runner;
use crate::store::postgres::failure::{Failure, not_reached};
use crate::store::postgres::held::held_back;
use crate::store::postgres::in_turn::in_turn;
use crate::store::postgres::schema::{Schema, VERSION};
use crate::store::postgres::session::Session;
use crate::store::postgres::settings::{Durability, Settings};
use crate::store::postgres::statement::{Query, Texts};
use crate::store::postgres::tls::Connector;
use crate::sync::Arc;

/// What every connection begins with, made ready once.
pub(super) struct Entry {
    pub(super) config: Config,
    pub(super) connector: Connector,
    pub(super) place: String,
    pub(super) schema: Schema,
    pub(super) texts: Arc<Texts>,
    pub(super) settings: Settings,
}

impl Entry {
    /// A connection on which everything is ready.
    pub(super) async fn open(&self, runner: &Runner) -> Result<Session> {
        let opened = timeout(self.settings.connect_within, held_back(self.open_at_leisure(runner))).await;
        opened.unwrap_or_else(|_| {
            let what = format!(
                "Postgres at {} could not be reached within {:?}: no connection was ready by then",
                self.place, self.settings.connect_within
            );
            Err(Error::new(ErrorKind::Unavailable, what))
        })
    }

    async fn open_at_leisure(&self, runner: &Runner) -> Result<Session> {
        let connected = self.config.connect(self.connector.clone()).await;
        let (client, connection) = connected.map_err(|error| not_reached(error, &self.place))?;
        let driver = runner.begin(async move {
            // What goes wrong is told to whoever waits for an answer.
            let _ = connection.await;
        });
        let session = Session::new(client, driver, Arc::clone(&self.texts));
        let due = session.begin();
        self.make_ready(&session).await?;
        due.done();
        Ok(session)
    }

    async fn make_ready(&self, session: &Session) -> Result<()> {
        let opening = self.opening();
        let ready = in_turn(session.client().batch_execute(&opening), self.version(session.client()));
        let ((set, version), prepared) = in_turn(ready, session.statement(Query::Decide)).await;
        set.map_err(|error| self.not_ready(error))?;
        let made = match version {
            Ok(version) => Some(version),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(self.not_ready(error)),
        };
        if let Some(version) = made {
            self.check(version)?;
            prepared.map_err(|error| self.not_ready(error))?;
            return Ok(());
        }
        self.make(session.client()).await?;
        self.check(self.version(session.client()).await.map_err(|error| self.not_ready(error))?)?;
        session.statement(Query::Decide).await.map_err(|error| self.not_ready(error))?;
        Ok(())
    }

    /// The settings that what is decided depends on, whatever the role or the database has.
    fn opening(&self) -> String {
        let settings = &self.settings;
        let millis = |limit: std::time::Duration| limit.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
        let mut sql = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; \
                       SET search_path = pg_catalog; SET client_min_messages = error; "
            .to_owned();
        let limits = [
            ("statement_timeout", settings.statement_within()),
            ("lock_timeout", settings.lock_within),
            ("idle_in_transaction_session_timeout", settings.answer_within),
        ];
        for (name, limit) in limits {
            // Writing to a string cannot fail.
            let _ = write!(sql, "SET {name} = {}; ", millis(limit));
        }
        sql.push_str(match settings.durability {
            Durability::Strict => {
                "SELECT pg_catalog.set_config('synchronous_commit', 'on', false) \
                 WHERE pg_catalog.current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
            }
            Durability::Relaxed => "SET synchronous_commit = off",
        });
        sql
    }

    /// The version that the schema says it is of.
    async fn version(&self, client: &Client) -> Result<Option<i32>, PostgresError> {
        let rows = client.simple_query(&self.schema.within("SELECT {s}.version()")).await?;
        let row = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(row.and_then(|text| text.parse().ok()))
    }

    fn check(&self, version: Option<i32>) -> Result<()> {
        if version == Some(VERSION) {
            return Ok(());
        }
        let found = version.map_or_else(|| "none that is a number".to_owned(), |version| version.to_string());
        let what = format!(
            "the schema {:?} is of version {found}, and this library knows {VERSION}; update the library, or name another schema",
            self.schema.name()
        );
        Err(Error::new(ErrorKind::InvalidConfig, what))
    }

    /// Makes what is missing, once among all who come for it.
    async fn make(&self, client: &Client) -> Result<()> {
        let Err(error) = client.batch_execute(&self.schema.sql()).await else { return Ok(()) };
        if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return Err(self.not_ready(error));
        }
        let what = format!(
            "the schema {0:?} is not there or not complete, and this role may not make it; have an owner of the database run \
             `scupper schema postgres --schema {0:?} | psql`",
            self.schema.name()
        );
        Err(Error::new(ErrorKind::InvalidConfig, what).with_source(error))
    }

    fn not_ready(&self, error: PostgresError) -> Error {
        Failure::of(error, &self.place).nothing_done().error
    }
}

fn is_missing(error: &PostgresError) -> bool {
    matches!(error.code(), Some(code) if [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_FUNCTION].contains(code))
}
