use crate::error::Result;
use crate::store::{Outcomes, Reply, Submission, unexpected};
use crate::sync::Arc;
use crate::waiting::Room;

/// What a store says to something other than a request for a permit, and how to read it: blocking and asynchronous callers
/// differ in how they wait for it, and in nothing else.
#[must_use]
pub(super) struct Answer<T> {
    submission: Submission,
    read: fn(Outcomes) -> Result<T>,
    _notice: Option<Notice>,
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

/// Tells the room once the store has answered, or nobody waits for its answer any more.
struct Notice {
    room: Arc<Room>,
    key: Box<str>,
    effect: Effect,
}

impl<T> Answer<T> {
    pub(super) fn new(
        submission: Submission,
        read: fn(Outcomes) -> Result<T>,
        room: &Arc<Room>,
        (key, effect): (&str, Effect),
    ) -> Self {
        let is_ready = matches!(submission, Submission::Ready(_));
        if is_ready {
            effect.tell(room, key);
        }
        let notice = || Notice { room: Arc::clone(room), key: key.into(), effect };
        Self { submission, read, _notice: (!is_ready && effect != Effect::None).then(notice) }
    }

    pub(super) fn wait(self) -> Result<T> {
        (self.read)(self.submission.wait())
    }

    pub(super) async fn get(self) -> Result<T> {
        let Self { submission, read, _notice } = self;
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
}

impl Drop for Notice {
    fn drop(&mut self) {
        self.effect.tell(&self.room, &self.key);
    }
}

/// The one reply of a batch of one operation.
pub(super) fn only(mut outcomes: Outcomes) -> Result<Reply> {
    outcomes.pop().unwrap_or_else(|| Err(unexpected("nothing")))
}
