//! Where a contest is held.

use std::io::ErrorKind;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use scupper::store::{self, Store};
use tokio::runtime::Runtime;

use crate::caller::runtime;
use crate::contest::{Contest, Pace, Side, Title};
use crate::folder::Folder;
use crate::in_sqlite::SUITE;
use crate::peers::insert::Insert;
use crate::run::Spent;

const KEYS: usize = 1_000;
const OURS: &str = "ours.db";
const PEER: &str = "peer.db";

/// A folder with a file for each side, and a runtime to ask them from.
#[derive(Debug)]
pub(super) struct Site {
    // Before the folder, so that the file is closed before it goes.
    pub(super) store: Arc<dyn Store>,
    pub(super) folder: Folder,
    runtime: Runtime,
    pub(super) keys: Arc<[String]>,
}

impl Site {
    pub(super) fn new() -> Result<Self> {
        let folder = Folder::on_disk()?;
        let path = folder.file(OURS);
        let store = store::open(&format!("sqlite:{}", path.to_str().context("the folder's name is no text")?))?;
        let keys = (0..KEYS).map(|number| format!("user:{number}")).collect();
        Ok(Self { store, folder, runtime: runtime()?, keys })
    }

    pub(super) fn contest(&self, case: &str, pace: Pace, sides: &[Side<'_>]) -> Result<Contest> {
        let title = Title(SUITE, case.to_owned());
        Contest::hold(title, pace, &self.runtime, || Ok(Spent::default()), sides)
    }

    /// The peer, for so many threads, once it is seen that its file is of the kind that ours is.
    pub(super) fn insert(&self, threads: u64) -> Result<Insert> {
        let insert = Insert::open(&self.folder.file(PEER), threads)?;
        for pragma in ["page_size", "journal_mode"] {
            let (ours, peer) = (self.setting(OURS, pragma)?, self.setting(PEER, pragma)?);
            ensure!(ours == peer, "{pragma} is {ours} for us and {peer} for the peer");
        }
        Ok(insert)
    }

    /// The bytes of our file and of those beside it.
    pub(super) fn bytes(&self) -> Result<u64> {
        let mut bytes = 0;
        for suffix in ["", "-wal"] {
            match self.folder.file(&format!("{OURS}{suffix}")).metadata() {
                Ok(file) => bytes += file.len(),
                // There is a log only while somebody has the file open.
                Err(error) if !suffix.is_empty() && error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("our file cannot be looked at"),
            }
        }
        Ok(bytes)
    }

    fn setting(&self, file: &str, pragma: &str) -> Result<String> {
        let connection = Connection::open_with_flags(self.folder.file(file), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let value = connection.pragma_query_value(None, pragma, |row| row.get::<_, Value>(0))?;
        Ok(format!("{value:?}"))
    }
}
