//! A Postgres speaks TLS with certificates that a client of today accepts, and may ask for the client's.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use scupper_testbed::{Certificates, PostgresServer, Session};

/// Asks for TLS, as the protocol has it.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The role and database `scupper`, in the protocol's third version.
const START: &[u8] = b"\0\0\0\x27\0\x03\0\0user\0scupper\0database\0scupper\0\0";

/// The first letter of the server's answer to a client that trusts the authority: `R` when it knows the role, `E` for a refusal.
fn begin(server: &PostgresServer, name: &str, certificates: &Certificates, is_known: bool) -> io::Result<char> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates.authority()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = if is_known {
        let certificate = CertificateDer::from_pem_file(certificates.client()).unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.client_key()).unwrap();
        config.with_client_auth_cert(vec![certificate], key).unwrap()
    } else {
        config.with_no_client_auth()
    };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port()))?;
    stream.write_all(&TLS_REQUEST)?;
    let mut letter = [0];
    stream.read_exact(&mut letter)?;
    assert_eq!(letter, *b"S");
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream);
    stream.write_all(START)?;
    stream.read_exact(&mut letter)?;
    Ok(char::from(letter[0]))
}

#[test]
fn a_server_shows_a_certificate_for_its_name_and_address() {
    let certificates = Certificates::make();
    let server = PostgresServer::builder().tls(&certificates).start();
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(begin(&server, name, &certificates, false).unwrap(), 'R');
    }
    assert!(begin(&server, "example.test", &certificates, false).is_err());
    assert!(begin(&server, "localhost", &Certificates::make(), false).is_err());
    assert!(Session::connect(&server.url()).is_ok());
}

#[test]
fn a_server_takes_only_tls_where_it_should() {
    let certificates = Certificates::make();
    let server = PostgresServer::builder().tls(&certificates).allow("hostssl all scupper all trust").start();
    assert_eq!(begin(&server, "localhost", &certificates, false).unwrap(), 'R');
    let refusal = Session::connect(&server.url()).unwrap_err();
    assert_eq!(refusal.code.as_deref(), Some("28000"), "{refusal}");
}

#[test]
fn a_server_takes_only_the_clients_that_it_knows_where_it_should() {
    let certificates = Certificates::make();
    let line = "hostssl all scupper all trust clientcert=verify-ca";
    let server = PostgresServer::builder().tls(&certificates).allow(line).start();
    assert_eq!(begin(&server, "localhost", &certificates, true).unwrap(), 'R');
    assert_eq!(begin(&server, "localhost", &certificates, false).unwrap(), 'E');
}

#[test]
fn a_server_outlives_who_made_its_certificates() {
    let certificates = Certificates::make();
    let server = PostgresServer::builder().tls(&certificates).start();
    let file = certificates.authority();
    drop(certificates);
    assert!(!file.exists());
    server.restart();
    assert_eq!(server.ask("SHOW ssl").text(), "on");
}
