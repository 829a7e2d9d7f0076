use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use scupper::{ErrorKind, Limiter, Quota, store};

use crate::failure::{Failure, bare};
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
        let url = self.url()?;
        let store = store::connect(&url).await.map_err(|error| match error.kind() {
            ErrorKind::InvalidConfig if self.store.is_some() => usage(format!("--store: {}", error.message())),
            _ => failed(format!("{error}; nothing was taken or run")),
        })?;
        let limiter = Limiter::builder().quota(quota).shared_store(store).call_timeout(longest_call);
        limiter.build().map_err(|error| usage(error.to_string()))
    }

    fn url(&self) -> Result<String, Failure> {
        let Some(url) = &self.store else { return default_url() };
        if url.to_ascii_lowercase().starts_with("memory:") {
            let wrong = "--store: memory: is gone when COMMAND begins, and limits nobody; leave --store out to count on this \
                         host, or name a store that lasts";
            return Err(usage(wrong.to_owned()));
        }
        Ok(url.clone())
    }
}

/// The store of this user, whose folder is there.
fn default_url() -> Result<String, Failure> {
    let Some(folder) = state_folder::path() else {
        let lacking = "no place for the limits of this user: neither XDG_STATE_HOME nor HOME names a folder; set one, or give \
                       --store or SCUPPER_STORE";
        return Err(failed(lacking.to_owned()));
    };
    state_folder::make(&folder)
        .map_err(|error| failed(format!("cannot make {}: {}", folder.display(), bare(&error))))?;
    Ok(format!("sqlite:{}", folder.join("limits.sqlite").display()))
}

pub(super) fn usage(message: String) -> Failure {
    Failure::Usage { command: "run", message }
}

pub(super) fn failed(message: String) -> Failure {
    Failure::Status { status: STORE_FAILED, message }
}
