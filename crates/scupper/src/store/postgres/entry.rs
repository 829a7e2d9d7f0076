use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, Config, Error as PostgresError, SimpleQueryMessage};

use crate::error::{Error, ErrorKind, Result};
use crate::store::io::Runner;
use crate::store::postgres::dial::Target;
use crate::store::postgres::failure::{Failure, not_dialled, not_reached};
use crate::store::postgres::held::held_back;
use crate::store::postgres::in_turn::in_turn;
use crate::store::postgres::notices::Notices;
use crate::store::postgres::rights::Lacking;
use crate::store::postgres::schema::Schema;
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

/// What a connection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// There is no schema, or not all of this library in it.
    Missing,
}

/// What the schema on a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    version: Option<i32>,
    is_standby: bool,
}

impl Entry {
    /// A connection on which everything is ready.
    pub(super) async fn open(&self, runner: &Runner) -> Result<Session> {
        let opened = timeout(self.settings.connect_within, held_back(self.open_at_leisure(runner))).await;
        let (session, state) = opened.unwrap_or_else(|_| Err(self.late()))?;
        if state == State::Missing {
            // It comes once, and all who come at the same time make it one after the other.
            let due = session.begin();
            let made = timeout(self.settings.answer_within, held_back(self.make(&session))).await;
            made.unwrap_or_else(|_| Err(self.made_late()))?;
            due.done();
        }
        Ok(session)
    }

    #[cold]
    fn late(&self) -> Error {
        let what = format!(
            "Postgres at {} could not be reached within {:?}: no connection was ready by then; connect_timeout in the URL, or \
             connect_within, gives it longer",
            self.place, self.settings.connect_within
        );
        Error::new(ErrorKind::Unavailable, what)
    }

    #[cold]
    fn made_late(&self) -> Error {
        let what = format!(
            "the schema {:?} could not be made at {} within {:?}; answer_within gives it longer",
            self.schema.name(),
            self.place,
            self.settings.answer_within
        );
        Error::new(ErrorKind::Unavailable, what)
    }

    /// With the first of the servers that lets one in.
    async fn open_at_leisure(&self, runner: &Runner) -> Result<(Session, State)> {
        let mut targets = Target::of(&self.config);
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            targets.sort_by_cached_key(|target| RandomState::new().hash_one(&target.name));
        }
        let (mut last, end) = (None, Instant::now() + self.settings.connect_within);
        for (nth, target) in targets.iter().enumerate() {
            // One that does not answer leaves the others their time.
            let others = u32::try_from(targets.len() - nth).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / others;
            let opened = timeout(share, self.open_at(target, runner)).await;
            match opened.unwrap_or_else(|_| Err(self.late())) {
                Ok(opened) => return Ok(opened),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::InvalidConfig, "no server is named")))
    }

    async fn open_at(&self, target: &Target, runner: &Runner) -> Result<(Session, State)> {
        let dialled = target.dial(&self.config).await.map_err(|error| not_dialled(error, &self.place))?;
        let connected = self.config.connect_raw(dialled.wire, self.connector.towards(&target.name)).await;
        let (client, connection) = connected.map_err(|error| not_reached(error, &self.place))?;
        let notices = Arc::<Notices>::default();
        let listening = Arc::clone(&notices);
        let driver = runner.begin(async move { listening.listen(connection).await });
        let wire = (dialled.record, dialled.probe);
        let session = Session::new((client, target.clone()), driver, wire, notices, Arc::clone(&self.texts));
        let due = session.begin();
        self.check_role(session.client()).await?;
        let state = self.prepare(&session).await?;
        due.done();
        Ok((session, state))
    }

    /// Has a server end what a session of it is at, if it still is; where it cannot be told so, it goes on.
    pub(super) async fn call_off(&self, session: CancelToken, target: &Target) {
        let told = async {
            if let Ok(dialled) = target.dial(&self.config).await {
                // Whether it has heard is not said.
                let _ = session.cancel_query_raw(dialled.wire, self.connector.towards(&target.name)).await;
            }
        };
        let _ = timeout(self.settings.connect_within, told).await;
    }

    /// Whether it takes changes, or takes none, if the URL asks for that.
    async fn check_role(&self, client: &Client) -> Result<()> {
        let wanted = match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => "off",
            TargetSessionAttrs::ReadOnly => "on",
            _ => return Ok(()),
        };
        let rows = client.simple_query("SHOW transaction_read_only").await.map_err(|error| self.not_ready(error))?;
        if value(&rows, 0) == Some(wanted) {
            return Ok(());
        }
        let what = format!("none of the servers at {} is what target_session_attrs asks for", self.place);
        Err(Error::new(ErrorKind::Unavailable, what))
    }

    async fn prepare(&self, session: &Session) -> Result<State> {
        let opening = self.opening();
        let set = in_turn(session.client().batch_execute(&opening), self.look(session.client()));
        let ((set, state), prepared) = in_turn(set, session.statement(Query::Decide)).await;
        set.map_err(|error| self.not_ready(error))?;
        if state? == State::Missing {
            return Ok(State::Missing);
        }
        prepared.map_err(|error| self.not_ready(error))?;
        Ok(State::Ready)
    }

    /// The settings that what is decided depends on, whatever the role or the database has.
    fn opening(&self) -> String {
        let settings = &self.settings;
        let millis = |limit: Duration| limit.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
        let mut sql = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; \
                       SET search_path = pg_catalog; SET client_min_messages = warning; SET jit = off; "
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
            // Also where it is so already: what a session has not set follows the server's settings for as long as it lasts.
            Durability::Strict => {
                "SELECT pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit') \
                 WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"
            }
            Durability::Relaxed => "SET synchronous_commit = off",
        });
        sql
    }

    /// Whether the schema is there, is one that this library knows, and may be used as the store uses it.
    async fn look(&self, client: &Client) -> Result<State> {
        let (version, lacking) = in_turn(self.version(client), Lacking::look(client, &self.schema)).await;
        match version {
            Ok(found) => self.check(found)?,
            Err(error) if is_missing(&error) => return Ok(State::Missing),
            Err(error) => {
                // Who may not even ask is told what it lacks.
                let lacks = lacking.map_or(Ok(()), |lacking| lacking.check(&self.schema));
                return Err(lacks.err().unwrap_or_else(|| self.not_ready(error)));
            }
        }
        let lacking = lacking.map_err(|error| self.not_ready(error))?;
        if lacking.is_incomplete() {
            return Ok(State::Missing);
        }
        lacking.check(&self.schema)?;
        Ok(State::Ready)
    }

    /// What the schema says of itself.
    async fn version(&self, client: &Client) -> Result<Found, PostgresError> {
        let sql = self.schema.within("SELECT {s}.version(), pg_catalog.pg_is_in_recovery()");
        let rows = client.simple_query(&sql).await?;
        let version = value(&rows, 0).and_then(|text| text.parse().ok());
        Ok(Found { version, is_standby: value(&rows, 1) == Some("t") })
    }

    fn check(&self, found: Found) -> Result<()> {
        if found.is_standby {
            // It would deny by what it knows, which may be old.
            let what = format!("Postgres at {} is a standby that takes no changes; name its primary", self.place);
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        self.schema.check(found.version)
    }

    /// Makes what is missing, once among all who come for it.
    async fn make(&self, session: &Session) -> Result<()> {
        if let Err(error) = session.client().batch_execute(&self.schema.sql()).await {
            return Err(self.not_made(error));
        }
        if self.look(session.client()).await? == State::Missing {
            let what = format!("the schema {:?} was removed as soon as it was made", self.schema.name());
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        session.statement(Query::Decide).await.map(drop).map_err(|error| self.not_ready(error))
    }

    fn not_made(&self, error: PostgresError) -> Error {
        if error.code() == Some(&SqlState::SYNTAX_ERROR) {
            let what = format!("Postgres at {} is too old for this store: it needs 14 or newer", self.place);
            return Error::new(ErrorKind::InvalidConfig, what).with_source(error);
        }
        if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return self.not_ready(error);
        }
        let role = self.config.get_user();
        let database = self.config.get_dbname().or(role).unwrap_or("the database");
        let what = self.schema.not_made(role.unwrap_or("the role of the store"), database);
        Error::new(ErrorKind::InvalidConfig, what).with_source(error)
    }

    fn not_ready(&self, error: PostgresError) -> Error {
        Failure::of(error, &self.place).nothing_done().error
    }
}

/// What the first row has in this column.
fn value(rows: &[SimpleQueryMessage], column: usize) -> Option<&str> {
    rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(column),
        _ => None,
    })
}

fn is_missing(error: &PostgresError) -> bool {
    matches!(error.code(), Some(code) if [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_FUNCTION].contains(code))
}
