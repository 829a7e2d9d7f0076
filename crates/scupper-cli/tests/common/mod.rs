//! Runs commands; what hangs is killed and so fails its test.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod terminal;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A command that runs, and is killed if it has not been waited for within a minute.
pub(crate) struct Running {
    child: Child,
    _ended: Sender<()>,
}

impl Running {
    pub(crate) fn new(command: &mut Command) -> Self {
        let child = command.spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (ended, end) = channel();
        thread::spawn(move || {
            if end.recv_timeout(Duration::from_mins(1)) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Self { child, _ended: ended }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn send(&mut self, input: &str) {
        self.child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
    }

    /// Waits for as many bytes as `expected` has.
    pub(crate) fn expect(&mut self, expected: &str) {
        let mut seen = vec![0; expected.len()];
        self.child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), expected);
    }

    /// A line of stdout, with its newline.
    pub(crate) fn read_line(&mut self) -> String {
        read_line(self.child.stdout.as_mut().unwrap())
    }

    /// A line of stderr, with its newline.
    pub(crate) fn read_error(&mut self) -> String {
        read_line(self.child.stderr.as_mut().unwrap())
    }

    /// Leaves stdin open and waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let (mut output, mut errors) = (Vec::new(), String::new());
        let stdin = self.child.stdin.take();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_end(&mut output).unwrap();
        }
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        let status = self.child.wait().unwrap();
        drop(stdin);
        Ended { status, output, errors }
    }
}

/// Reads no further than the line, so that the rest is there for others.
fn read_line(from: &mut impl Read) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        from.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    String::from_utf8(line).unwrap()
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    pub(crate) errors: String,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A folder of this test, removed with what is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where processes wait, each by reading a line from it, until they are let through.
pub(crate) struct Gate {
    path: PathBuf,
    // Open for both, so that nothing blocks here, and whoever waits goes on when a test fails.
    fifo: File,
}

impl Gate {
    pub(crate) fn new(folder: &Folder) -> Self {
        let path = folder.path().join("gate");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let fifo = File::options().read(true).write(true).open(&path).unwrap();
        Self { path, fifo }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn let_one_through(&self) {
        (&self.fifo).write_all(b"\n").unwrap();
    }
}
