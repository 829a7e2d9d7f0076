//! Why a task did not succeed, as a sentence for the person who started it.

use std::fmt;

/// A task's failure: one sentence, or several on lines of their own.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// All the failures as one, or success when there are none.
    pub(crate) fn gather(failures: Vec<Self>) -> Result<(), Self> {
        if failures.is_empty() {
            return Ok(());
        }
        let sentences: Vec<String> = failures.into_iter().map(|failure| failure.0).collect();
        Err(Self(sentences.join("\n")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
