use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::store::batch::Operation;
use crate::store::outcome::Outcome;
use crate::store::redis::encode::Arguments;
use crate::store::redis::job::{Asked, Job};
use crate::store::redis::reply;
use crate::store::redis::script;

/// One operation as a call of the script by which [`RedisStore`](crate::RedisStore) decides, for a program that sends it
/// through a client of its own.
///
/// The call is `EVALSHA` with [`script_hash`](Self::script_hash), one key, and the [`arguments`](Self::arguments). A server that
/// does not have the script answers `NOSCRIPT`, and has done nothing: have it keep the [`SCRIPT`](Self::SCRIPT), and call
/// again. A call whose answer got lost may have been carried out: to send it again may count it twice. The answer is an array of
/// two strings: the server's time, and what [`read`](Self::read) reads. Bytes must come as they are, in both directions.
///
/// The key is the whole key: a store puts its prefix, `scupper:` unless set, before those of its buckets.
///
/// # Examples
/// ```
/// use scupper::store::{Operation, RedisCall};
/// use scupper::{Algorithm, Quota};
///
/// let quota = Quota::new(Algorithm::SlidingWindowLog, "5/s")?;
/// let call = RedisCall::new(&Operation::acquire("scupper:user:42", &quota, 1))?;
/// let mut command: Vec<Vec<u8>> = ["EVALSHA", RedisCall::script_hash(), "1", call.key()].map(Into::into).to_vec();
/// command.extend(call.arguments());
/// # assert_eq!(command.len(), 8);
/// # Ok::<(), scupper::Error>(())
/// ```
pub struct RedisCall(Job);

impl RedisCall {
    /// What `SCRIPT LOAD` is given.
    pub const SCRIPT: &str = script::TEXT;

    /// What the server calls the script: the SHA-1 of its text, in hexadecimal.
    #[must_use]
    pub fn script_hash() -> &'static str {
        script::hash()
    }

    /// The operation as a call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the operation is none that can be, [`ErrorKind::Unsupported`] if it is a list, which is
    /// of many keys.
    pub fn new(operation: &Operation<'_>) -> Result<Self> {
        let (job, _) = Job::new(operation.key.to_owned(), Asked::of(operation)?);
        Ok(Self(job))
    }

    /// The key of the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// What follows the key.
    #[must_use]
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(4);
        Arguments::of(std::slice::from_ref(&self.0)).each(|argument| all.push(argument.to_vec()));
        all
    }

    /// What came of it, from the second string of the answer.
    ///
    /// # Errors
    /// As from a [`Store`](crate::store::Store): [`ErrorKind::Corrupt`] if what lies under the key is no bucket or cannot be read,
    /// [`ErrorKind::Unavailable`] if the server could not write it; [`ErrorKind::Unknown`] if this is no answer of the script.
    pub fn read(&self, answer: &[u8]) -> Outcome {
        let outcome = reply::read(&self.0, answer).pop();
        outcome.unwrap_or_else(|| Err(Error::new(ErrorKind::Unknown, "the script in Redis did not answer")))
    }
}

impl fmt::Debug for RedisCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCall").field("key", &self.0.key).field("asked", &self.0.asked).finish()
    }
}
