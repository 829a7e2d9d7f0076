//! A program that a task runs: shown before it starts, judged by its exit status.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::workspace::Workspace;

/// A program with its arguments, to be run in the workspace's root.
#[derive(Debug)]
pub(crate) struct Command {
    program: std::process::Command,
    /// What a person would type to do the same.
    line: String,
}

impl Command {
    pub(crate) fn new(workspace: &Workspace, program: impl AsRef<OsStr>) -> Self {
        let mut command = std::process::Command::new(&program);
        command.current_dir(workspace.root());
        let line = program.as_ref().to_string_lossy().into_owned();
        Self { program: command, line }
    }

    /// The cargo that started this task.
    pub(crate) fn cargo(workspace: &Workspace) -> Self {
        let path = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        Self { line: "cargo".to_owned(), ..Self::new(workspace, path) }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.line, " {}", arg.as_ref().to_string_lossy());
        self.program.arg(arg);
        self
    }

    /// Adds the words of `args`, none of which contains a space.
    pub(crate) fn args(self, args: &str) -> Self {
        args.split_whitespace().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.line = format!("{name}=\"{value}\" {}", self.line);
        self.program.env(name, value);
        self
    }

    /// Runs it, its output going where this task's output goes.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (mut child, line) = self.start()?;
        let status = child.wait().map_err(|error| lost(&line, &error))?;
        judge(&line, status)
    }

    /// Runs it, and ends it when `limit` has passed.
    pub(crate) fn run_within(self, limit: Duration) -> Result<(), Failure> {
        let (mut child, line) = self.start()?;
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait().map_err(|error| lost(&line, &error))? {
                return judge(&line, status);
            }
            if Instant::now() >= deadline {
                // Either may fail only because the child has just ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::new(format!("`{line}` was ended after {} s.", limit.as_secs())));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Runs it quietly and returns what it wrote to standard output.
    pub(crate) fn read(mut self) -> Result<String, Failure> {
        self.program.stderr(Stdio::inherit());
        let output = self.program.output().map_err(|error| unstartable(&self.line, &error))?;
        judge(&self.line, output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, showing each line of its standard output and handing it to `see`.
    pub(crate) fn watch(mut self, mut see: impl FnMut(&str)) -> Result<(), Failure> {
        self.program.stdout(Stdio::piped());
        let (mut child, line) = self.start()?;
        if let Some(output) = child.stdout.take() {
            for bytes in BufReader::new(output).split(b'\n') {
                let bytes = bytes.map_err(|error| lost(&line, &error))?;
                let text = String::from_utf8_lossy(&bytes);
                println!("{text}");
                see(&text);
            }
        }
        let status = child.wait().map_err(|error| lost(&line, &error))?;
        judge(&line, status)
    }

    /// Whether the program is there and answers with success, saying nothing.
    pub(crate) fn succeeds(mut self) -> bool {
        let quiet = self.program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    fn start(mut self) -> Result<(Child, String), Failure> {
        eprintln!("$ {}", self.line);
        let child = self.program.spawn().map_err(|error| unstartable(&self.line, &error))?;
        Ok((child, self.line))
    }
}

fn judge(line: &str, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{line}` failed ({status}).")))
}

fn unstartable(line: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{line}` could not be started: {error}."))
}

fn lost(line: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{line}` was started, but could not be followed to its end: {error}."))
}
