use std::time::Duration;

/// How shared memory is opened and asked. What is not set is left to what is there, or to the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Bytes.
    pub(super) size: Option<u64>,
    /// Permissions of a file that is made.
    pub(super) mode: Option<u32>,
    pub(super) lock_within: Option<Duration>,
}

impl Settings {
    pub(super) const SIZE: u64 = 16 * 1024 * 1024;
    pub(super) const MODE: u32 = 0o600;
    pub(super) const LOCK_WITHIN: Duration = Duration::from_millis(500);

    /// These, and what they leave open as the others have it.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            size: self.size.or(others.size),
            mode: self.mode.or(others.mode),
            lock_within: self.lock_within.or(others.lock_within),
        }
    }
}
