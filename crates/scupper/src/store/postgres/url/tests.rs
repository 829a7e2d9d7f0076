use std::path::Path;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, Host, SslMode, TargetSessionAttrs};

use crate::error::ErrorKind;
use crate::store::postgres::settings::Durability;
use crate::store::postgres::tls_mode::TlsMode;
use crate::store::postgres::url::{Address, Tls};

fn address(url: &str) -> Address {
    url.parse().unwrap()
}

#[test]
fn a_url_says_where_who_and_what() {
    let address = address("postgres://us%40er:p%3Aw%2F'\\@db1:5433,[::1]:5434/limits%20db?schema=app%22s&pool=3");
    let config = &address.config;
    assert_eq!(config.get_hosts(), [Host::Tcp("db1".into()), Host::Tcp("::1".into())]);
    assert_eq!(config.get_ports(), [5433, 5434]);
    assert_eq!((config.get_user(), config.get_password()), (Some("us@er"), Some(&b"p:w/'\\"[..])));
    assert_eq!(config.get_dbname(), Some("limits db"));
    assert_eq!((address.schema.as_deref(), address.pool), (Some("app\"s"), Some(3)));
    assert_eq!(address.place, "db1:5433,[::1]:5434");
    assert_eq!((address.durability, address.connect_within), (None, None));
}

#[test]
fn what_is_left_away_is_as_ever() {
    let address = address("PostgreSQL://localhost");
    assert_eq!(address.place, "localhost:5432");
    assert_eq!((address.config.get_user(), address.config.get_password()), (None, None));
    assert_eq!(address.config.get_ssl_mode(), SslMode::Prefer);
    assert_eq!(address.tls, Tls::default());
}

#[test]
fn a_socket_in_a_folder_is_a_host() {
    let config = address("postgres:///app?host=/run/postgresql&port=5433").config;
    assert_eq!(config.get_hosts(), [Host::Unix("/run/postgresql".into())]);
    let config = address("postgres://%2Frun%2Fpostgresql/app").config;
    assert_eq!(config.get_hosts(), [Host::Unix("/run/postgresql".into())]);
}

#[test]
fn options_of_every_client_are_known() {
    let address = address(
        "postgres://h?target_session_attrs=read-write&channel_binding=require&connect_timeout=7&durability=relaxed&options=-c%20a=b",
    );
    assert_eq!(address.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(address.config.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(address.config.get_options(), Some("-c a=b"));
    assert_eq!(address.connect_within, Some(Duration::from_secs(7)));
    assert_eq!(address.durability, Some(Durability::Relaxed));
}

#[test]
fn tls_is_as_its_mode_says() {
    for (mode, ours, theirs) in [
        ("disable", TlsMode::Disable, SslMode::Disable),
        ("prefer", TlsMode::Prefer, SslMode::Prefer),
        ("require", TlsMode::Require, SslMode::Require),
        ("verify-ca", TlsMode::VerifyCa, SslMode::Require),
        ("verify-full", TlsMode::VerifyFull, SslMode::Require),
    ] {
        let address = address(&format!("postgres://h?sslmode={mode}"));
        assert_eq!((address.tls.mode, address.config.get_ssl_mode()), (ours, theirs));
    }
    let tls = address("postgres://h?sslmode=require&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem").tls;
    assert_eq!(tls.mode, TlsMode::VerifyCa, "an authority that is named is asked");
    assert_eq!(tls.authority.as_deref(), Some(Path::new("ca.pem")));
    assert_eq!(tls.client, Some(("c.pem".into(), "k.pem".into())));
}

#[test]
fn an_authority_that_is_named_is_asked_or_refused() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let tls = address(&format!("postgres://h?sslrootcert=ca.pem&sslmode={mode}")).tls;
        assert!(tls.mode >= TlsMode::VerifyCa && tls.authority.is_some(), "{mode}");
    }
    for options in ["sslrootcert=ca.pem", "sslrootcert=ca.pem&sslmode=prefer", "sslmode=disable&sslrootcert=ca.pem"] {
        let error = format!("postgres://h?{options}").parse::<Address>().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains("write sslmode=verify-full beside it"), "{options}: {error}");
    }
}

#[test]
fn what_is_wrong_is_said_without_its_secrets() {
    for (url, says) in [
        ("mysql://h", "begins with postgres://"),
        ("postgres:h", "begins with postgres://"),
        ("postgres://user:secret@", "names no host"),
        ("postgres:///app", "names no host"),
        ("postgres://user:se/cret@h", "has a '@' or a '#'"),
        ("postgres://user:se#cret@h", "has a '@' or a '#'"),
        ("postgres://user:sec@ret@h", "has a '@' or a '#'"),
        ("postgres://user:secret", "the port of a host"),
        ("postgres://user:secret@h:0", "the port of a host"),
        ("postgres://user:secret@h:+1", "the port of a host"),
        ("postgres://user:secret@[h]", "begins with '['"),
        ("postgres://user:secret@h h", "has a blank"),
        ("postgres://user:secret%@h", "the password in the Postgres URL has a '%'"),
        ("postgres://user:secret%00@h", "the password in the Postgres URL has a NUL"),
        ("postgres://h?password=sec&ret=1", "option 2 in the Postgres URL is not known"),
        ("postgres://h?prefix=a", "`prefix` in the Postgres URL is not known; there is: schema, "),
        ("postgres://h?schema", "option 1 in the Postgres URL has no value"),
        ("postgres://user@h?user=other", "the user stands twice"),
        ("postgres://h?sslmode=allow", "disable, prefer, require, verify-ca and verify-full"),
        ("postgres://h?sslcert=a.pem", "go together"),
        ("postgres://h?sslcert=a.pem&sslkey=a.key&sslmode=disable", "of no use with sslmode=disable"),
        ("postgres://h?sslrootcert=system", "leave it out and write sslmode=verify-full"),
        ("postgres://h?sslrootcert=", "the option sslrootcert in the Postgres URL is empty"),
        ("postgres://h?durability=secret", "neither strict nor relaxed"),
        ("postgres://h?pool=-1", "the option pool in the Postgres URL is no whole number"),
        ("postgres://h?channel_binding=secret", "the channel_binding in the Postgres URL is none"),
    ] {
        let error = url.parse::<Address>().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains(says), "{url}: {error}");
        for secret in ["secret", "cret", "ret=", "ret@"] {
            assert!(!error.to_string().contains(secret), "{url}: {error}");
        }
    }
}
