use std::path::Path;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::error::Result;
use crate::store::redis::access::TlsFiles;
use crate::store::tls::{Named, invalid, roots_of_host};
use crate::sync::Arc;

const URL: &str = "Redis URL";

/// Reads the files.
pub(super) fn connector(files: &TlsFiles) -> Result<TlsConnector> {
    let roots = match &files.authority {
        Some(path) => named("ca", path).roots()?,
        None => roots_of_host("ca", URL)?,
    };
    // No default of the process is asked: it belongs to the program that this library is part of.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS cannot be set up".to_owned(), error))?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = named("cert", &client.certificate).certificates()?;
            let key = named("key", &client.key).key()?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let (cert, key) = (client.certificate.display(), client.key.display());
                invalid(format!("the certificate {cert} and the key {key} do not fit each other"), error)
            })?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn named<'a>(option: &'static str, path: &'a Path) -> Named<'a> {
    Named { path, option, url: URL }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::error::ErrorKind;
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
