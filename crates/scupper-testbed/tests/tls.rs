//! A server speaks TLS with certificates that a client of today accepts, and with those alone whom it knows.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use scupper_testbed::{Certificates, RedisCluster, RedisSentinel, RedisServer};

/// Who asks.
#[derive(Clone, Copy)]
enum Client {
    Known,
    Unknown,
}

/// What the server answers to a command, asked under a name by a client that trusts the authority.
fn ask(port: u16, name: &str, certificates: &Certificates, client: Client, command: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates.authority()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match client {
        Client::Unknown => config.with_no_client_auth(),
        Client::Known => {
            let certificate = CertificateDer::from_pem_file(certificates.client()).unwrap();
            let key = PrivateKeyDer::from_pem_file(certificates.client_key()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect((Ipv4Addr::LOCALHOST, port))?);
    write!(stream, "{command}\r\n")?;
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn ping(server: &RedisServer, name: &str, certificates: &Certificates, client: Client) -> io::Result<String> {
    ask(server.tls_port(), name, certificates, client, "PING")
}

#[test]
fn a_server_shows_a_certificate_for_its_name_and_address() {
    let certificates = Certificates::make();
    let server = RedisServer::builder().tls(&certificates).start();
    assert_eq!(server.tls_url(), format!("rediss://127.0.0.1:{}", server.tls_port()));
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(ping(&server, name, &certificates, Client::Unknown).unwrap(), "+PONG\r\n");
    }
    assert!(ping(&server, "example.test", &certificates, Client::Unknown).is_err());
    assert!(ping(&server, "localhost", &Certificates::make(), Client::Unknown).is_err());
    assert_eq!(server.command(&["PING"]).text(), "PONG");
}

#[test]
fn a_certificate_can_be_for_other_names() {
    let certificates = Certificates::make_for(&["example.test"]);
    let server = RedisServer::builder().tls(&certificates).start();
    assert!(ping(&server, "example.test", &certificates, Client::Unknown).is_ok());
    assert!(ping(&server, "127.0.0.1", &certificates, Client::Unknown).is_err());
}

#[test]
fn a_server_takes_only_the_clients_that_it_knows_where_it_should() {
    let certificates = Certificates::make();
    let server = RedisServer::builder().tls_for_known_clients(&certificates).start();
    assert_eq!(ping(&server, "localhost", &certificates, Client::Known).unwrap(), "+PONG\r\n");
    assert!(ping(&server, "localhost", &certificates, Client::Unknown).is_err());
}

#[test]
fn a_server_outlives_who_made_its_certificates() {
    let certificates = Certificates::make();
    let server = RedisServer::builder().tls(&certificates).start();
    let file = certificates.authority();
    drop(certificates);
    server.restart();
    drop(server);
    assert!(!file.exists());
}

#[test]
fn a_cluster_names_the_ports_for_tls_to_who_comes_by_tls() {
    let certificates = Certificates::make();
    let cluster = RedisCluster::builder().tls(&certificates).start();
    let slot = cluster.slot_of("user:42");
    let owner = cluster.owner(slot);
    let other = (owner + 1) % 3;
    let moved = ask(cluster.node(other).tls_port(), "127.0.0.1", &certificates, Client::Unknown, "GET user:42");
    assert_eq!(moved.unwrap(), format!("-MOVED {slot} 127.0.0.1:{}\r\n", cluster.node(owner).tls_port()));
    assert_eq!(cluster.node(owner).command(&["SET", "user:42", "value"]).text(), "OK");
    cluster.move_slot(slot, other);
    assert_eq!(cluster.node(other).command(&["GET", "user:42"]).text(), "value");
    assert!(cluster.url().starts_with(&format!("rediss+cluster://127.0.0.1:{},", cluster.node(0).tls_port())));
}

#[test]
fn sentinel_names_the_ports_for_tls() {
    let certificates = Certificates::make();
    let servers = RedisSentinel::builder().tls(&certificates).start();
    assert_eq!(servers.url(), format!("rediss+sentinel://127.0.0.1:{}/mymaster", servers.sentinel().tls_port()));
    servers.fail_over();
    let command = "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster";
    let answer = ask(servers.sentinel().tls_port(), "127.0.0.1", &certificates, Client::Unknown, command).unwrap();
    assert!(answer.contains(&format!("\r\n{}\r\n", servers.primary().tls_port())), "{answer}");
}
