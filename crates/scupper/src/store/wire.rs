//! How far a connection got.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that keeps a record of how far it got.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    record: Arc<Record>,
    may_fail_midway: bool,
    /// How many bytes of what comes in are still to be noted.
    listening: usize,
}

/// The longest beginning of what comes in that is noted.
const HEARD: usize = 256;

/// How far a wire got.
#[derive(Default)]
pub(crate) struct Record {
    has_ended: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    written: u64,
    is_sealed: bool,
    was_closed: bool,
    heard: Vec<u8>,
    failure: Option<io::Error>,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static, record: Arc<Record>) -> Self {
        Self { stream: Box::new(stream), record, may_fail_midway: false, listening: HEARD }
    }

    /// Of a stream that may have sent some of what a failing write was about. TLS does: it writes record after record.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn failing_midway(stream: impl Stream + 'static, record: Arc<Record>) -> Self {
        Self { stream: Box::new(stream), record, may_fail_midway: true, listening: HEARD }
    }
}

impl Record {
    /// How many bytes, before any encryption, were taken for sending: of these each may have arrived, of others none.
    pub(crate) fn written(&self) -> u64 {
        lock(&self.progress).written
    }

    /// Lets nothing be written from now on, so that `written` is final.
    pub(crate) fn seal(&self) {
        lock(&self.progress).is_sealed = true;
        self.has_ended.store(true, Ordering::Release);
    }

    /// Whether nothing more can come of this wire: it was closed at either end, or it failed.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Whether the other end closed it in good order.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn was_closed(&self) -> bool {
        lock(&self.progress).was_closed
    }

    /// The beginning of what came in.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn heard(&self) -> Vec<u8> {
        lock(&self.progress).heard.clone()
    }

    /// What the stream failed with, for the first who asks.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        lock(&self.progress).failure.take()
    }

    /// What the stream failed with, in its words.
    #[cfg(feature = "redis")]
    pub(crate) fn failure(&self) -> Option<io::Error> {
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
                let news = &buffer.filled()[before..];
                if news.is_empty() && buffer.remaining() > 0 {
                    lock(&this.record.progress).was_closed = true;
                    this.record.has_ended.store(true, Ordering::Release);
                } else if this.listening > 0 {
                    let noted = &news[..news.len().min(this.listening)];
                    this.listening -= noted.len();
                    lock(&this.record.progress).heard.extend_from_slice(noted);
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// A stream that fails at whatever is asked of it.
    struct Failing;

    impl AsyncRead for Failing {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }

    impl AsyncWrite for Failing {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_is_taken_is_counted_and_nothing_once_it_is_sealed() {
        let record = Arc::new(Record::default());
        let (near, mut far) = duplex(4);
        let mut wire = Wire::new(near, Arc::clone(&record));
        assert_eq!((wire.write(b"sixty").await.unwrap(), record.written()), (4, 4));
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 4);
        assert!(!record.has_ended());
        record.seal();
        assert_eq!(wire.write(b"more").await.unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert_eq!(record.written(), 4);
        assert!(record.has_ended());
    }

    #[tokio::test]
    async fn the_beginning_and_the_end_of_what_comes_in_are_noted() {
        let record = Arc::new(Record::default());
        let (near, mut far) = duplex(1024);
        let mut wire = Wire::new(near, Arc::clone(&record));
        far.write_all(&[b'x'; 2 * HEARD]).await.unwrap();
        wire.read_exact(&mut [0; 2 * HEARD]).await.unwrap();
        assert_eq!(record.heard(), [b'x'; HEARD]);
        assert!(!record.has_ended() && !record.was_closed());
        drop(far);
        assert_eq!(wire.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(record.has_ended() && record.was_closed());
    }

    #[tokio::test]
    async fn a_failing_write_counts_where_some_of_it_may_have_left() {
        for (make, written) in [(Wire::new as fn(Failing, _) -> Wire, 0), (Wire::failing_midway, 4)] {
            let record = Arc::new(Record::default());
            let mut wire = make(Failing, Arc::clone(&record));
            assert_eq!(wire.write(b"some").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(record.written(), written);
            assert!(record.has_ended() && !record.was_closed());
            assert_eq!(wire.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(record.take_failure().unwrap().kind(), io::ErrorKind::BrokenPipe, "the first is the cause");
        }
    }

    #[test]
    fn a_wire_that_is_dropped_has_ended() {
        let record = Arc::new(Record::default());
        drop(Wire::new(Failing, Arc::clone(&record)));
        assert!(record.has_ended());
    }
}
