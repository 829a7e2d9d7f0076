//! What is said without asking the store.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Cause, Denial, Verdict};
use crate::time::Timestamp;

const TICK: Duration = Duration::from_micros(1);

pub(super) fn too_late(deadline: Option<Timestamp>, now: Timestamp, due: Timestamp) -> Error {
    let left = deadline.unwrap_or(now).since(now);
    let pause = due.since(now).max(TICK);
    Error::new(
        ErrorKind::Timeout,
        format!("the request would have to wait {pause:?} longer, and its deadline is {left:?} away"),
    )
}

pub(super) fn unknown(joined: Timestamp, now: Timestamp) -> Error {
    let waited = now.since(joined);
    Error::new(
        ErrorKind::Unknown,
        format!(
            "the deadline passed after {waited:?}, while the store was being asked; what it admits yet will be given back"
        ),
    )
}

/// The deadline of one passed that was never asked for, as the store left the calls before it without an answer.
pub(super) fn untold(joined: Timestamp, now: Timestamp) -> Error {
    let waited = now.since(joined);
    let silent = Error::new(ErrorKind::Unavailable, "the store left the call before this one without an answer");
    let late = format!("the deadline passed after {waited:?}, while the store was silent; nothing was asked for");
    Error::new(ErrorKind::Timeout, late).with_source(silent)
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the limiter was closed")
}

pub(super) fn queue_full(most: usize) -> Error {
    let why = format!(
        "{most} requests wait on this key already, as many as may; turn the request away, or raise max_waiting"
    );
    Error::new(ErrorKind::QueueFull, why)
}

/// The denial of one who does not wait, behind those that do.
pub(super) fn behind(quota: &Quota, now: Timestamp, due: Timestamp) -> Ruling {
    let retry_at = due.max(now + TICK);
    let denial = Denial { now, retry_at, rate: None, cause: Cause::Queued };
    Ruling::new(Verdict::Denied(denial), Source::Line, quota)
}
