use redis::{Cmd, Pipeline};
use tokio_rustls::TlsConnector;

use crate::error::Result;
use crate::store::redis::access::Access;
use crate::store::redis::secret::Secret;
use crate::store::redis::tls;

/// What every connection to a server begins with, made ready once.
pub(super) struct Login {
    pub(super) role: Role,
    pub(super) user: Option<String>,
    pub(super) database: u32,
    pub(super) tls: Option<TlsConnector>,
    /// A command for each of the steps.
    pub(super) opening: Pipeline,
    pub(super) steps: Vec<Step>,
}

/// Whose password it is, which is said in different places of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Sentinel,
}

/// One command of the opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Authenticate,
    Select,
    /// Where nothing else is to be said, a server that wants a password or still loads its data must be heard here.
    Greet,
}

impl Login {
    /// Reads the files that are named.
    pub(super) fn new(role: Role, access: &Access) -> Result<Self> {
        let tls = access.tls.as_ref().map(tls::connector).transpose()?;
        let mut opening = Pipeline::new();
        let mut steps = Vec::new();
        let mut add = |step, command| {
            opening.add_command(command);
            steps.push(step);
        };
        if access.user.is_some() || access.password.is_some() {
            let mut auth = redis::cmd("AUTH");
            auth.arg(access.user.as_deref()).arg(access.password.as_ref().map_or("", Secret::reveal));
            add(Step::Authenticate, auth);
        }
        if access.database != 0 {
            add(Step::Select, Cmd::new().arg("SELECT").arg(access.database).to_owned());
        }
        add(Step::Greet, redis::cmd("PING"));
        Ok(Self { role, user: access.user.clone(), database: access.database, tls, opening, steps })
    }
}
