//! What can go wrong before a connection can be used, and what its reader should check.

use std::io;
use std::time::Duration;

use redis::ServerError;
use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

use crate::error::{Error, ErrorKind};
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::login::{Login, Role, Step};

pub(super) fn not_found(endpoint: &Endpoint, cause: io::Error) -> Error {
    let message = format!("the host of {endpoint} was not found; check its name in the Redis URL");
    Error::new(ErrorKind::Unavailable, message).with_source(cause)
}

pub(super) fn not_reached(endpoint: &Endpoint, cause: io::Error) -> Error {
    let message = if cause.kind() == io::ErrorKind::ConnectionRefused {
        format!("nobody listens at {endpoint}; check host and port, and that the Redis server runs")
    } else {
        format!("{endpoint} cannot be reached: {cause}")
    };
    Error::new(ErrorKind::Unavailable, message).with_source(cause)
}

pub(super) fn too_late(endpoint: &Endpoint, login: &Login, within: Duration) -> Error {
    let check = if login.tls.is_some() { "; check that it speaks TLS there" } else { "" };
    let message = format!("{endpoint} could not be connected to, or did not answer, within {within:?}{check}");
    Error::new(ErrorKind::Unavailable, message)
}

pub(super) fn nameless(endpoint: &Endpoint) -> Error {
    let message = format!("the host of {endpoint} is no name that a certificate can have");
    Error::new(ErrorKind::InvalidConfig, message)
}

/// No more came than an end, or the failure of the stream.
pub(super) fn broken_off(endpoint: &Endpoint, login: &Login, cause: Option<io::Error>) -> Error {
    let Some(cause) = cause else {
        return Error::new(ErrorKind::Unavailable, closed(endpoint, login));
    };
    let (kind, message) = match cause.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(error) => refused_tls(endpoint, error),
        None => (ErrorKind::Unavailable, closed(endpoint, login)),
    };
    Error::new(kind, message).with_source(cause)
}

fn closed(endpoint: &Endpoint, login: &Login) -> String {
    let check = if login.tls.is_some() {
        "check its log, that it speaks TLS there, and whether it wants a certificate of its clients (options cert and key)"
    } else {
        "check its log, and whether it wants TLS there (rediss:// in place of redis://)"
    };
    format!("{endpoint} closed the connection before it could be used; {check}")
}

fn refused_tls(endpoint: &Endpoint, error: &TlsError) -> (ErrorKind, String) {
    let message = match error {
        TlsError::InvalidCertificate(_) => format!(
            "the certificate of {endpoint} is not trusted: {error}; check the option ca in the Redis URL, and that the host is \
             named there as the certificate names it"
        ),
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure,
        ) => format!(
            "{endpoint} does not accept this client under TLS: {error}; check the options cert and key in the Redis URL"
        ),
        TlsError::InvalidMessage(_) => {
            format!("{endpoint} does not speak TLS; write redis:// in place of rediss://, or check the port")
        }
        TlsError::PeerIncompatible(_) | TlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            format!("{endpoint} speaks no TLS that is safe: {error}; it must offer TLS 1.2 or 1.3")
        }
        _ => return (ErrorKind::Unavailable, format!("TLS with {endpoint} failed: {error}")),
    };
    (ErrorKind::InvalidConfig, message)
}

pub(super) fn no_redis(endpoint: &Endpoint) -> Error {
    let message = format!("what listens at {endpoint} does not answer as a Redis server does; check the port");
    Error::new(ErrorKind::InvalidConfig, message)
}

/// What an error in answer to a step means; nothing, where the connection can be used all the same.
pub(super) fn refused(endpoint: &Endpoint, login: &Login, step: Step, error: &ServerError) -> Option<Error> {
    let details = error.details().unwrap_or_default();
    let says = |what: &str| details.contains(what);
    let who = login.user.as_ref().map_or_else(|| "the default user".to_owned(), |user| format!("the user `{user}`"));
    let config = |message| Some(Error::new(ErrorKind::InvalidConfig, message));
    match (step, error.code()) {
        (_, "ERR") if says("max number of clients") => Some(Error::new(
            ErrorKind::Unavailable,
            format!("{endpoint} has as many clients as it may (its setting maxclients)"),
        )),
        (_, "NOAUTH") => config(format!("{endpoint} wants a password; {}", to_give(login.role))),
        (_, "DENIED") => config(format!(
            "{endpoint} serves only its own host (protected mode); give it a password, and say it in the Redis URL"
        )),
        (Step::Authenticate, "ERR") if says("without any password") || says("no password is set") => {
            config(format!("{endpoint} has no password for {who}; leave out {}", credentials(login.role)))
        }
        (Step::Authenticate, "ERR") if says("wrong number of arguments") => config(format!(
            "{endpoint} is older than Redis 6 and knows no users; leave the user out of the Redis URL, and say the password alone"
        )),
        (Step::Authenticate, "WRONGPASS") => config(wrong_password(endpoint, login.role, &who)),
        (Step::Authenticate, "ERR") if says("invalid password") => config(wrong_password(endpoint, login.role, &who)),
        // The rest of such an error may repeat the command.
        (Step::Authenticate, code) if !heals(code) => {
            config(format!("{endpoint} does not let {who} in ({code}); check {}", credentials(login.role)))
        }
        (Step::Select, "NOPERM") => {
            let database = login.database;
            config(format!(
                "{endpoint} does not let {who} choose database {database}: the user needs the command SELECT"
            ))
        }
        (Step::Select, "ERR") => {
            let database = login.database;
            config(format!("{endpoint} has no database {database} to choose ({details}); check the Redis URL"))
        }
        // Who may not greet may do other things.
        (Step::Greet, "NOPERM") => None,
        (Step::Greet, "ERR") if says("unknown command") => None,
        (_, code) => {
            let details = if step == Step::Authenticate { "" } else { details };
            Some(Error::new(ErrorKind::Unavailable, format!("{endpoint} cannot serve now: {code} {details}")))
        }
    }
}

fn wrong_password(endpoint: &Endpoint, role: Role, who: &str) -> String {
    format!("{endpoint} does not know {who} with this password; check {}", credentials(role))
}

fn credentials(role: Role) -> &'static str {
    match role {
        Role::Server => "user and password in the Redis URL",
        Role::Sentinel => "the options sentinel_user and sentinel_password in the Redis URL",
    }
}

fn to_give(role: Role) -> &'static str {
    match role {
        Role::Server => "write redis://:password@host or redis://user:password@host",
        Role::Sentinel => "name it with the option sentinel_password in the Redis URL",
    }
}

/// Whether a server that says this may serve later.
fn heals(code: &str) -> bool {
    matches!(code, "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "READONLY" | "MISCONF" | "OOM")
}
