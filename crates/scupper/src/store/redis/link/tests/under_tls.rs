use redis::Value;
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, ErrorKind};
use crate::store::redis::access::{Access, ClientFiles, TlsFiles};
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::fake::{self, Peer};
use crate::store::redis::link::Link;
use crate::store::redis::link::tests::{LONG, commands, until_closed};
use crate::store::redis::login::{Login, Role};
use crate::store::redis::papers::{Authority, Folder, Papers};

/// A server that is called by this name, greets, and answers one call.
async fn serve(acceptor: TlsAcceptor, host: &str) -> Endpoint {
    let (endpoint, listener) = fake::listen().await;
    tokio::spawn(async move {
        let Ok(stream) = acceptor.accept(listener.accept().await.unwrap().0).await else { return };
        let mut peer = Peer::new(stream);
        peer.greet().await;
        peer.command().await;
        peer.say("+a\r\n").await;
    });
    Endpoint::new(host, endpoint.port)
}

async fn connect(endpoint: &Endpoint, authority: &Authority, papers: Option<Papers>) -> Result<Link, Error> {
    let folder = Folder::new();
    let client = papers.map(|papers| ClientFiles {
        certificate: folder.file("cert.pem", &papers.certificate),
        key: folder.file("key.pem", &papers.key),
    });
    let files = TlsFiles { authority: Some(folder.file("ca.pem", &authority.pem)), client };
    let login = Login::new(Role::Server, &Access { tls: Some(files), ..Access::default() })?;
    Link::connect(endpoint, &login, LONG).await
}

#[tokio::test]
async fn calls_are_made_under_tls_and_their_end_is_seen() {
    let authority = Authority::new();
    for (host, wants_papers) in [("localhost", false), ("127.0.0.1", false), ("localhost", true)] {
        let papers = wants_papers.then(|| authority.sign("client"));
        let endpoint = serve(authority.server(host, wants_papers), host).await;
        let link = connect(&endpoint, &authority, papers).await.unwrap();
        assert_eq!(link.call(&commands(&["A"]), LONG).await.unwrap(), [Value::SimpleString("a".to_owned())]);
        until_closed(&link).await;
        assert!(!link.call(&commands(&["B"]), LONG).await.unwrap_err().was_sent);
    }
}

#[tokio::test]
async fn a_server_that_is_not_the_one_meant_is_not_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (signed_by, name) in [(&other, "localhost"), (&authority, "elsewhere")] {
        let endpoint = serve(signed_by.server(name, false), "localhost").await;
        let error = connect(&endpoint, &authority, None).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let says = format!("the certificate of {endpoint} is not trusted");
        assert!(error.message().starts_with(&says), "{error}");
    }
}

#[tokio::test]
async fn a_client_without_papers_is_told_so() {
    let authority = Authority::new();
    for papers in [None, Some(Authority::new().sign("client"))] {
        let endpoint = serve(authority.server("localhost", true), "localhost").await;
        let error = connect(&endpoint, &authority, papers).await.err().unwrap();
        assert!(error.message().contains("cert and key"), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with_it() {
    let (endpoint, _server) = fake::serve_one(|mut peer| async move {
        peer.say("-ERR Protocol error\r\n").await;
        peer.gone().await;
    })
    .await;
    let error = connect(&endpoint, &Authority::new(), None).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().ends_with("does not speak TLS; write redis:// in place of rediss://, or check the port"));

    let endpoint = serve(Authority::new().server("localhost", false), "localhost").await;
    let login = Login::new(Role::Server, &Access::default()).unwrap();
    let error = Link::connect(&endpoint, &login, LONG).await.err().unwrap();
    assert!(error.message().contains(&endpoint.to_string()), "{error}");
}
