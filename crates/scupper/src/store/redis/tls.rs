use std::path::Path;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind, Result};
use crate::store::redis::access::TlsFiles;
use crate::sync::Arc;

/// Reads the files.
pub(super) fn connector(files: &TlsFiles) -> Result<TlsConnector> {
    let roots = match &files.authority {
        Some(path) => roots_of(path)?,
        None => roots_of_host()?,
    };
    // No default of the process is asked: it belongs to the program that this library is part of.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS cannot be set up".to_owned(), error))?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = certificates("cert", &client.certificate)?;
            let key = PrivateKeyDer::from_pem_file(&client.key)
                .map_err(|error| unreadable("key", &client.key, "private key without a passphrase", error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let (cert, key) = (client.certificate.display(), client.key.display());
                invalid(format!("the certificate {cert} and the key {key} do not fit each other"), error)
            })?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots_of(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", path)? {
        roots.add(certificate).map_err(|error| {
            invalid(
                format!("{}, named by the option ca, holds a certificate that cannot be read", path.display()),
                error,
            )
        })?;
    }
    Ok(roots)
}

fn roots_of_host() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Among those of a host there may be some that are of no use here.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let error = Error::new(
        ErrorKind::InvalidConfig,
        "this host trusts no certificate authority; name the PEM file of one with the option ca in the Redis URL, or install \
         the host's (the package ca-certificates)",
    );
    Err(match found.errors.into_iter().next() {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) });
    read.map_err(|error| unreadable(option, path, "certificate", error))
}

fn unreadable(option: &str, path: &Path, wanted: &str, error: pem::Error) -> Error {
    let path = path.display();
    match error {
        pem::Error::Io(error) => {
            invalid(format!("{path}, named by the option {option} in the Redis URL, cannot be read: {error}"), error)
        }
        error => invalid(
            format!("{path}, named by the option {option} in the Redis URL, is no PEM file with a {wanted}"),
            error,
        ),
    }
}

fn invalid(message: String, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidConfig, message).with_source(cause)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::store::redis::access::ClientFiles;
    use crate::store::redis::papers::{Authority, Folder};

    #[test]
    fn each_file_that_is_missing_or_no_pem_is_named() {
        let folder = Folder::new();
        let (authority, other) = (Authority::new(), Authority::new());
        let (papers, others) = (authority.sign("client"), other.sign("client"));
        let ca = folder.file("ca.pem", &authority.pem);
        let cert = folder.file("cert.pem", &papers.certificate);
        let key = folder.file("key.pem", &papers.key);
        let other_key = folder.file("other-key.pem", &others.key);
        let text = folder.file("text.pem", "no PEM\n");
        let wrong = folder.file("wrong.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let missing = folder.path("missing.pem");
        for (ca, cert, key, says) in [
            (&missing, &cert, &key, "missing.pem, named by the option ca in the Redis URL, cannot be read"),
            (
                &text,
                &cert,
                &key,
                "text.pem, named by the option ca in the Redis URL, is no PEM file with a certificate",
            ),
            (&wrong, &cert, &key, "wrong.pem, named by the option ca, holds a certificate that cannot be read"),
            (&ca, &missing, &key, "missing.pem, named by the option cert in the Redis URL, cannot be read"),
            (&ca, &key, &key, "key.pem, named by the option cert in the Redis URL, is no PEM file with a certificate"),
            (&ca, &cert, &missing, "missing.pem, named by the option key in the Redis URL, cannot be read"),
            (
                &ca,
                &cert,
                &cert,
                "cert.pem, named by the option key in the Redis URL, is no PEM file with a private key",
            ),
            (&ca, &cert, &other_key, "other-key.pem do not fit each other"),
        ] {
            let client = Some(ClientFiles { certificate: cert.clone(), key: key.clone() });
            let error = connector(&TlsFiles { authority: Some(ca.clone()), client }).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(says), "{error}");
            assert!(error.source().is_some());
        }
        let client = Some(ClientFiles { certificate: cert, key });
        assert!(connector(&TlsFiles { authority: Some(ca), client }).is_ok());
    }
}
