use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::Result;
use crate::store::postgres::certificate::end_point;
use crate::store::postgres::tls_mode::TlsMode;
use crate::store::postgres::url::Tls;
use crate::store::postgres::verifier::{Authorities, Verifier};
use crate::store::tls::{Named, invalid, roots_of_host};
use crate::store::wire::Wire;
use crate::sync::Arc;

const URL: &str = "Postgres URL";

/// Puts connections under TLS.
#[derive(Clone)]
pub(super) struct Connector(Arc<ClientConfig>);

/// A connection that is about to be under TLS.
pub(super) struct Handshake {
    connector: TlsConnector,
    host: String,
}

/// A connection under TLS.
pub(super) struct Stream(client::TlsStream<Wire>);

impl Connector {
    /// Reads the files that are named.
    pub(super) fn new(tls: &Tls) -> Result<Self> {
        // No default of the process is asked: it belongs to the program that this library is part of.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid("TLS cannot be set up".to_owned(), error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier(tls, provider)?);
        let config = match &tls.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = named("sslcert", certificate).certificates()?;
                builder.with_client_auth_cert(chain, named("sslkey", key).key()?).map_err(|error| {
                    let (certificate, key) = (certificate.display(), key.display());
                    invalid(format!("the certificate {certificate} and the key {key} do not fit each other"), error)
                })?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// For a server of this name. Whether it is one that TLS knows matters only once there is TLS: a socket in a folder has none.
    pub(super) fn towards(&self, name: &str) -> Handshake {
        Handshake { connector: TlsConnector::from(Arc::clone(&self.0)), host: name.to_owned() }
    }
}

fn verifier(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if tls.mode < TlsMode::VerifyCa {
        return Ok(Arc::new(Verifier { provider, authorities: None }));
    }
    let (roots, named): (RootCertStore, _) = match &tls.authority {
        Some(path) => (named("sslrootcert", path).roots()?, named("sslrootcert", path).certificates()?),
        None => (roots_of_host("sslrootcert", URL)?, Vec::new()),
    };
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier =
        built.map_err(|error| invalid("the certificate authorities for TLS cannot be used".to_owned(), error))?;
    let authorities = Authorities { verifier, named, asks_for_name: tls.mode == TlsMode::VerifyFull };
    Ok(Arc::new(Verifier { provider, authorities: Some(authorities) }))
}

fn named<'a>(option: &'static str, path: &'a Path) -> Named<'a> {
    Named { path, option, url: URL }
}

impl TlsConnect<Wire> for Handshake {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, wire: Wire) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            self.connector.connect(name, wire).await.map(Stream)
        })
    }
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let bound = certificate.and_then(|certificate| end_point(certificate));
        bound.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, out)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
