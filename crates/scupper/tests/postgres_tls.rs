//! Under TLS, with a certificate of the client: everything works, faults are what they are without, and who is not who it should
//! be hears nothing.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::{ErrorKind, Limiter, PostgresStore};
use scupper_testbed::{Certificates, Fault, PostgresServer, Proxy, await_that};
use support::postgres::{admits, list_all, patient, recovers, refused, without_hurry};
use support::{HOUR, SECOND};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

fn with_tls(certificates: &Certificates) -> PostgresServer {
    PostgresServer::builder().tls(certificates).allow("hostssl all all 127.0.0.1/32 trust").start()
}

fn limiter(store: &PostgresStore) -> Limiter {
    patient(RATES, store)
}

fn connect(url: &str) -> scupper::Result<PostgresStore> {
    without_hurry(PostgresStore::builder(url)).connect_blocking()
}

fn open(url: &str) -> PostgresStore {
    without_hurry(PostgresStore::builder(url)).open().unwrap()
}

/// The option that names the authority.
fn root(certificates: &Certificates) -> String {
    format!("sslrootcert={}", certificates.authority().display())
}

fn own(certificates: &Certificates) -> String {
    format!("sslcert={}&sslkey={}", certificates.client().display(), certificates.client_key().display())
}

/// Whether the only session of this role is encrypted.
fn is_encrypted(server: &PostgresServer) -> bool {
    let sessions = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'scupper'";
    server.ask(sessions).text() == "t"
}

#[test]
fn all_modes_that_ask_for_tls_have_it_and_everything_works() {
    let certificates = Certificates::make();
    let server = with_tls(&certificates);
    let root = root(&certificates);
    for options in [
        "sslmode=prefer",
        "sslmode=require",
        "",
        &format!("sslmode=verify-ca&{root}"),
        &format!("sslmode=verify-full&{root}"),
    ] {
        let store = connect(&format!("{}?{options}", server.url())).unwrap();
        assert!(is_encrypted(&server), "{options}");
        let limiter = limiter(&store);
        for _ in 0..40 {
            admits(&limiter, KEY);
        }
        assert_eq!(limiter.refund(limiter.acquire(KEY).unwrap()).unwrap(), 1);
        limiter.hold(KEY, HOUR).unwrap();
        assert!(!limiter.try_acquire(KEY).unwrap().is_admitted());
        assert_eq!(list_all(&limiter, 10).unwrap(), [KEY]);
        assert!(limiter.reset(KEY).unwrap());
        // Keys and answers of more than one record.
        let long = "k".repeat(60_000);
        admits(&limiter, &long);
        limiter.reset(&long).unwrap();
    }
}

#[test]
fn who_is_not_trusted_is_told_why() {
    let certificates = Certificates::make();
    let elsewhere = Certificates::make_for(&["example.test"]);
    let (server, other) = (with_tls(&certificates), with_tls(&elsewhere));
    let with = |server: &PostgresServer, options: &str| format!("{}?{options}", server.url());
    let unknown = Certificates::make();
    let stranger = root(&unknown);
    for (url, words) in [
        // Nobody vouches for it.
        (with(&server, &format!("sslmode=verify-full&{stranger}")), "name its own by sslrootcert"),
        (with(&server, &format!("sslmode=verify-ca&{stranger}")), "name its own by sslrootcert"),
        // As elsewhere, who names an authority wants it to be asked.
        (with(&server, &format!("sslmode=require&{stranger}")), "name its own by sslrootcert"),
        (with(&server, "sslmode=verify-full"), "sslrootcert"),
        // Vouched for, and for another name.
        (with(&other, &format!("sslmode=verify-full&{}", root(&elsewhere))), "name"),
        // The server takes nobody without.
        (with(&server, "sslmode=disable"), "no encryption"),
    ] {
        let error = connect(&url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}: {error}");
        assert!(error.message().to_lowercase().contains(words), "{url}: {error}");
    }
    let named = with(&other, &format!("sslmode=verify-ca&{}", root(&elsewhere)));
    connect(&named).unwrap();
}

#[test]
fn who_wants_tls_says_nothing_to_a_server_that_has_none() {
    let server = PostgresServer::start();
    let proxy = Proxy::to(server.address());
    for mode in ["require", "verify-full"] {
        let before = proxy.bytes_sent();
        let url = format!("{}?sslmode={mode}", PostgresServer::url_at(proxy.port()));
        let error = connect(&url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.message().contains("TLS"), "{error}");
        assert_eq!(proxy.bytes_sent() - before, 8, "nothing but whether it has TLS");
    }
    let url = format!("{}?sslmode=prefer", server.url());
    admits(&limiter(&connect(&url).unwrap()), KEY);
}

#[test]
fn a_server_that_wants_to_know_its_clients_takes_who_shows_a_certificate() {
    let certificates = Certificates::make();
    let line = "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca";
    let server = PostgresServer::builder().tls(&certificates).allow(line).start();
    let root = root(&certificates);
    let url = format!("{}?sslmode=verify-full&{root}&{}", server.url(), own(&certificates));
    admits(&limiter(&connect(&url).unwrap()), KEY);
    let unknown = Certificates::make();
    let stranger = format!("{root}&{}", own(&unknown));
    for options in [format!("sslmode=verify-full&{root}"), format!("sslmode=verify-full&{stranger}")] {
        let error = connect(&format!("{}?{options}", server.url())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    }
}

#[test]
fn files_that_are_missing_or_are_no_certificates_are_named() {
    for options in
        ["sslmode=verify-full&sslrootcert=/nowhere.pem", "sslmode=require&sslcert=/nowhere.pem&sslkey=/nowhere.key"]
    {
        let error = PostgresStore::open(&format!("postgres://localhost/scupper?{options}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.message().contains("/nowhere"), "{error}");
    }
}

/// A server under TLS with a proxy before it.
struct Bed {
    server: PostgresServer,
    proxy: Proxy,
    url: String,
    /// Their files are needed for each connection.
    _certificates: Certificates,
}

impl Bed {
    fn new() -> Self {
        let certificates = Certificates::make();
        let server = PostgresServer::builder().tls(&certificates).start();
        let proxy = Proxy::to(server.address());
        let url = PostgresServer::url_at(proxy.port());
        let url = format!("{url}?pool=1&sslmode=verify-full&{}", root(&certificates));
        Self { server, proxy, url, _certificates: certificates }
    }

    /// Units in use, as the server has it.
    fn used(&self) -> u64 {
        limiter(&open(&self.server.url())).peek(KEY).unwrap().usage[0].used
    }
}

#[test]
fn promise_8_a_lost_answer_under_tls_is_unknown_and_counts_at_most_once() {
    let bed = Bed::new();
    let limiter = limiter(&open(&bed.url));
    admits(&limiter, KEY);
    for (fault, count) in [(Fault::cut_after_send(), 1), (Fault::cut_before_send(), 0), (Fault::cut_in_reply(9), 1)] {
        let before = bed.used();
        // The next thing that is sent is the request.
        bed.proxy.set(fault.times(1));
        let error = refused(limiter.try_acquire(KEY));
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        bed.proxy.heal();
        assert_eq!(bed.used(), before + count);
        recovers(&limiter, KEY);
        assert_eq!(bed.used(), before + count + 1);
    }
}

#[test]
fn promise_8_a_stalled_connection_under_tls_is_given_up_for_another() {
    let bed = Bed::new();
    let store = without_hurry(PostgresStore::builder(&bed.url)).answer_within(2 * SECOND).open().unwrap();
    let limiter = limiter(&store);
    recovers(&limiter, KEY);
    let before = bed.used();
    bed.proxy.set(Fault::stall_replies().times(1));
    assert_eq!(refused(limiter.try_acquire(KEY)).kind(), ErrorKind::Unknown);
    bed.proxy.heal();
    await_that("it is carried out", || bed.used() == before + 1);
    recovers(&limiter, KEY);
    assert_eq!(bed.used(), before + 2);
}
