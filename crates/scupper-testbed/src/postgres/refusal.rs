//! What Postgres refuses.

use std::error::Error as _;
use std::fmt;

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The server's code, such as `42P01`; `None` when the connection failed or ended.
    pub code: Option<String>,
    /// What it says of it.
    pub message: String,
}

impl Refusal {
    pub(super) fn lost(message: &str) -> Self {
        Self { code: None, message: message.to_owned() }
    }
}

impl From<postgres::Error> for Refusal {
    fn from(error: postgres::Error) -> Self {
        let code = error.code().map(|code| code.code().to_owned());
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        Self { code, message: format!("{error}{cause}") }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
