use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

/// The status to exit with, as xargs would.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    failed: bool,
    unusable: bool,
    stopped: Option<u8>,
}

impl Verdict {
    /// A run ended like this. Gives the reason, if that is one to start no more.
    pub(super) fn note(&mut self, ended: ExitStatus) -> Option<String> {
        match (ended.code(), ended.signal()) {
            (Some(0), _) => None,
            (Some(255), _) => {
                self.stop(124);
                Some("ended with status 255".into())
            }
            (Some(_), _) => {
                self.failed = true;
                None
            }
            (None, signal) => {
                self.stop(125);
                Some(format!("killed by signal {}", signal.unwrap_or_default()))
            }
        }
    }

    /// Part of the input was of no use, or something else went wrong that the rest can do without.
    pub(super) fn unusable(&mut self) {
        self.unusable = true;
    }

    /// Nothing more is started, and this is the status. The first one stays.
    pub(super) fn stop(&mut self, status: u8) {
        self.stopped.get_or_insert(status);
    }

    pub(super) fn status(&self) -> u8 {
        match self.stopped {
            Some(status) => status,
            None if self.failed => 123,
            None => u8::from(self.unusable),
        }
    }
}

impl From<&Verdict> for ExitCode {
    fn from(verdict: &Verdict) -> Self {
        verdict.status().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(status: i32) -> ExitStatus {
        ExitStatus::from_raw(status << 8)
    }

    fn after(ends: &[ExitStatus]) -> u8 {
        let mut verdict = Verdict::default();
        for end in ends {
            verdict.note(*end);
        }
        verdict.status()
    }

    #[test]
    fn the_status_is_that_of_xargs() {
        let killed = ExitStatus::from_raw(9);
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[exited(0), exited(0)]), 0);
        for status in [1, 125, 126, 127, 254] {
            assert_eq!(after(&[exited(status), exited(0)]), 123);
        }
        assert_eq!(after(&[exited(1), exited(255)]), 124);
        assert_eq!(after(&[exited(1), killed]), 125);
    }

    #[test]
    fn what_stopped_it_comes_before_what_failed_and_that_before_what_was_unusable() {
        let mut verdict = Verdict::default();
        verdict.unusable();
        assert_eq!(verdict.status(), 1);
        assert_eq!(verdict.note(exited(3)), None);
        assert_eq!(verdict.status(), 123);
        assert_eq!(verdict.note(ExitStatus::from_raw(9)).as_deref(), Some("killed by signal 9"));
        assert_eq!(verdict.note(exited(255)).as_deref(), Some("ended with status 255"));
        assert_eq!(verdict.status(), 125);
    }
}
