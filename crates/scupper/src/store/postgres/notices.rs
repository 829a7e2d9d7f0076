use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Connection};

use crate::sync::{AtomicBool, Ordering};

/// What a server says beside its answers.
#[derive(Debug, Default)]
pub(super) struct Notices {
    is_on_its_own: AtomicBool,
}

/// The part of the server that warns when somebody cancels its wait for a synchronous standby. The words are in whatever language
/// the server speaks, and their code is that of any warning.
const WAIT_FOR_STANDBYS: &str = "SyncRepWaitForLSN";

impl Notices {
    /// Drives a connection to its end, and hears what is said on it. What goes wrong is told to whoever waits for an answer.
    pub(super) async fn listen<S, T>(&self, mut connection: Connection<S, T>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(Ok(said)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = said
                && notice.routine() == Some(WAIT_FOR_STANDBYS)
            {
                self.is_on_its_own.store(true, Ordering::Release);
            }
        }
    }

    /// Whether a commit since the last time has been answered before a synchronous standby had it.
    pub(super) fn was_on_its_own(&self) -> bool {
        self.is_on_its_own.load(Ordering::Acquire) && self.is_on_its_own.swap(false, Ordering::AcqRel)
    }
}
