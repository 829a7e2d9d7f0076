use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that keeps a record of how far it got.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    record: Arc<Record>,
    may_fail_midway: bool,
}

/// How far a wire got.
#[derive(Default)]
pub(super) struct Record {
    has_ended: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    written: u64,
    is_sealed: bool,
    was_closed: bool,
    failure: Option<io::Error>,
}

impl Wire {
    pub(super) fn new(stream: impl Stream + 'static, record: Arc<Record>) -> Self {
        Self { stream: Box::new(stream), record, may_fail_midway: false }
    }

    /// Of a stream that may have sent some of what a failing write was about. TLS does: it writes record after record.
    pub(super) fn failing_midway(stream: impl Stream + 'static, record: Arc<Record>) -> Self {
        Self { stream: Box::new(stream), record, may_fail_midway: true }
    }
}

impl Record {
    /// How many bytes, before any encryption, were taken for sending: of these each may have arrived, of others none.
    pub(super) fn written(&self) -> u64 {
        lock(&self.progress).written
    }

    /// Lets nothing be written from now on, so that `written` is final.
    pub(super) fn seal(&self) {
        lock(&self.progress).is_sealed = true;
        self.has_ended.store(true, Ordering::Release);
    }

    /// Whether nothing more can come of this wire: it was closed at either end, or it failed.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Whether the other end closed it in good order.
    pub(super) fn was_closed(&self) -> bool {
        lock(&self.progress).was_closed
    }

    /// What the stream failed with, for the first who asks.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        lock(&self.progress).failure.take()
    }

    /// What the stream failed with, in its words.
    pub(super) fn failure(&self) -> Option<io::Error> {
        lock(&self.progress).failure.as_ref().map(again)
    }

    fn end(&self, progress: &mut Progress, error: io::Error) -> io::Error {
        self.has_ended.store(true, Ordering::Release);
        let copy = again(&error);
        progress.failure.get_or_insert(error);
        copy
    }
}

fn again(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(context, buffer));
        Poll::Ready(match read {
            Ok(()) => {
                if buffer.filled().len() == before && buffer.remaining() > 0 {
                    lock(&this.record.progress).was_closed = true;
                    this.record.has_ended.store(true, Ordering::Release);
                }
                Ok(())
            }
            Err(error) => Err(this.record.end(&mut lock(&this.record.progress), error)),
        })
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Locked until what was written is counted: who seals the wire must know of it.
        let mut progress = lock(&this.record.progress);
        if progress.is_sealed {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes));
        Poll::Ready(match written {
            Ok(count) => {
                progress.written += count as u64;
                Ok(count)
            }
            Err(error) => {
                if this.may_fail_midway {
                    progress.written += bytes.len() as u64;
                }
                Err(this.record.end(&mut progress, error))
            }
        })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = ready!(Pin::new(&mut this.stream).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| this.record.end(&mut lock(&this.record.progress), error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.record.seal();
    }
}
