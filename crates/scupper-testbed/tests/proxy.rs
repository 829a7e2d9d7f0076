//! Each fault of the proxy does what it says, to a real server.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use scupper_testbed::{Client, Fault, Proxy, RedisServer, Reply, await_that, free_port};

fn bed() -> (RedisServer, Proxy, Client) {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let client = Client::connect(proxy.port()).unwrap();
    (server, proxy, client)
}

fn ok(client: &mut Client) -> bool {
    client.command(&["PING"]).is_ok_and(|answer| answer.text() == "PONG")
}

#[test]
fn without_a_fault_everything_passes_and_is_counted() {
    let (server, proxy, mut client) = bed();
    let large = "x".repeat(1_000_000);
    assert_eq!(client.command(&["SET", "key", &large]).unwrap().text(), "OK");
    assert_eq!(client.command(&["GET", "key"]).unwrap().text(), large);
    assert_eq!(server.command(&["STRLEN", "key"]), Reply::Integer(1_000_000));
    assert_eq!(proxy.connections(), 1);
    // *3 $3 SET $3 key $1000000 ... and *2 $3 GET $3 key
    assert_eq!(proxy.bytes_sent(), 4 + 9 + 9 + 10 + 1_000_002 + 4 + 9 + 9);
    assert_eq!(proxy.bytes_received(), 5 + 10 + 1_000_002);
}

#[test]
fn a_closed_client_is_closed_at_the_server() {
    let (server, _proxy, mut client) = bed();
    assert!(ok(&mut client));
    let clients = || server.command(&["INFO", "clients"]).text().contains("connected_clients:1\r\n");
    assert!(!clients());
    drop(client);
    await_that("only the one who asks is left", clients);
}

#[test]
fn where_nobody_listens_the_connection_is_closed() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let proxy = Proxy::to(nobody);
    assert!(!ok(&mut Client::connect(proxy.port()).unwrap()));
}

#[test]
fn a_refusal_closes_all_connections_and_each_new_one() {
    let (_server, proxy, mut client) = bed();
    assert!(ok(&mut client));
    proxy.set(Fault::refuse());
    assert!(!ok(&mut client));
    for _ in 0..3 {
        assert!(!ok(&mut Client::connect(proxy.port()).unwrap()));
    }
    assert_eq!(proxy.strikes(), 3);
    proxy.heal();
    assert!(ok(&mut Client::connect(proxy.port()).unwrap()));
}

#[test]
fn a_refusal_of_two_lets_the_third_pass() {
    let (_server, proxy, mut client) = bed();
    assert!(ok(&mut client));
    proxy.set(Fault::refuse().times(2));
    let attempts = [0; 4].map(|_| Client::connect(proxy.port()).is_ok_and(|mut client| ok(&mut client)));
    assert_eq!(attempts, [false, false, true, true]);
}

#[test]
fn closed_connections_can_be_made_again() {
    let (_server, proxy, mut client) = bed();
    assert!(ok(&mut client));
    proxy.close_connections();
    assert!(!ok(&mut client));
    assert!(ok(&mut Client::connect(proxy.port()).unwrap()));
}

#[test]
fn what_is_cut_before_it_is_sent_does_not_happen() {
    let (server, proxy, mut client) = bed();
    proxy.set(Fault::cut_before_send().when_sent("INCR").times(1));
    assert!(ok(&mut client));
    assert!(client.command(&["INCR", "n"]).is_err());
    assert_eq!(proxy.strikes(), 1);
    assert_eq!(server.command(&["EXISTS", "n"]), Reply::Integer(0));
    let mut client = Client::connect(proxy.port()).unwrap();
    assert_eq!(client.command(&["INCR", "n"]).unwrap(), Reply::Integer(1));
}

#[test]
fn what_is_cut_after_it_is_sent_has_happened_when_the_client_sees_the_cut() {
    let (server, proxy, _) = bed();
    proxy.set(Fault::cut_after_send().when_sent("INCR"));
    for n in 1..=20 {
        let mut client = Client::connect(proxy.port()).unwrap();
        assert!(ok(&mut client));
        assert_eq!(client.command(&["INCR", "n"]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(proxy.strikes(), n);
        assert_eq!(server.command(&["GET", "n"]).text(), n.to_string());
    }
}

#[test]
fn a_reply_is_cut_where_the_fault_says() {
    let (server, proxy, mut client) = bed();
    let _ = server.command(&["SET", "key", "0123456789"]).granted();
    assert!(ok(&mut client));
    let before = proxy.bytes_received();
    proxy.set(Fault::cut_in_reply(8).when_sent("GET"));
    assert_eq!(client.command(&["GET", "key"]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(proxy.strikes(), 1);
    assert_eq!(proxy.bytes_received() - before, 8);
}

#[test]
fn a_reply_that_is_cut_at_once_is_lost_as_a_whole() {
    let (server, proxy, mut client) = bed();
    proxy.set(Fault::cut_in_reply(0));
    assert!(client.command(&["INCR", "n"]).is_err());
    assert_eq!(proxy.bytes_received(), 0);
    assert_eq!(server.command(&["GET", "n"]).text(), "1");
}

#[test]
fn what_a_stall_holds_is_not_carried_out_until_it_ends() {
    let (server, proxy, mut client) = bed();
    proxy.set(Fault::stall());
    client.send(&["INCR", "n"]).unwrap();
    proxy.await_strike();
    assert_eq!(server.command(&["EXISTS", "n"]), Reply::Integer(0));
    proxy.heal();
    assert_eq!(client.receive().unwrap(), Reply::Integer(1));
}

#[test]
fn a_stall_of_replies_lets_the_server_act() {
    let (server, proxy, mut client) = bed();
    proxy.set(Fault::stall_replies().when_sent("INCR"));
    client.send(&["INCR", "n"]).unwrap();
    proxy.await_strike();
    await_that("the number was counted up", || server.command(&["GET", "n"]).text() == "1");
    assert_eq!(proxy.bytes_received(), 0);
    // Others are not held.
    assert!(ok(&mut Client::connect(proxy.port()).unwrap()));
    proxy.heal();
    assert_eq!(client.receive().unwrap(), Reply::Integer(1));
}

#[test]
fn what_a_stall_holds_can_be_cut() {
    let (server, proxy, mut client) = bed();
    proxy.set(Fault::stall());
    client.send(&["INCR", "n"]).unwrap();
    proxy.await_strike();
    proxy.set(Fault::cut_before_send());
    assert!(client.receive().is_err());
    assert_eq!(server.command(&["EXISTS", "n"]), Reply::Integer(0));
}

#[test]
fn replies_come_later_by_the_delay_however_many_are_on_their_way() {
    const DELAY: Duration = Duration::from_millis(250);
    let (_server, proxy, mut client) = bed();
    proxy.set(Fault::delay(DELAY).when_sent("INCR"));
    let start = Instant::now();
    assert!(ok(&mut client));
    for _ in 0..40 {
        client.send(&["INCR", "n"]).unwrap();
    }
    let answers: Vec<Reply> = (0..40).map(|_| client.receive().unwrap()).collect();
    assert_eq!(answers, (1..=40).map(Reply::Integer).collect::<Vec<_>>());
    let took = start.elapsed();
    assert!(took >= DELAY, "{took:?}");
    // One after the other, they would take twice that.
    assert!(took < 20 * DELAY, "{took:?}");
}

#[test]
fn a_delay_that_is_removed_delays_no_more() {
    let (_server, proxy, mut client) = bed();
    proxy.set(Fault::delay(Duration::from_hours(1)));
    client.send(&["PING"]).unwrap();
    proxy.await_strike();
    proxy.heal();
    assert_eq!(client.receive().unwrap().text(), "PONG");
}

#[test]
fn a_dropped_proxy_closes_what_it_held() {
    let (server, proxy, mut client) = bed();
    let mut other = Client::connect(proxy.port()).unwrap();
    assert!(ok(&mut other));
    proxy.set(Fault::stall());
    client.send(&["INCR", "n"]).unwrap();
    proxy.await_strike();
    proxy.set(Fault::stall_replies());
    other.send(&["INCR", "n"]).unwrap();
    proxy.await_strike();
    drop(proxy);
    assert!(client.receive().is_err());
    assert!(other.receive().is_err());
    // A port that is free may be another's at once; so may not all of them.
    let ports: Vec<u16> = (0..8).map(|_| Proxy::to(server.address()).port()).collect();
    assert!(ports.iter().any(|port| Client::connect(*port).is_err()));
}
