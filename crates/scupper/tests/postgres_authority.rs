//! Under TLS, servers whose own certificate is that of an authority.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use scupper::{ErrorKind, PostgresStore};
use scupper_testbed::{Certificates, PostgresServer};
use support::postgres::{admits, patient};

/// That of an authority, and for servers of these names as well.
fn authority(name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A server with a certificate that signs itself, which clients are told to trust.
fn with_one_of_its_own(params: &CertificateParams) -> (PostgresServer, Certificates) {
    let (certificates, key) = (Certificates::make(), KeyPair::generate().unwrap());
    let own = params.self_signed(&key).unwrap().pem();
    fs::write(certificates.authority(), &own).unwrap();
    fs::write(certificates.server(), &own).unwrap();
    fs::write(certificates.server_key(), key.serialize_pem()).unwrap();
    (PostgresServer::builder().tls(&certificates).start(), certificates)
}

fn connect(server: &PostgresServer, mode: &str, trusted: &Certificates) -> scupper::Result<PostgresStore> {
    let root = trusted.authority();
    PostgresStore::connect_blocking(&format!(
        "{}?connect_timeout=10&sslmode={mode}&sslrootcert={}",
        server.url(),
        root.display()
    ))
}

#[track_caller]
fn is_refused(connected: scupper::Result<PostgresStore>) {
    is_told(connected, "certificate");
}

#[track_caller]
fn is_told(connected: scupper::Result<PostgresStore>, words: &str) {
    let error = connected.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains(words), "{error}");
}

/// As its makers make one by default, and as other clients take it.
#[test]
fn a_certificate_that_signs_itself_is_taken_from_who_was_named_by_it() {
    let (server, certificates) = with_one_of_its_own(&authority("server", &["localhost", "127.0.0.1"]));
    for mode in ["require", "verify-ca", "verify-full"] {
        admits(&patient("1000/h", &connect(&server, mode, &certificates).unwrap()), "user:42");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        is_refused(connect(&server, mode, &Certificates::make()));
    }
}

#[test]
fn a_certificate_that_signs_itself_has_to_be_for_the_name_where_that_is_asked_for() {
    let (server, certificates) = with_one_of_its_own(&authority("server", &["example.test"]));
    connect(&server, "verify-ca", &certificates).unwrap();
    is_refused(connect(&server, "verify-full", &certificates));
}

#[test]
fn a_certificate_that_signs_itself_is_not_taken_beyond_its_time() {
    let mut past = authority("server", &["localhost", "127.0.0.1"]);
    (past.not_before, past.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let (server, certificates) = with_one_of_its_own(&past);
    for mode in ["verify-ca", "verify-full"] {
        is_refused(connect(&server, mode, &certificates));
    }
}

/// One that looks the same, with the name of the one that was named and a key of its own.
#[test]
fn a_certificate_that_signs_itself_is_not_taken_from_who_has_another_key() {
    let params = authority("server", &["localhost", "127.0.0.1"]);
    let ((server, _), (_, others)) = (with_one_of_its_own(&params), with_one_of_its_own(&params));
    for mode in ["verify-ca", "verify-full"] {
        is_refused(connect(&server, mode, &others));
    }
}

/// It is to sign certificates, and nobody said that it is a server's.
#[test]
fn the_certificate_of_an_authority_below_the_one_that_is_trusted_is_no_servers() {
    let (certificates, key) = (Certificates::make(), KeyPair::generate().unwrap());
    let root = authority("root", &[]);
    fs::write(certificates.authority(), root.self_signed(&key).unwrap().pem()).unwrap();
    let (issuer, key) = (Issuer::new(root, key), KeyPair::generate().unwrap());
    let below = authority("below", &["localhost", "127.0.0.1"]).signed_by(&key, &issuer).unwrap();
    fs::write(certificates.server(), below.pem()).unwrap();
    fs::write(certificates.server_key(), key.serialize_pem()).unwrap();
    let server = PostgresServer::builder().tls(&certificates).start();
    for mode in ["verify-ca", "verify-full"] {
        is_told(connect(&server, mode, &certificates), "name that very file by sslrootcert");
    }
}
