use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use scupper::store::{self, Store};
use scupper::{Error, ErrorKind, Limiter, Quota, SqliteStore};

use crate::failure::{Failure, bare};
use crate::run::elsewhere::elsewhere;
use crate::run::state_folder;
use crate::run::status::STORE_FAILED;
use crate::stores::STORES_HELP;

const STORE_HELP: &str = "Where to count [default: a file in the user's state folder]";
const DEFAULT_HELP: &str = "\
The default is SQLite in $XDG_STATE_HOME/scupper/limits.sqlite, or if that is not set in \
~/.local/state/scupper/limits.sqlite, for this user on this host. The folder is made if it is not there.";

const KEY_HELP: &str =
    "The name under which to count: runs with the same key share their rates [default: the name of COMMAND]";
const KEY_LONG_HELP: &str = "\
The default is COMMAND without its folder, so that runs of one program share a limit, and others do not meddle. Name a key \
where several programs are to share one, or where COMMAND is a shell or the like, which runs now this and now that: \
--key mail -- sh -c '…'. Whoever uses a key should give the same rates; where they differ, each is held to its own, and all \
units count.";

/// Where to count.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[arg(
        long, value_name = "NAME", env = "SCUPPER_KEY", value_parser = NonEmptyStringValueParser::new(),
        help = KEY_HELP, long_help = format!("{KEY_HELP}\n\n{KEY_LONG_HELP}")
    )]
    key: Option<String>,

    #[arg(
        long, value_name = "URL", env = "SCUPPER_STORE", hide_env_values = true,
        help = STORE_HELP, long_help = format!("{STORE_HELP}\n\n{DEFAULT_HELP}\n\n{STORES_HELP}")
    )]
    store: Option<String>,
}

impl Place {
    /// The name under which a run of this program counts.
    pub(super) fn key(&self, program: &OsStr) -> String {
        let name = || Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        self.key.clone().unwrap_or_else(name)
    }

    /// Goes to the store; a call to it will take no longer than this.
    pub(super) async fn open(&self, quota: &Quota, longest_call: Duration) -> Result<Limiter, Failure> {
        if let Some(url) = &self.store {
            check_lasts(url)?;
        }
        let named = self.store.clone();
        let open = move || named.map_or_else(|| open_default(longest_call), |url| open_named(&url));
        let opened =
            elsewhere(open).map_err(|error| failed(format!("the system gives no thread: {}", bare(&error))))?;
        let store = opened.await?;
        let limiter = Limiter::builder().quota(quota).shared_store(store).call_timeout(longest_call);
        limiter.build().map_err(|error| usage(error.to_string()))
    }
}

fn check_lasts(url: &str) -> Result<(), Failure> {
    if url.to_ascii_lowercase().starts_with("memory:") {
        let wrong = "--store: memory: is gone when COMMAND begins, and limits nobody; leave --store out to count on this \
                     host, or name a store that lasts";
        return Err(usage(wrong.to_owned()));
    }
    Ok(())
}

fn open_named(url: &str) -> Result<Arc<dyn Store>, Failure> {
    store::connect_blocking(url).map_err(|error| match error.kind() {
        ErrorKind::InvalidConfig => usage(format!("--store: {}", error.message())),
        _ => not_there(&error),
    })
}

/// The store of this user, whose folder is made if it is not there.
fn open_default(longest_call: Duration) -> Result<Arc<dyn Store>, Failure> {
    let folder = state_folder::path().ok_or_else(|| {
        let lacking = "no place for the limits of this user: neither XDG_STATE_HOME nor HOME names a folder; set one, or give \
                       --store or SCUPPER_STORE";
        failed(lacking.to_owned())
    })?;
    state_folder::make(&folder)
        .map_err(|error| failed(format!("cannot make the folder {}: {}", folder.display(), bare(&error))))?;
    // Less than a call takes, so that it is told that nothing was taken, and not that nobody knows.
    let store = SqliteStore::builder(folder.join("limits.sqlite")).timeout(longest_call * 3 / 4).open();
    Ok(Arc::new(store.map_err(|error| not_there(&error))?))
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
