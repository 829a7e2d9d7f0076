//! A server's processes: started, stalled, killed, started again.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::account::Account;
use crate::keeper::Keeper;
use crate::patience::await_that;
use crate::program::Program;

/// Waits for the word to go, so that the keeper knows of the process before it is a server.
const GATE: &str = r#"read -r go && exec "$0" "$@" </dev/null"#;

/// The lines of the log that a panic shows.
const TAIL: usize = 20;

/// A program with its arguments, to be run in a folder of its own.
pub(crate) struct Process {
    program: Program,
    arguments: Vec<OsString>,
    account: Option<Account>,
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
        let arguments = Vec::new();
        Self { program, arguments, account: None, state: Mutex::new(State { keeper, child: None }), folder }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Runs it as this user, who gets the folder.
    pub(crate) fn account(mut self, account: Option<Account>) -> Self {
        account.inspect(|account| account.owns(&self.folder));
        self.account = account;
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
        let mut shell = Command::new("sh");
        self.account.inspect(|account| account.runs(&mut shell));
        let mut child = shell
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
            self.kill_others();
            state.keeper.watch(None);
            let _ = child.wait();
        }
    }

    /// Sends a signal to all processes of the server.
    pub(crate) fn signal(&self, signal: Signal) {
        let first = self.first();
        kill_process_group(first, signal).expect("our own child takes our signals");
        for other in self.others() {
            // It may have ended by itself.
            let _ = kill_process(other, signal);
        }
    }

    /// Sends a signal to the process that started all others.
    pub(crate) fn signal_first(&self, signal: Signal) {
        kill_process(self.first(), signal).expect("our own child takes our signals");
    }

    /// Sends a signal to the other process of the server that has this number.
    pub(crate) fn signal_other(&self, id: i32, signal: Signal) {
        let other = self.others().into_iter().find(|other| other.as_raw_pid() == id);
        let other = other.expect("it must be a process of this server");
        kill_process(other, signal).expect("our own server takes our signals");
    }

    fn first(&self) -> Pid {
        Pid::from_child(self.state().child.as_ref().expect("the server must be running"))
    }

    /// Those that work below the folder, as the processes of Postgres do, each the leader of a group of its own.
    fn others(&self) -> Vec<Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbered = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
        let here = numbered.filter(|(_, entry): &(i32, PathBuf)| {
            fs::read_link(entry.join("cwd")).is_ok_and(|place| place != self.folder && place.starts_with(&self.folder))
        });
        here.filter_map(|(id, _)| Pid::from_raw(id)).collect()
    }

    /// Once the first one is dead, nobody starts another.
    fn kill_others(&self) {
        await_that("all processes of the server have ended", || {
            let others = self.others();
            for &other in &others {
                let _ = kill_process(other, Signal::KILL);
            }
            others.is_empty()
        });
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
