use crate::error::Result;
use crate::guard::Afterwards;
use crate::store::{Outcomes, Reply, Submission, unexpected};
use crate::sync::Arc;
use crate::waiting::Room;

/// What a store says to something other than a request for a permit, and how to read it: blocking and asynchronous callers
/// differ in how they wait for it, and in nothing else.
#[must_use]
pub(super) struct Answer<T> {
    submission: Submission,
    read: fn(Outcomes) -> Result<T>,
}

/// What an operation means to those who wait for the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// The bucket has changed, and has no more room than before.
    Changed,
    /// The bucket may have room now.
    Released,
}

impl<T> Answer<T> {
    /// Of a submission that tells the room itself, once it is answered, of its effect on this key.
    pub(super) fn new(
        submission: Submission,
        read: fn(Outcomes) -> Result<T>,
        room: &Room,
        (key, effect): (&str, Effect),
    ) -> Self {
        if matches!(submission, Submission::Ready(_)) {
            effect.tell(room, key);
        }
        Self { submission, read }
    }

    pub(super) fn wait(self) -> Result<T> {
        (self.read)(self.submission.wait())
    }

    pub(super) async fn get(self) -> Result<T> {
        let Self { submission, read } = self;
        read(submission.await)
    }
}

impl Effect {
    fn tell(self, room: &Room, key: &str) {
        match self {
            Self::None => {}
            Self::Changed => room.changed(key),
            Self::Released => room.released(key),
        }
    }

    /// Tells the room once the store has carried it out, however late.
    pub(super) fn tell_afterwards(self, room: &Arc<Room>, key: &str) -> Option<Afterwards> {
        if self == Self::None {
            return None;
        }
        let (room, key) = (Arc::clone(room), Box::<str>::from(key));
        Some(Box::new(move || self.tell(&room, &key)))
    }
}

/// The one reply of a batch of one operation.
pub(super) fn only(mut outcomes: Outcomes) -> Result<Reply> {
    outcomes.pop().unwrap_or_else(|| Err(unexpected("nothing")))
}
