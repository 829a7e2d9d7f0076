//! The faults of the proxy do to Postgres what they say.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper_testbed::{Fault, PostgresServer, Proxy, Session, await_that};

fn bed() -> (PostgresServer, Proxy) {
    let server = PostgresServer::start();
    server.ask("CREATE TABLE visit (number int); GRANT ALL ON visit TO scupper");
    let proxy = Proxy::to(server.address());
    (server, proxy)
}

fn through(proxy: &Proxy) -> Session {
    Session::connect(&PostgresServer::url_at(proxy.port())).unwrap()
}

fn visits(server: &PostgresServer) -> i64 {
    server.ask("SELECT count(*) FROM visit").number()
}

const VISIT: &str = "INSERT INTO visit VALUES (1)";

#[test]
fn what_is_cut_before_it_is_sent_does_not_happen() {
    let (server, proxy) = bed();
    let session = through(&proxy);
    proxy.set(Fault::cut_before_send().when_sent("INSERT").times(1));
    assert_eq!(session.ask("SELECT 1").number(), 1);
    assert!(session.try_ask(VISIT).is_err());
    assert_eq!((visits(&server), proxy.strikes()), (0, 1));
    through(&proxy).ask(VISIT);
    assert_eq!((visits(&server), proxy.connections()), (1, 2));
}

#[test]
fn what_is_cut_after_it_is_sent_has_happened_when_the_client_sees_the_cut() {
    let (server, proxy) = bed();
    proxy.set(Fault::cut_after_send().when_sent("INSERT"));
    for number in 1..=10 {
        let refusal = through(&proxy).try_ask(VISIT).unwrap_err();
        assert_eq!(refusal.code, None, "{refusal}");
        assert_eq!(visits(&server), number);
    }
}

#[test]
fn a_reply_that_is_cut_in_the_middle_has_happened() {
    let (server, proxy) = bed();
    let session = through(&proxy);
    let before = proxy.bytes_received();
    proxy.set(Fault::cut_in_reply(8).when_sent("INSERT"));
    assert!(session.try_ask(VISIT).is_err());
    assert_eq!((visits(&server), proxy.bytes_received() - before), (1, 8));
}

#[test]
fn what_a_stall_holds_happens_when_it_ends() {
    let (server, proxy) = bed();
    let session = through(&proxy);
    proxy.set(Fault::stall().when_sent("INSERT"));
    let asked = session.send(VISIT);
    proxy.await_strike();
    assert_eq!(visits(&server), 0);
    proxy.set(Fault::stall_replies());
    await_that("it has happened", || visits(&server) == 1);
    proxy.heal();
    assert!(asked.answer().is_ok());
}

#[test]
fn a_refusal_ends_sessions_and_takes_no_new_ones() {
    let (server, proxy) = bed();
    let session = through(&proxy);
    proxy.set(Fault::refuse());
    assert!(session.try_ask(VISIT).is_err());
    assert!(Session::connect(&PostgresServer::url_at(proxy.port())).is_err());
    proxy.heal();
    through(&proxy).ask(VISIT);
    assert_eq!(visits(&server), 1);
}
