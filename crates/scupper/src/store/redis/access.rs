use std::path::PathBuf;

use crate::store::redis::secret::Secret;

/// How a server lets one in, and which of its databases is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// Without one, a password is that of the default user. With one and no password, the user has none.
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: u32,
    /// With them, everything said is under TLS.
    pub(super) tls: Option<TlsFiles>,
}

impl Access {
    /// An empty user is none, and an empty password without a user is none either: that is what a template leaves behind that
    /// was filled with nothing.
    pub(super) fn of(user: Option<String>, password: Option<String>) -> Self {
        let user = user.filter(|user| !user.is_empty());
        let password = password.filter(|password| user.is_some() || !password.is_empty()).map(Secret::new);
        Self { user, password, ..Self::default() }
    }
}

/// The files of one's own that TLS needs: none of them must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Who vouches for the server, in place of those that this host trusts.
    pub(super) authority: Option<PathBuf>,
    pub(super) client: Option<ClientFiles>,
}

/// What shows the server who its client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}
