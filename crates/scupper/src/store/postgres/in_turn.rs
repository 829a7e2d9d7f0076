use std::future::{Future, poll_fn};
use std::task::Poll;

/// Does both at once, the first begun before the second: what they send goes out in this order, and on one way.
pub(super) async fn in_turn<F: Future, S: Future>(first: F, second: S) -> (F::Output, S::Output) {
    // They are large, and most are within one another.
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let (mut of_first, mut of_second) = (None, None);
    poll_fn(|context| {
        if of_first.is_none()
            && let Poll::Ready(output) = first.as_mut().poll(context)
        {
            of_first = Some(output);
        }
        if of_second.is_none()
            && let Poll::Ready(output) = second.as_mut().poll(context)
        {
            of_second = Some(output);
        }
        match (of_first.take(), of_second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (first, second) => {
                (of_first, of_second) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}
