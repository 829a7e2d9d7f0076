//! Certificates for servers and clients of a test.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::keeper::Keeper;

/// An authority of its own, a certificate of it for servers, and one for clients, as PEM files in a temporary folder. The
/// folder is gone with the last clone and the last server that uses it.
///
/// # Examples
///
/// ```
/// use scupper_testbed::{Certificates, RedisServer};
///
/// let certificates = Certificates::make();
/// let server = RedisServer::builder().tls(&certificates).start();
/// let url = format!("{}?ca={}", server.tls_url(), certificates.authority().display());
/// ```
#[derive(Clone, Debug)]
pub struct Certificates(Arc<Keeper>);

impl Certificates {
    /// The server's is for `localhost` and `127.0.0.1`.
    #[must_use]
    pub fn make() -> Self {
        Self::make_for(&["localhost", "127.0.0.1"])
    }

    /// The server's is for these names and addresses.
    #[must_use]
    pub fn make_for(names: &[&str]) -> Self {
        let made = Self(Arc::new(Keeper::new()));
        made.fill(names).expect("certificates can be made of plain names");
        made
    }

    /// The file with the authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// The file with the server's certificate.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.file("server.pem")
    }

    /// The file with the server's private key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.file("server.key")
    }

    /// The file with the client's certificate.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.file("client.pem")
    }

    /// The file with the client's private key.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.file("client.key")
    }

    fn fill(&self, names: &[&str]) -> Result<(), rcgen::Error> {
        let mut authority = named("Scupper test authority", &[])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        write(self.authority(), &authority.self_signed(&key)?.pem());
        let issuer = Issuer::new(authority, key);

        let mut server = named("Scupper test server", names)?;
        // Servers of a cluster are clients of each other.
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let mut client = named("Scupper test client", &[])?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        for (params, certificate, private) in
            [(server, self.server(), self.server_key()), (client, self.client(), self.client_key())]
        {
            let key = KeyPair::generate()?;
            write(certificate, &params.signed_by(&key, &issuer)?.pem());
            write(private, &key.serialize_pem());
        }
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.folder().join(name)
    }
}

fn named(common_name: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn write(file: PathBuf, text: &str) {
    fs::write(file, text).expect("the folder is our own");
}
