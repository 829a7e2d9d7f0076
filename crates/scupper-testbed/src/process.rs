//! A server's process: started, stalled, killed, started again.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::keeper::Keeper;
use crate::program::Program;

/// Waits for the word to go, so that the keeper knows of the process before it is a server.
const GATE: &str = r#"read -r go && exec "$0" "$@" </dev/null"#;

/// The lines of the log that a panic shows.
const TAIL: usize = 20;

/// A program with its arguments, to be run in a folder of its own.
pub(crate) struct Process {
    program: Program,
    arguments: Vec<OsString>,
    state: Mutex<State>,
    folder: PathBuf,
}

struct State {
    keeper: Keeper,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn new(program: Program) -> Self {
        let keeper = Keeper::new();
        let folder = keeper.folder().to_owned();
        Self { program, arguments: Vec::new(), state: Mutex::new(State { keeper, child: None }), folder }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its number, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.state().child.as_ref().map(Child::id)
    }

    /// Starts it, after killing the one that runs.
    pub(crate) fn start(&self) {
        self.kill();
        let log = || OpenOptions::new().create(true).append(true).open(self.log_path()).expect("the log must open");
        let mut child = Command::new("sh")
            .args(["-c", GATE])
            .arg(self.program.path())
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(log())
            .stderr(log())
            .process_group(0)
            .spawn()
            .expect("a shell must start");
        let mut state = self.state();
        state.keeper.watch(Some(child.id()));
        let mut gate = child.stdin.take().expect("stdin is a pipe");
        writeln!(gate, "go").expect("the shell must listen");
        state.child = Some(child);
    }

    /// Ends it at once, as a failing machine would. Nothing happens where nothing runs.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        if let Some(mut child) = state.child.take() {
            // Its number stays its own until it has been waited for.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            state.keeper.watch(None);
            let _ = child.wait();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let state = self.state();
        let child = state.child.as_ref().expect("the server must be running");
        kill_process_group(Pid::from_child(child), signal).expect("our own child takes our signals");
    }

    /// How it ended, when it has ended by itself.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut state = self.state();
        let status = state.child.as_mut().and_then(|child| child.try_wait().ok().flatten())?;
        state.keeper.watch(None);
        state.child = None;
        Some(status)
    }

    /// The last lines that it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("program", &self.program).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
