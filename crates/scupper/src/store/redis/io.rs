use std::fmt;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::thread;

/// A thread of the store's own that talks to servers, so that calls go on whoever waits for them, and on whatever runtime or none.
pub(super) struct Io {
    handle: Handle,
    /// Dropped with this, which ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Io {
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the system gives no thread, or nothing to wait for sockets with.
    pub(super) fn start() -> Result<Self> {
        let lacking = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("the system lacks what talking to Redis needs: {error}"))
                .with_source(error)
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(lacking)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            // That the other end is gone is the sign.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new().name("scupper-redis".into()).spawn(work).map_err(lacking)?;
        Ok(Self { handle, _stop: stop })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io")
    }
}
