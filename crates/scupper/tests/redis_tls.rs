//! Under TLS, with a certificate of the client and a user of its own: everything works, and faults are what they are without.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use scupper::{Algorithm, ErrorKind, Limiter, RedisStore};
use scupper_testbed::{Certificates, Fault, Proxy, RedisCluster, RedisSentinel, RedisServer, await_that};
use support::redis::{PATIENCE, admits, connect, limiting, list_all, open, patient, recovers, refused, without_hurry};
use support::{HOUR, SECOND};

const RATES: &str = "1000/h";

/// The options that name the files, with those of a client or without.
fn files(certificates: &Certificates, knows_itself: bool) -> String {
    let ca = format!("?ca={}", certificates.authority().display());
    if !knows_itself {
        return ca;
    }
    format!("{ca}&cert={}&key={}", certificates.client().display(), certificates.client_key().display())
}

/// All that a limiter does.
fn works(limiter: &Limiter, key: &str) {
    for _ in 0..40 {
        admits(limiter, key);
    }
    assert_eq!(limiter.refund(limiter.acquire(key).unwrap()).unwrap(), 1);
    limiter.penalize(key, 2).unwrap();
    assert_eq!(limiter.peek(key).unwrap().usage[0].used, 42);
    limiter.hold(key, HOUR).unwrap();
    assert!(!limiter.try_acquire(key).unwrap().is_admitted());
    assert_eq!(list_all(limiter, 10).unwrap(), [key]);
    assert!(limiter.reset(key).unwrap());
    // Keys and answers of more than one record.
    let long = "k".repeat(60_000);
    admits(limiter, &long);
    limiter.reset(&long).unwrap();
}

#[test]
fn a_user_with_a_certificate_and_no_more_rights_than_it_needs_can_do_everything() {
    let certificates = Certificates::make();
    let rights = "+evalsha +script|load +get +getrange +set +setrange +pexpireat +time +type +ping +scan +select";
    let server = RedisServer::builder()
        .tls_for_known_clients(&certificates)
        .line(&format!("user limits on >secret ~app:* {rights}"))
        .line("user default on nopass +ping +info +acl")
        .start();
    let url = server.tls_url().replace("rediss://", "rediss://limits:secret@");
    let url = format!("{url}/3{}&prefix=app:", files(&certificates, true));
    for algorithm in Algorithm::ALL {
        let store = connect(&url).unwrap();
        works(&limiting(RATES, &store).algorithm(algorithm).build().unwrap(), &algorithm.to_string());
    }
}

#[test]
fn who_is_not_trusted_is_told_which_option_says_otherwise() {
    let certificates = Certificates::make();
    let known = RedisServer::builder().tls_for_known_clients(&certificates).start();
    let anybody = RedisServer::builder().tls(&certificates).start();
    let strangers = Certificates::make();
    let plain = anybody.url().replace("redis://", "rediss://");
    for (url, kind, words) in [
        (format!("{}{}", known.tls_url(), files(&certificates, false)), ErrorKind::InvalidConfig, "cert and key"),
        (format!("{}{}", anybody.tls_url(), files(&strangers, false)), ErrorKind::InvalidConfig, "the option ca"),
        // Redis waits for the end of a line.
        (format!("{plain}{}", files(&certificates, false)), ErrorKind::Unavailable, "check that it speaks TLS there"),
    ] {
        let limit = if kind == ErrorKind::Unavailable { SECOND } else { PATIENCE };
        let error = RedisStore::builder(&url).connect_within(limit).connect_blocking().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
    let unencrypted = anybody.tls_url().replace("rediss://", "redis://");
    let error = connect(&unencrypted).unwrap_err();
    assert!(error.message().contains("rediss://"), "{error}");
    let good = format!("{}{}", known.tls_url(), files(&certificates, true));
    connect(&good).unwrap();
}

/// A server under TLS with a proxy before it.
struct Bed {
    server: RedisServer,
    proxy: Proxy,
    url: String,
}

impl Bed {
    fn new() -> Self {
        let certificates = Certificates::make();
        let server = RedisServer::builder().tls(&certificates).start();
        let proxy = Proxy::to(SocketAddr::from((Ipv4Addr::LOCALHOST, server.tls_port())));
        let url = format!("rediss://127.0.0.1:{}{}", proxy.port(), files(&certificates, false));
        Self { server, proxy, url }
    }

    /// Units in use, as the server has it.
    fn used(&self) -> u64 {
        let limiter = patient(RATES, &open(&self.server.url()));
        limiter.peek("key").unwrap().usage[0].used
    }
}

#[test]
fn promise_8_a_lost_answer_under_tls_is_unknown_and_counts_at_most_once() {
    let bed = Bed::new();
    let limiter = patient(RATES, &open(&bed.url));
    admits(&limiter, "key");
    for (fault, count) in [(Fault::cut_after_send(), 1), (Fault::cut_before_send(), 0), (Fault::cut_in_reply(9), 1)] {
        let before = bed.used();
        // The next thing that is sent is the request.
        bed.proxy.set(fault.times(1));
        let error = refused(limiter.try_acquire("key"));
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        bed.proxy.heal();
        assert_eq!(bed.used(), before + count);
        recovers(&limiter, "key");
        assert_eq!(bed.used(), before + count + 1);
    }
}

#[test]
fn promise_8_a_stalled_connection_under_tls_is_given_up_for_another() {
    let bed = Bed::new();
    let store = without_hurry(RedisStore::builder(&bed.url)).answer_within(SECOND).open().unwrap();
    let limiter = patient(RATES, &store);
    admits(&limiter, "key");
    bed.proxy.set(Fault::stall_replies().times(1));
    assert_eq!(refused(limiter.try_acquire("key")).kind(), ErrorKind::Unknown);
    await_that("it is carried out", || bed.used() == 2);
    admits(&limiter, "key");
    assert_eq!((bed.used(), bed.proxy.connections()), (3, 2));
}

#[test]
fn promise_2_a_connection_under_tls_that_the_server_closed_costs_no_request() {
    let certificates = Certificates::make();
    let server = RedisServer::builder().tls(&certificates).start();
    let url = format!("{}{}", server.tls_url(), files(&certificates, false));
    let limiter = patient(RATES, &open(&url));
    for _ in 0..100 {
        admits(&limiter, "key");
        let _ = server.command(&["CLIENT", "KILL", "TYPE", "normal"]).granted();
        await_that("nobody but who asks is left", || {
            server.command(&["INFO", "clients"]).text().contains("connected_clients:1\r\n")
        });
    }
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 100);
}

#[test]
fn a_cluster_under_tls_serves_all_its_slots() {
    let certificates = Certificates::make();
    let cluster = RedisCluster::builder().tls(&certificates).password("open-sesame").start();
    let url = format!("{}{}", cluster.url(), files(&certificates, true));
    let limiter = patient(RATES, &connect(&url).unwrap());
    for number in 0..50 {
        admits(&limiter, &number.to_string());
    }
    assert_eq!(list_all(&limiter, 7).unwrap().len(), 50);
    let slot = cluster.slot_of("scupper:7");
    cluster.move_slot(slot, (cluster.owner(slot) + 1) % 3);
    admits(&limiter, "7");
    assert_eq!(limiter.peek("7").unwrap().usage[0].used, 2);
}

#[test]
fn servers_behind_sentinel_under_tls_change_places() {
    let certificates = Certificates::make();
    let servers = RedisSentinel::builder().tls(&certificates).password("open-sesame").start();
    let url = format!("{}{}", servers.url(), files(&certificates, true));
    let limiter = patient(RATES, &connect(&url).unwrap());
    admits(&limiter, "key");
    servers.fail_over();
    recovers(&limiter, "key");
}
