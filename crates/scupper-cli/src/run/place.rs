use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use scupper::store::{self, Store};
use scupper::{Error, ErrorKind, Limiter, Quota, SqliteStore};

use crate::failure::{Failure, bare};
use crate::given::{Given, GivenParser};
use crate::run::elsewhere::elsewhere;
use crate::run::file_url::with_timeout;
use crate::run::mask::Private;
use crate::run::state_folder;
use crate::run::status::STORE_FAILED;
use crate::stores::STORES_HELP;

const STORE_HELP: &str = "Where to count [default: a file in the user's state folder]";
const DEFAULT_HELP: &str = "\
The default is SQLite in $XDG_STATE_HOME/scupper/limits.sqlite, or if that is not set in \
~/.local/state/scupper/limits.sqlite, for this user on this host. The folder is made if it is not there; the file is made \
for this user alone. A relative XDG_STATE_HOME is ignored, as the XDG base directory specification has it.";

const KEY_HELP: &str = "\
The name under which to count: runs with the same key share their rates [default: the name of COMMAND, so that all of \
'sh -c …' share the key sh]";
const KEY_LONG_HELP: &str = "\
The default is COMMAND without its folder, so that runs of one program share a limit, and others do not meddle. Name a key \
where several programs are to share one. Always name one where COMMAND is a shell or the like, which runs now this and now \
that (sh, bash, env, python, xargs, sudo): --key mail -- sh -c '…'. Without, all of them count together under that name. \
Whoever uses a key should give the same rates; where they differ, each is held to its own, and all units count.";

/// Where to count.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[arg(
        long, value_name = "NAME", env = "SCUPPER_KEY", value_parser = GivenParser,
        help = KEY_HELP, long_help = format!("{KEY_HELP}\n\n{KEY_LONG_HELP}")
    )]
    key: Option<Given>,

    #[arg(
        long, value_name = "URL", env = "SCUPPER_STORE", hide_env_values = true, value_parser = GivenParser,
        help = STORE_HELP, long_help = format!("{STORE_HELP}\n\n{DEFAULT_HELP}\n\n{STORES_HELP}")
    )]
    store: Option<Given>,
}

/// Why a store is not open.
#[derive(Debug)]
pub(super) enum NotOpen {
    /// Others have it for now.
    Yet(Error),
    Ever(Failure),
}

impl From<Failure> for NotOpen {
    fn from(failure: Failure) -> Self {
        Self::Ever(failure)
    }
}

impl Place {
    /// The name under which a run of this program counts.
    pub(super) fn key(&self, program: &OsStr) -> String {
        let name = || Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        self.key.as_ref().map_or_else(name, |key| key.text().to_owned())
    }

    /// While this is there, what is made for the default store is for this user alone.
    pub(super) fn keep_private(&self) -> Option<Private> {
        self.store.is_none().then(Private::from_now_on)
    }

    /// Goes to the store; a call to it will take no longer than this.
    pub(super) async fn open(&self, quota: &Quota, longest_call: Duration) -> Result<Limiter, NotOpen> {
        if let Some(store) = &self.store {
            check_lasts(store)?;
        }
        let named = self.store.clone();
        let open = move || named.map_or_else(|| open_default(longest_call), |store| open_named(&store, longest_call));
        let opened =
            elsewhere(open).map_err(|error| failed(format!("the system gives no thread: {}", bare(&error))))?;
        let store = opened.await?;
        let limiter = Limiter::builder().quota(quota).shared_store(store).call_timeout(longest_call);
        Ok(limiter.build().map_err(|error| usage(error.to_string()))?)
    }

    /// What else a user can do to be rid of what a key owes.
    pub(super) fn way_to_forget(&self) -> String {
        match default_file().filter(|_| self.store.is_none()) {
            Some(file) => {
                let file = file.display();
                format!(
                    "or, while nothing runs that counts there, remove {file}, {file}-wal and {file}-shm: that forgets all keys"
                )
            }
            None => "or have the store forget this one".to_owned(),
        }
    }
}

fn check_lasts(store: &Given) -> Result<(), Failure> {
    if has_scheme(store.text(), "memory") {
        let by = store.by();
        return Err(usage(format!(
            "{by}: memory: is gone when COMMAND begins, and limits nobody; leave {by} out to count on this host, or name a \
             store that lasts"
        )));
    }
    Ok(())
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once(':').is_some_and(|(named, _)| named.eq_ignore_ascii_case(scheme))
}

fn open_named(store: &Given, longest_call: Duration) -> Result<Arc<dyn Store>, NotOpen> {
    let is_file = has_scheme(store.text(), "sqlite");
    let url = if is_file { with_timeout(store.text(), longest_wait(longest_call)) } else { store.text().to_owned() };
    store::connect_blocking(&url).map_err(|error| match error.kind() {
        ErrorKind::InvalidConfig => usage(format!("{}: {}", store.by(), error.message())).into(),
        ErrorKind::Unavailable if is_file => NotOpen::Yet(error),
        _ => not_there(&error).into(),
    })
}

/// How long a file is waited for: less than a call takes, so that it is told that nothing was taken, and not that nobody knows.
fn longest_wait(longest_call: Duration) -> Duration {
    longest_call * 3 / 4
}

fn default_file() -> Option<PathBuf> {
    Some(state_folder::path()?.join("limits.sqlite"))
}

/// The store of this user, whose folder is made if it is not there.
fn open_default(longest_call: Duration) -> Result<Arc<dyn Store>, NotOpen> {
    let file = default_file().ok_or_else(|| {
        let lacking = "no place for the limits of this user: neither XDG_STATE_HOME nor HOME names a folder; set one, or give \
                       --store or SCUPPER_STORE";
        failed(lacking.to_owned())
    })?;
    if let Some(folder) = file.parent() {
        state_folder::make(folder)
            .map_err(|error| failed(format!("cannot make the folder {}: {}", folder.display(), bare(&error))))?;
    }
    let store = SqliteStore::builder(file).timeout(longest_wait(longest_call)).open();
    Ok(Arc::new(store.map_err(|error| match error.kind() {
        ErrorKind::Unavailable => NotOpen::Yet(error),
        _ => not_there(&error).into(),
    })?))
}

fn not_there(error: &Error) -> Failure {
    failed(format!("{error}; nothing was taken or run"))
}

pub(super) fn usage(message: String) -> Failure {
    Failure::Usage { command: "run", message }
}

pub(super) fn failed(message: String) -> Failure {
    Failure::Status { status: STORE_FAILED, message }
}
