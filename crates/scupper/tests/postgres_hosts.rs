//! Which server is asked where several are named, or where the one that is named is a standby.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use scupper::{ErrorKind, PostgresStore};
use scupper_testbed::{PostgresServer, SharedPostgres, free_port};
use support::postgres::{AT_ONCE, admits, patient, refused, without_hurry};
use support::{MILLISECOND, SECOND};

const RATES: &str = "1/h";

/// The shared server, behind one at this port.
fn url_behind(port: u16) -> String {
    let (shared, schema) = (SharedPostgres::get(), SharedPostgres::get().schema());
    let second = shared.url_at(shared.address().port());
    let both = second.replacen("127.0.0.1", &format!("127.0.0.1:{port},127.0.0.1"), 1);
    let mark = if both.contains('?') { '&' } else { '?' };
    format!("{both}{mark}schema={schema}")
}

#[test]
fn a_server_that_says_nothing_leaves_the_next_one_its_time() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = url_behind(silent.local_addr().unwrap().port());
    let builder = without_hurry(PostgresStore::builder(&url)).connect_within(8 * SECOND);
    admits(&patient(RATES, &builder.connect_blocking().unwrap()), "user:42");
}

#[test]
fn promise_8_a_server_that_says_nothing_is_unavailable_in_time() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let limit = 300 * MILLISECOND;
    let builder = PostgresStore::builder(&PostgresServer::url_at(silent.local_addr().unwrap().port()));
    let builder = builder.connect_within(limit);
    let start = Instant::now();
    let error = builder.clone().connect_blocking().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for words in ["within 300ms", "connect_timeout in the URL", "connect_within"] {
        assert!(error.message().contains(words), "{words}: {error}");
    }
    assert!((limit..AT_ONCE).contains(&start.elapsed()), "{:?}", start.elapsed());
    let limiter = patient(RATES, &builder.open().unwrap());
    let start = Instant::now();
    let error = refused(limiter.try_acquire("user:42"));
    assert!(
        error.kind() == ErrorKind::Unavailable && error.message().contains("could not be reached within"),
        "{error}"
    );
    assert!((limit..AT_ONCE).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[test]
fn a_server_that_is_not_there_is_passed_over() {
    let url = url_behind(free_port());
    admits(&patient(RATES, &without_hurry(PostgresStore::builder(&url)).connect_blocking().unwrap()), "user:42");
}

#[test]
fn promise_2_a_standby_decides_nothing_as_what_it_knows_may_be_old() {
    let server = PostgresServer::start();
    let store = without_hurry(PostgresStore::builder(&server.url())).connect_blocking().unwrap();
    let limiter = patient(RATES, &store);
    admits(&limiter, "user:42");
    server.become_standby();
    let error = refused(limiter.try_acquire("user:42"));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("standby"), "{error}");
    let error = without_hurry(PostgresStore::builder(&server.url())).connect_blocking().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
