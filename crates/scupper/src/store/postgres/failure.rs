use std::error::Error as StdError;
use std::fmt::Write as _;

use tokio_postgres::Error as PostgresError;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::error::{Error, ErrorKind};

/// How a call came to nothing, or to nobody knows what.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fate: Fate,
    /// Whether the connection can be used again.
    pub(super) keeps_connection: bool,
    pub(super) error: Error,
}

/// What became of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing: it met another transaction, and can be asked for once more.
    Met,
    /// Nothing: somebody else had one of the buckets for too long.
    Locked,
    /// Nothing, and it may be for the sake of one bucket among several.
    Spoiled,
    /// Nothing: not one byte has left.
    NotSent,
    /// Nothing: the connection is not what it was left as, or what it had prepared is gone.
    Lost,
    /// Nothing, and others would fare no better now.
    NotDone,
    /// Nobody knows.
    Unknown,
}

impl Failure {
    /// Of a call that was sent.
    #[cold]
    pub(super) fn of(error: PostgresError, place: &str) -> Self {
        let Some(said) = error.as_db_error() else { return Self::unanswered(error, place) };
        let severity = said.parsed_severity();
        let (fate, kind, advice) = match severity {
            // The server dies, whatever of, and its log may have what it was writing.
            Some(Severity::Panic) => (Fate::Unknown, ErrorKind::Unknown, ""),
            _ => meaning(said.code()),
        };
        let is_over = severity != Some(Severity::Error);
        let outcome =
            if fate == Fate::Unknown { "what was asked may or may not have been done" } else { "nothing was taken" };
        let what = format!("Postgres at {place} says {}; {outcome}{advice}", shown(said));
        let is_of_use = !matches!(fate, Fate::Unknown | Fate::Lost);
        let keeps_connection = !is_over && is_of_use && kind != ErrorKind::InvalidConfig;
        Self { fate, keeps_connection, error: Error::new(kind, what).with_source(error) }
    }

    fn unanswered(error: PostgresError, place: &str) -> Self {
        let what = format!(
            "Postgres at {place} did not answer ({}); what was asked may or may not have been done",
            chain(&error)
        );
        let error = Error::new(ErrorKind::Unknown, what).with_source(error);
        Self { fate: Fate::Unknown, keeps_connection: false, error }
    }

    /// There was no answer in time.
    #[cold]
    pub(super) fn late(place: &str) -> Self {
        let what = format!("Postgres at {place} did not answer in time; what was asked may or may not have been done");
        Self { fate: Fate::Unknown, keeps_connection: false, error: Error::new(ErrorKind::Unknown, what) }
    }

    /// It was done on this server, and there alone.
    #[cold]
    pub(super) fn on_its_own(place: &str) -> Self {
        let what = format!(
            "Postgres at {place} was told not to wait for its synchronous standby; what was asked was done, and may be forgotten \
             if that standby takes over"
        );
        Self { fate: Fate::Unknown, keeps_connection: true, error: Error::new(ErrorKind::Unknown, what) }
    }

    /// Whether it can be asked for once more: nothing was done, and now something may be.
    pub(super) const fn can_be_repeated(&self) -> bool {
        matches!(self.fate, Fate::Met | Fate::NotSent | Fate::Lost)
    }

    /// It was not sent.
    pub(super) fn not_sent(error: Error) -> Self {
        Self { fate: Fate::NotDone, keeps_connection: false, error }
    }

    /// What came back cannot be read, or what is stored.
    #[cold]
    pub(super) fn unreadable(place: &str) -> Self {
        let what = format!("Postgres at {place} answered something that is no answer of this store's function");
        Self { fate: Fate::Unknown, keeps_connection: false, error: Error::new(ErrorKind::Unknown, what) }
    }

    /// The same where not one byte has left.
    pub(super) fn unsent(self) -> Self {
        Self { fate: Fate::NotSent, ..self.nothing_done() }
    }

    /// The same where it is known that nothing had been changed yet, or that it was all undone.
    pub(super) fn nothing_done(self) -> Self {
        if self.fate != Fate::Unknown {
            return self;
        }
        let message = self.error.message().replace("what was asked may or may not have been done", "nothing was taken");
        Self { fate: Fate::NotDone, error: Error::new(ErrorKind::Unavailable, message), ..self }
    }
}

/// What a server's error means: all but a few say that the transaction was undone.
fn meaning(code: &SqlState) -> (Fate, ErrorKind, &'static str) {
    let unavailable = |fate| (fate, ErrorKind::Unavailable, "");
    match code.code() {
        "40001" | "40P01" => unavailable(Fate::Met),
        "55P03" => (Fate::Locked, ErrorKind::Unavailable, LOCKED),
        // A transaction that somebody has left open, and undone.
        "25P02" => unavailable(Fate::Lost),
        // It is prepared again on another connection.
        "26000" | "42P05" => (Fate::Lost, ErrorKind::Unavailable, POOLER),
        // It may have been at its commit.
        "40003" | "57P01" | "57P02" | "57P05" => (Fate::Unknown, ErrorKind::Unknown, ""),
        code if code.starts_with("08") => (Fate::Unknown, ErrorKind::Unknown, ""),
        "57014" | "57P03" | "25P03" => unavailable(Fate::NotDone),
        "25006" => (Fate::NotDone, ErrorKind::Unavailable, "; it is a standby that takes no changes: name its primary"),
        // Fewer locks at once may be there to be had.
        "53200" => unavailable(Fate::Spoiled),
        code if code.starts_with("53") => unavailable(Fate::NotDone),
        "42501" => (Fate::NotDone, ErrorKind::InvalidConfig, RIGHTS),
        "42602" | "42622" | "42939" => (Fate::NotDone, ErrorKind::InvalidConfig, "; name another schema"),
        code if code == "3F000" || code.starts_with("42") => (Fate::NotDone, ErrorKind::InvalidConfig, OTHER_SCHEMA),
        "XX001" | "XX002" => (Fate::Spoiled, ErrorKind::Corrupt, "; have its tables and indexes checked"),
        _ => unavailable(Fate::Spoiled),
    }
}

const LOCKED: &str = "; another transaction has had the bucket, or its table, for longer than lock_within allows";
const RIGHTS: &str = "; grant the role of the store USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its tables, and \
    EXECUTE on its functions if that was taken from all: docs/postgres.md has the lines";
const POOLER: &str = "; a pooler between must leave a connection to its client for the whole session";
const OTHER_SCHEMA: &str = "; the schema is not what this library made: remove it, or have its owner run what \
    `scupper schema postgres` prints";

/// Nobody is there.
#[cold]
pub(super) fn not_dialled(error: std::io::Error, place: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("Postgres at {place} could not be reached: {error}")).with_source(error)
}

/// No connection could be made.
#[cold]
pub(super) fn not_reached(error: PostgresError, place: &str) -> Error {
    if let Some(said) = error.as_db_error() {
        let kind = match said.code().code() {
            code if code.starts_with("28") || code == "3D000" || code == "42501" => ErrorKind::InvalidConfig,
            _ => ErrorKind::Unavailable,
        };
        let what = format!("Postgres at {place} refused the connection: {}", shown(said));
        return Error::new(kind, what).with_source(error);
    }
    let (kind, advice) = match error.source() {
        // A certificate or a password that is missing or of no use: time does not help.
        Some(cause) => match cause.downcast_ref::<std::io::Error>() {
            Some(io) => match io.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
                Some(tls) => (ErrorKind::InvalidConfig, advice_on_tls(tls)),
                None => (ErrorKind::Unavailable, ""),
            },
            None if cause.to_string() == "password missing" => (ErrorKind::InvalidConfig, NO_PASSWORD),
            None => (ErrorKind::InvalidConfig, ""),
        },
        None => (ErrorKind::Unavailable, ""),
    };
    let what = format!("Postgres at {place} could not be reached: {}{advice}", chain(&error));
    Error::new(kind, what).with_source(error)
}

const NO_PASSWORD: &str =
    "; write it in the URL, as in postgres://user:password@host, as neither PGPASSWORD nor ~/.pgpass is read";

fn advice_on_tls(error: &TlsError) -> &'static str {
    match error {
        // The latter of one that has the name of an authority that is trusted, and another key.
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "; no authority that is trusted vouches for it: name its own by sslrootcert"
        }
        // That library has no name for it among its own.
        TlsError::InvalidCertificate(CertificateError::Other(other))
            if format!("{other:?}").contains("CaUsedAsEndEntity") =>
        {
            "; it is an authority's own certificate: name that very file by sslrootcert, or give the server one of its own"
        }
        _ => "",
    }
}

/// The server's words and their code, without what it shows of values.
fn shown(said: &DbError) -> String {
    format!("{:?} ({})", said.message(), said.code().code())
}

/// What went wrong, and why.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_nobody_vouches_for_is_told_with_the_option_that_names_its_authority() {
        for cause in [CertificateError::UnknownIssuer, CertificateError::BadSignature] {
            assert!(advice_on_tls(&TlsError::InvalidCertificate(cause)).ends_with("name its own by sslrootcert"));
        }
        for cause in [CertificateError::Expired, CertificateError::Revoked] {
            assert_eq!(advice_on_tls(&TlsError::InvalidCertificate(cause)), "");
        }
    }
}
