use std::error::Error as _;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::fake;
use crate::store::redis::link::Link;
use crate::store::redis::link::tests::LONG;
use crate::store::redis::login::{Login, Role};
use crate::store::redis::url::Address;

const PASSWORD: &str = "hunter2";

fn login(url: &str) -> Login {
    Login::new(Role::Server, &url.parse::<Address>().unwrap().access).unwrap()
}

/// What becomes of a link to a server that has these answers to what a client begins with, and then closes.
async fn opened(url: &str, answers: &'static [&str]) -> (Endpoint, Result<Link, Error>) {
    let (endpoint, _server) = fake::serve_one(move |mut peer| async move {
        for answer in answers {
            peer.command().await;
            peer.say(&format!("{answer}\r\n")).await;
        }
        if answers.is_empty() {
            peer.command().await;
        } else {
            peer.gone().await;
        }
    })
    .await;
    let link = Link::connect(&endpoint, &login(url), LONG).await;
    (endpoint, link)
}

fn everything(error: &Error) -> String {
    let sources = std::iter::successors(error.source(), |source| (*source).source());
    sources.fold(format!("{error} {error:?}"), |all, source| format!("{all} {source} {source:?}"))
}

#[tokio::test]
async fn one_says_who_one_is_and_chooses_the_database() {
    for (url, said) in [
        ("redis://localhost", vec![]),
        ("redis://:pass%20word@localhost/7", vec![vec!["AUTH", "pass word"], vec!["SELECT", "7"]]),
        ("redis://app:hunter2@localhost", vec![vec!["AUTH", "app", "hunter2"]]),
        ("redis://app@localhost", vec![vec!["AUTH", "app", ""]]),
        ("redis://:@localhost/0", vec![]),
    ] {
        let (endpoint, server) = fake::serve_one(|mut peer| async move { peer.greet().await }).await;
        Link::connect(&endpoint, &login(url), LONG).await.unwrap();
        assert_eq!(server.await.unwrap(), said, "{url}");
    }
}

#[tokio::test]
async fn who_may_not_ping_is_in_all_the_same() {
    for answer in [
        &["-NOPERM User app has no permissions to run the 'ping' command"],
        &["-ERR unknown command 'PING', with args beginning with: "],
    ] {
        let (_, link) = opened("redis://localhost", answer).await;
        assert!(link.unwrap().is_open());
    }
}

#[tokio::test]
async fn what_a_server_refuses_is_explained() {
    use ErrorKind::{InvalidConfig, Unavailable};
    const NOAUTH: &str = "-NOAUTH Authentication required.";
    const WITH_PASSWORD: &str = "redis://:hunter2@localhost";
    const WITH_USER: &str = "redis://app:hunter2@localhost";
    const WITH_DATABASE: &str = "redis://localhost/99";
    type Case = (&'static str, &'static [&'static str], ErrorKind, &'static str);
    let cases: &[Case] = &[
        (
            WITH_PASSWORD,
            &["-WRONGPASS invalid pair", NOAUTH],
            InvalidConfig,
            "know the default user with this password",
        ),
        (WITH_PASSWORD, &["-ERR invalid password", NOAUTH], InvalidConfig, "know the default user with this password"),
        (WITH_USER, &["-WRONGPASS invalid pair", NOAUTH], InvalidConfig, "know the user `app` with this password"),
        (
            WITH_PASSWORD,
            &["-ERR AUTH <password> called without any password configured for the default user.", "+PONG"],
            InvalidConfig,
            "has no password for the default user; leave out user and password in",
        ),
        (
            WITH_PASSWORD,
            &["-ERR Client sent AUTH, but no password is set", "+PONG"],
            InvalidConfig,
            "leave out user and password",
        ),
        (
            WITH_USER,
            &["-ERR wrong number of arguments for 'auth' command", "+PONG"],
            InvalidConfig,
            "older than Redis 6",
        ),
        (
            WITH_PASSWORD,
            &["-ERR unknown command 'AUTH', args: 'hunter2'", NOAUTH],
            InvalidConfig,
            "let the default user in",
        ),
        (WITH_PASSWORD, &["-LOADING hunter2", "-LOADING"], Unavailable, "cannot serve now: LOADING"),
        ("redis://localhost", &[NOAUTH], InvalidConfig, "wants a password; write redis://:password@host"),
        (WITH_DATABASE, &[NOAUTH, NOAUTH], InvalidConfig, "wants a password; write redis://:password@host"),
        (
            WITH_DATABASE,
            &["-ERR DB index is out of range", "+PONG"],
            InvalidConfig,
            "no database 99 to choose (DB index",
        ),
        (WITH_DATABASE, &["-NOPERM no", "+PONG"], InvalidConfig, "does not let the default user choose database 99"),
        (WITH_DATABASE, &["+OK", "-LOADING loading it"], Unavailable, "cannot serve now: LOADING loading it"),
        ("redis://localhost", &["-DENIED protected"], InvalidConfig, "serves only its own host (protected mode)"),
        ("redis://localhost", &["-ERR max number of clients reached"], Unavailable, "as many clients as it may"),
        (
            "redis://localhost",
            &["-MASTERDOWN Link with MASTER is down"],
            Unavailable,
            "cannot serve now: MASTERDOWN Link",
        ),
        ("redis://localhost", &["HTTP/1.1 400 Bad Request"], InvalidConfig, "does not answer as a Redis server does"),
        (
            "redis://localhost",
            &[],
            Unavailable,
            "closed the connection before it could be used; check its log, and whether it wants TLS",
        ),
    ];
    for (url, answers, kind, says) in cases {
        let (endpoint, link) = opened(url, answers).await;
        let error = link.err().unwrap();
        assert_eq!(error.kind(), *kind, "{answers:?}: {error}");
        assert!(error.message().contains(says), "{answers:?}: {error}");
        assert!(error.message().contains(&endpoint.to_string()), "{error}");
        assert!(!everything(&error).contains(PASSWORD), "{error:?}");
    }
}

#[tokio::test]
async fn what_a_server_says_unasked_before_it_closes_is_heard() {
    for url in ["redis://localhost", "redis://:hunter2@localhost"] {
        let (endpoint, _server) =
            fake::serve_one(|mut peer| async move { peer.say("-ERR max number of clients reached\r\n").await }).await;
        let error = Link::connect(&endpoint, &login(url), LONG).await.err().unwrap();
        assert!(error.message().contains("as many clients as it may"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let (nobody, _socket) = fake::nobody();
    let nameless = Endpoint::new("no..host", 6379);
    for (endpoint, says) in
        [(nobody, "nobody listens at 127.0.0.1:"), (nameless, "the host of no..host:6379 was not found")]
    {
        let error = Link::connect(&endpoint, &login("redis://localhost"), LONG).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with(says), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_waited_for_as_long_as_was_said() {
    let (endpoint, _listener) = fake::listen().await;
    let error = Link::connect(&endpoint, &login("redis://localhost"), Duration::from_secs(5)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("did not answer, within 5s"), "{error}");
}
