//! A cluster is formed, sends clients where the keys are, moves slots, and survives the loss of a master.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper_testbed::{Client, Fault, RedisCluster, Reply};

const KEY: &str = "user:42";

#[test]
fn a_cluster_sends_clients_where_the_keys_are_and_asks_during_a_move() {
    let cluster = RedisCluster::start();
    let slot = cluster.slot_of(KEY);
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    let (owner, other) = (cluster.node(from), cluster.node(to));
    let at = |node: usize| format!("{slot} 127.0.0.1:{}", cluster.node(node).port());

    assert_eq!(owner.command(&["SET", KEY, "value"]).text(), "OK");
    assert_eq!(other.command(&["GET", KEY]), Reply::Error(format!("MOVED {}", at(from))));

    cluster.begin_move(slot, to);
    assert_eq!(owner.command(&["GET", KEY]).text(), "value");
    assert_eq!(other.command(&["GET", KEY]), Reply::Error(format!("MOVED {}", at(from))));
    cluster.move_keys(slot, to);
    assert_eq!(owner.command(&["GET", KEY]), Reply::Error(format!("ASK {}", at(to))));
    let mut client = other.client().unwrap();
    assert_eq!(client.command(&["ASKING"]).unwrap().text(), "OK");
    assert_eq!(client.command(&["GET", KEY]).unwrap().text(), "value");

    cluster.finish_move(slot, to);
    assert_eq!(cluster.owner(slot), to);
    assert_eq!(other.command(&["GET", KEY]).text(), "value");
    for node in [from, (to + 1) % 3] {
        assert_eq!(cluster.node(node).command(&["GET", KEY]), Reply::Error(format!("MOVED {}", at(to))));
    }
    cluster.move_slot(slot, from);
    assert_eq!(owner.command(&["GET", KEY]).text(), "value");

    let hosts: Vec<String> = cluster.nodes().iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
    assert_eq!(cluster.url(), format!("redis+cluster://{}", hosts.join(",")));
}

#[test]
fn a_replica_takes_the_place_of_a_killed_master_and_gives_it_back() {
    let cluster = RedisCluster::builder().replicas().start();
    let slot = cluster.slot_of(KEY);
    let master = cluster.owner(slot);
    let mut client = cluster.node(master).client().unwrap();
    assert_eq!(client.command(&["SET", KEY, "value"]).unwrap().text(), "OK");
    assert_eq!(client.command(&["WAIT", "1", "10000"]).unwrap(), Reply::Integer(1));

    cluster.fail_over(master);
    let successor = cluster.owner(slot);
    assert_eq!(successor, master + 3);
    assert_eq!(cluster.node(successor).command(&["GET", KEY]).text(), "value");

    cluster.node(master).restart();
    cluster.await_ok();
    cluster.await_replica(master);
    cluster.fail_over(successor);
    assert_eq!(cluster.owner(slot), master);
    assert_eq!(cluster.node(master).command(&["GET", KEY]).text(), "value");
}

#[test]
fn the_nodes_name_their_proxies_and_ask_for_their_password() {
    let cluster = RedisCluster::builder().proxies().password("open-sesame").start();
    let slot = cluster.slot_of(KEY);
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    let moved = format!("MOVED {slot} 127.0.0.1:{}", cluster.proxy(from).port());
    assert_eq!(cluster.node(to).command(&["GET", KEY]), Reply::Error(moved.clone()));
    assert!(cluster.url().starts_with(&format!("redis+cluster://:open-sesame@127.0.0.1:{}", cluster.proxy(0).port())));

    assert_eq!(cluster.node(from).command(&["SET", KEY, "value"]).text(), "OK");
    cluster.move_slot(slot, to);
    assert_eq!(cluster.node(to).command(&["GET", KEY]).text(), "value");
    cluster.move_slot(slot, from);

    cluster.node(from).restart();
    cluster.await_ok();
    assert_eq!(cluster.node(to).command(&["GET", KEY]), Reply::Error(moved));
    cluster.proxy(from).set(Fault::refuse());
    let mut client = Client::connect(cluster.proxy(from).port()).unwrap();
    assert!(client.command(&["PING"]).is_err());
}
