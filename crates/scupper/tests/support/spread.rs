//! A store whose calls are carried out by several processes in turn, each of which has opened it for itself.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use scupper::store::{Batch, Outcomes, Store, Submission};
use scupper_testbed::await_that;

use super::operation::Kept;
use super::wire::{outcomes_of, outcomes_to};

const SOCKET: &str = "SCUPPER_TEST_SPREAD_SOCKET";
const STORE: &str = "SCUPPER_TEST_SPREAD_STORE";
const PROCESSES: usize = 3;

/// The processes, and whose turn it is.
#[derive(Debug)]
pub(crate) struct Spread {
    hands: Vec<Mutex<Hand>>,
    turn: AtomicUsize,
}

/// A process that carries out what it reads, line by line.
#[derive(Debug)]
struct Hand {
    process: Child,
    socket: BufReader<UnixStream>,
}

impl Spread {
    /// Over processes that run this test alone, of this test program, which must call [`serve`] first of all.
    pub(crate) fn over_processes(test: &str, url: &str, folder: &Path) -> Self {
        let path = folder.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let hand = |_| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--exact", test, "--nocapture"]).env(SOCKET, &path).env(STORE, url);
            let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            let mut socket = None;
            await_that("the process has opened the store", || {
                socket = listener.accept().ok();
                assert_eq!(process.try_wait().unwrap(), None, "it has not, as it says above");
                socket.is_some()
            });
            let (socket, _) = socket.unwrap();
            socket.set_nonblocking(false).unwrap();
            Mutex::new(Hand { process, socket: BufReader::new(socket) })
        };
        Self { hands: (0..PROCESSES).map(hand).collect(), turn: AtomicUsize::new(0) }
    }
}

impl Store for Spread {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.hands.len();
        let mut hand = self.hands[turn].lock().unwrap();
        let operations: Vec<_> = batch.operations().iter().map(|operation| Kept::of(operation).to_wire()).collect();
        let mut line = serde_json::to_string(&operations).unwrap();
        line.push('\n');
        hand.socket.get_mut().write_all(line.as_bytes()).unwrap();
        line.clear();
        hand.socket.read_line(&mut line).unwrap();
        Submission::Ready(outcomes_of(&serde_json::from_str(&line).unwrap()))
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // Its end of the conversation ends the process.
        let _ = self.socket.get_mut().shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// In a process of a [`Spread`], carries out what it is told to its end; says whether this is such a process.
pub(crate) fn serve(open: impl FnOnce(&str) -> Arc<dyn Store>) -> bool {
    let (Some(socket), Ok(url)) = (env::var_os(SOCKET), env::var(STORE)) else { return false };
    let store = open(&url);
    let mut socket = BufReader::new(UnixStream::connect(socket).unwrap());
    let mut line = String::new();
    while socket.read_line(&mut line).unwrap_or(0) > 0 {
        let wired: Vec<serde_json::Value> = serde_json::from_str(&line).unwrap();
        let kept: Vec<_> = wired.iter().map(Kept::of_wire).collect();
        let operations: Vec<_> = kept.iter().map(Kept::operation).collect();
        let outcomes: Outcomes = store.submit(Batch::new(&operations)).wait();
        let mut answer = outcomes_to(&outcomes).to_string();
        answer.push('\n');
        if socket.get_mut().write_all(answer.as_bytes()).is_err() {
            break;
        }
        line.clear();
    }
    true
}
