//! A test that runs once more, as a process of its own.

use std::env;
use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

use scupper_testbed::await_that;

/// It is killed when its value is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Runs the test of that name, which sees these variables, and may wait for the end of its input.
    pub(crate) fn start(test: &str, variables: &[(&str, &OsStr)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).envs(variables.iter().copied());
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Ends its input.
    pub(crate) fn end_input(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Waits until it has ended, after the end of its input.
    #[track_caller]
    pub(crate) fn ends_well(mut self) {
        self.end_input();
        let mut status = None;
        await_that("the process has ended", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.is_some_and(|status| status.success()), "it says why");
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
