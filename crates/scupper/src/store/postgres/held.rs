use std::future::{Future, poll_fn};
use std::pin::Pin;

use crate::hold_back::hold_back;

/// Sees to work with a connection. That library wakes what drives the connection while it has locks which that takes as well: so
/// it goes on behind each step of the work.
pub(super) async fn held_back<W: Future>(work: W) -> W::Output {
    let mut held = Held(Some(Box::pin(work)));
    poll_fn(|context| {
        hold_back(|| match &mut held.0 {
            Some(work) => work.as_mut().poll(context),
            None => std::task::Poll::Pending,
        })
    })
    .await
}

/// To let go of it wakes, too.
struct Held<W>(Option<Pin<Box<W>>>);

impl<W> Drop for Held<W> {
    fn drop(&mut self) {
        hold_back(|| drop(self.0.take()));
    }
}
