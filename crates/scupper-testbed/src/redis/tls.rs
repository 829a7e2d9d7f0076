//! Where a server listens for TLS, and with what.

use std::path::Path;

use crate::certificates::Certificates;

/// A port, and the certificates that must stay in their files for as long as the server may be started again.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) port: u16,
    pub(super) certificates: Certificates,
}

impl Tls {
    /// What `redis.conf` says of it.
    pub(super) fn lines(&self) -> [String; 4] {
        let line = |name: &str, path: &Path| format!("{name} {}", path.display());
        [
            format!("tls-port {}", self.port),
            line("tls-ca-cert-file", &self.certificates.authority()),
            line("tls-cert-file", &self.certificates.server()),
            line("tls-key-file", &self.certificates.server_key()),
        ]
    }
}
