mod opening;
mod under_tls;

use std::time::Duration;

use proptest::prelude::*;
use redis::{Pipeline, Value};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::store::redis::access::Access;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::fake::{self, Peer};
use crate::store::redis::link::{Link, packed_length};
use crate::store::redis::login::{Login, Role};
use crate::sync::Arc;

/// Nothing here takes as long, unless it hangs.
const LONG: Duration = Duration::from_mins(1);
/// More than lies in the buffers between two ends of a connection.
const BIG: usize = 64 << 20;

async fn connect(endpoint: &Endpoint) -> Arc<Link> {
    let login = Login::new(Role::Server, &Access::default()).unwrap();
    Arc::new(Link::connect(endpoint, &login, LONG).await.unwrap())
}

fn commands(names: &[&str]) -> Pipeline {
    let mut commands = Pipeline::new();
    for name in names {
        commands.cmd(name);
    }
    commands
}

fn big() -> Pipeline {
    let mut commands = Pipeline::new();
    commands.cmd("BIG").arg(vec![b'x'; BIG]);
    commands
}

async fn until_closed(link: &Link) {
    while link.is_open() {
        yield_now().await;
    }
}

fn simple(text: &str) -> Value {
    Value::SimpleString(text.to_owned())
}

#[tokio::test]
async fn calls_are_answered_each_its_own() {
    let (endpoint, _server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        for answer in ["+a1\r\n", "-WRONG a2\r\n", ":3\r\n", "*1\r\n$-1\r\n"] {
            peer.command().await;
            peer.say(answer).await;
        }
        peer.gone().await;
    })
    .await;
    let link = connect(&endpoint).await;
    let (three, one) = (commands(&["A", "B", "C"]), commands(&["D"]));
    let (first, second) = tokio::join!(link.call(&three, LONG), link.call(&one, LONG));
    let first = first.unwrap();
    assert_eq!((&first[0], &first[2], first.len()), (&simple("a1"), &Value::Int(3), 3));
    let Value::ServerError(error) = &first[1] else { panic!("{first:?}") };
    assert_eq!((error.code(), error.details()), ("WRONG", Some("a2")));
    assert_eq!(second.unwrap(), [Value::Array(vec![Value::Nil])]);
    assert!(link.is_open());
    assert_eq!(link.call(&Pipeline::new(), LONG).await.unwrap(), []);
}

#[tokio::test]
async fn a_link_that_is_closed_while_idle_is_seen_and_sends_nothing() {
    let (endpoint, _server) = fake::serve_one(|mut peer| async move { drop(peer.greet().await) }).await;
    let link = connect(&endpoint).await;
    until_closed(&link).await;
    let broken = link.call(&commands(&["A"]), LONG).await.unwrap_err();
    assert!(!broken.was_sent, "{broken:?}");
}

#[tokio::test]
async fn a_call_that_left_is_known_to_have_left_wherever_the_server_closes() {
    for answer in ["", "+a1\r\n$5\r\nab", "+a1\r\n+a2"] {
        let (endpoint, _server) = fake::serve_one(move |mut peer| async move {
            peer.greet().await;
            peer.command().await;
            peer.say(answer).await;
        })
        .await;
        let link = connect(&endpoint).await;
        let broken = link.call(&commands(&["A", "B"]), LONG).await.unwrap_err();
        assert!(broken.was_sent, "{answer:?}: {broken:?}");
        assert!(!link.is_open());
        let broken = link.call(&commands(&["C"]), LONG).await.unwrap_err();
        assert!(!broken.was_sent, "{answer:?}: {broken:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_breaks_the_link() {
    let (endpoint, _server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        peer.command().await;
        peer.say("HTTP/1.1 400 Bad Request\r\n").await;
        peer.gone().await;
    })
    .await;
    let link = connect(&endpoint).await;
    let broken = link.call(&commands(&["A"]), LONG).await.unwrap_err();
    assert!(broken.was_sent, "{broken:?}");
    assert!(!link.is_open());
}

#[tokio::test]
async fn a_call_without_an_answer_ends_in_time_and_leaves_the_link_to_others() {
    let (endpoint, _server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        let late = peer.command().await;
        assert_eq!(peer.command().await, ["B"]);
        peer.say(&format!("+late {}\r\n+b\r\n", late[0])).await;
        peer.gone().await;
    })
    .await;
    let link = connect(&endpoint).await;
    tokio::time::pause();
    let broken = link.call(&commands(&["A"]), Duration::from_secs(1)).await.unwrap_err();
    tokio::time::resume();
    assert!(broken.was_sent && broken.error.is_timeout(), "{broken:?}");
    assert!(link.is_open());
    assert_eq!(link.call(&commands(&["B"]), LONG).await.unwrap(), [simple("b")]);
}

#[tokio::test]
async fn what_is_in_flight_fails_when_the_link_is_abandoned() {
    let (endpoint, server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        peer.gone().await;
    })
    .await;
    let link = connect(&endpoint).await;
    let call = commands(&["A"]);
    let (broken, ()) = tokio::join!(link.call(&call, LONG), async {
        while link.record.written() == packed_length(&commands(&["PING"])) {
            yield_now().await;
        }
        link.abandon();
        assert!(!link.is_open());
    });
    assert!(broken.unwrap_err().was_sent);
    assert!(!link.call(&call, LONG).await.unwrap_err().was_sent);
    server.await.unwrap();
}

#[tokio::test]
async fn a_link_that_is_dropped_closes_the_connection() {
    let (endpoint, server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        peer.gone().await;
    })
    .await;
    drop(connect(&endpoint).await);
    server.await.unwrap();
}

/// A server that reads on only when it is told to.
async fn stalled<F>(then: impl FnOnce(Peer) -> F + Send + 'static) -> (Endpoint, oneshot::Sender<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (go, told) = oneshot::channel();
    let (endpoint, _server) = fake::serve_one(|mut peer| async move {
        peer.greet().await;
        told.await.unwrap();
        then(peer).await;
    })
    .await;
    (endpoint, go)
}

#[tokio::test]
async fn of_two_calls_the_one_that_was_never_written_is_known_to_be_unsent() {
    let (endpoint, go) = stalled(|peer| async move { drop(peer) }).await;
    let link = connect(&endpoint).await;
    let (big, small) = (big(), commands(&["B"]));
    let (first, second, ()) = tokio::join!(link.call(&big, LONG), link.call(&small, LONG), async {
        yield_now().await;
        go.send(()).unwrap();
    });
    assert!(first.unwrap_err().was_sent);
    assert!(!second.unwrap_err().was_sent);
}

#[tokio::test]
async fn a_call_that_could_not_be_written_in_time_never_will_be() {
    let (endpoint, _go) = stalled(|_| async {}).await;
    let link = connect(&endpoint).await;
    let (big, small) = (big(), commands(&["B"]));
    tokio::time::pause();
    let (first, second) = tokio::join!(link.call(&big, LONG), link.call(&small, Duration::from_secs(1)));
    assert!(first.unwrap_err().was_sent);
    let second = second.unwrap_err();
    assert!(!second.was_sent && second.error.is_timeout(), "{second:?}");
    assert!(!link.is_open(), "or it might still be written");
}

#[tokio::test]
async fn a_call_that_takes_the_place_of_one_given_up_is_not_held_for_unsent() {
    let (endpoint, go) = stalled(|mut peer| async move {
        assert_eq!(peer.command().await[0], "BIG");
        assert_eq!(peer.command().await, ["C"]);
    })
    .await;
    let link = connect(&endpoint).await;
    let (big, given_up, last) = (big(), commands(&["B", "B", "B", "B"]), commands(&["C"]));
    let (first, third, ()) = tokio::join!(
        link.call(&big, LONG),
        async {
            tokio::select! {
                biased;
                _ = link.call(&given_up, LONG) => panic!("it cannot be written yet"),
                () = yield_now() => {}
            }
            link.call(&last, LONG).await
        },
        async {
            while link.given_up.load(std::sync::atomic::Ordering::Acquire) == 0 {
                yield_now().await;
            }
            yield_now().await;
            go.send(()).unwrap();
        },
    );
    assert!(first.unwrap_err().was_sent);
    assert!(third.unwrap_err().was_sent);
}

proptest! {
    #[test]
    fn the_length_of_a_call_is_what_is_written(
        calls in proptest::collection::vec(proptest::collection::vec(".{0,120}", 1..12), 1..12),
    ) {
        let mut pipeline = Pipeline::new();
        for call in calls {
            pipeline.add_command(call.iter().fold(redis::Cmd::new(), |mut command, argument| {
                command.arg(argument);
                command
            }));
        }
        prop_assert_eq!(packed_length(&pipeline), pipeline.get_packed_pipeline().len() as u64);
    }
}
