//! What TLS to a server needs of this host.

use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, ErrorKind, Result};

/// A file in PEM, and how somebody came to name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) path: &'a Path,
    pub(crate) option: &'static str,
    /// The URL that the option stands in, like "Redis URL".
    pub(crate) url: &'static str,
}

impl Named<'_> {
    /// The certificates in the file, at least one.
    pub(crate) fn certificates(self) -> Result<Vec<CertificateDer<'static>>> {
        let read = CertificateDer::pem_file_iter(self.path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) });
        read.map_err(|error| self.unreadable("certificate", error))
    }

    /// The private key in the file.
    pub(crate) fn key(self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_file(self.path)
            .map_err(|error| self.unreadable("private key without a passphrase", error))
    }

    /// The certificates in the file, as those who vouch for others.
    pub(crate) fn roots(self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| {
                let (path, option) = (self.path.display(), self.option);
                invalid(format!("{path}, named by the option {option}, holds a certificate that cannot be read"), error)
            })?;
        }
        Ok(roots)
    }

    fn unreadable(self, wanted: &str, error: pem::Error) -> Error {
        let named = format!("{}, named by the option {} in the {}", self.path.display(), self.option, self.url);
        match error {
            pem::Error::Io(error) => invalid(format!("{named}, cannot be read: {error}"), error),
            error => invalid(format!("{named}, is no PEM file with a {wanted}"), error),
        }
    }
}

/// Those whom this host trusts. Without any, the error names the option of the URL that would name one.
pub(crate) fn roots_of_host(option: &str, url: &str) -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Among those of a host there may be some that are of no use here.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let what = format!(
        "this host trusts no certificate authority; name the PEM file of one with the option {option} in the {url}, or install \
         the host's (the package ca-certificates)"
    );
    let error = Error::new(ErrorKind::InvalidConfig, what);
    Err(match found.errors.into_iter().next() {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

/// The settings of TLS are wrong.
#[cold]
pub(crate) fn invalid(message: String, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidConfig, message).with_source(cause)
}
