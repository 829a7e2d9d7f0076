//! The outcomes of a batch that was taken apart.

use tokio::sync::oneshot;
use tokio::task::unconstrained;

use crate::error::{Error, ErrorKind};
use crate::store::outcome::Outcome;
use crate::store::submission::{Outcomes, Submission};

/// Where the outcomes of a batch come from.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Those that are known already, by their places in the batch.
    known: Vec<(usize, Outcome)>,
    /// For each part, the places of its operations in the batch.
    awaited: Vec<(oneshot::Receiver<Vec<Outcome>>, Vec<usize>)>,
}

impl Answers {
    /// The outcome of the operation at this place.
    pub(crate) fn know(&mut self, place: usize, outcome: Outcome) {
        self.known.push((place, outcome));
    }

    /// A part of the batch, which begins with the operation at this place: where its outcomes go, and its number.
    pub(crate) fn awaited(&mut self, place: usize) -> (oneshot::Sender<Vec<Outcome>>, usize) {
        let (answer, awaited) = oneshot::channel();
        self.awaited.push((awaited, vec![place]));
        (answer, self.awaited.len() - 1)
    }

    /// The next operation of the part with this number.
    pub(crate) fn also(&mut self, part: usize, place: usize) {
        if let Some((_, places)) = self.awaited.get_mut(part) {
            places.push(place);
        }
    }

    /// The submission that they answer. What carries the call is kept until then, whoever drops the store last.
    pub(crate) fn submission<C: Send + 'static>(self, carrier: C) -> Submission {
        // Whoever waits in a task blocks it, and would not hear of the answer where the task's budget was spent.
        Submission::Pending(Box::pin(unconstrained(async move {
            let outcomes = self.gather().await;
            drop(carrier);
            outcomes
        })))
    }

    /// All of them, in the order of the batch.
    pub(crate) async fn gather(self) -> Outcomes {
        let mut outcomes = self.known;
        for (awaited, places) in self.awaited {
            // The thread that talks to the server is gone, with what was in its hands.
            let lost = || Error::new(ErrorKind::Unknown, "the store was closed during the call");
            let mut answered = awaited.await.unwrap_or_default().into_iter();
            outcomes.extend(places.into_iter().map(|place| (place, answered.next().unwrap_or_else(|| Err(lost())))));
        }
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}
