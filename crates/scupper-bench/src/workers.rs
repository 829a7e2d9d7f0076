//! Processes that make requests for threads of this one.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::limit::Outcome;
use crate::side::Side;

/// A process that answers each line of its input, a number of requests, with how many of them were admitted.
#[derive(Debug)]
struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts this program anew with these words, and waits until it is ready.
    fn start(words: &[OsString]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a process to measure with")?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (orders, answers) = pipes.context("the process has no pipes")?;
        let mut worker = Self { process, orders, answers: BufReader::new(answers) };
        // Nothing asked and nothing admitted: all that comes before is done by then.
        let admitted = worker.ask(0)?;
        ensure!(admitted == 0, "{admitted} of no requests were admitted");
        Ok(worker)
    }

    fn ask(&mut self, requests: u32) -> Result<u32> {
        writeln!(self.orders, "{requests}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("the process answers {line:?}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be in the middle of what nobody waits for any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A side whose threads each have a process make their requests; each process gets the words for its number. The time is that
/// of the thread, so that it includes the way there and back.
///
/// # Errors
///
/// If a process does not get ready.
pub(crate) fn side(
    name: &'static str,
    outcome: Outcome,
    count: u32,
    words: impl Fn(u32) -> Vec<OsString>,
) -> Result<Side> {
    let workers = (0..count).map(|number| Worker::start(&words(number)).map(Mutex::new));
    let workers: Arc<[Mutex<Worker>]> = workers.collect::<Result<_>>()?;
    Ok(Side::handing_over(name, move |thread, requests| {
        let mut worker = workers[thread].lock().unwrap_or_else(PoisonError::into_inner);
        worker.ask(requests).unwrap_or_else(|error| {
            eprintln!("{name}: {error:#}");
            if outcome.other() { requests } else { 0 }
        })
    }))
}

/// What such a process does: has the side make what is asked for, until nothing is asked any more.
///
/// # Errors
///
/// If what is asked for is no number, or whoever asks is gone before the answer.
pub(crate) fn serve(side: &Side, thread: usize, orders: impl BufRead, mut answers: impl Write) -> Result<()> {
    for line in orders.lines() {
        let line = line?;
        let requests = line.parse().with_context(|| format!("{line:?} is no number of requests"))?;
        writeln!(answers, "{}", side.run(thread, requests))?;
        answers.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_answered_with_what_was_admitted() -> Result<()> {
        let side = Side::repeating("any", || true);
        let mut answers = Vec::new();
        serve(&side, 0, &b"0\n7\n"[..], &mut answers)?;
        assert_eq!(answers, b"0\n7\n");
        assert!(serve(&side, 0, &b"many\n"[..], Vec::new()).is_err());
        Ok(())
    }

    #[test]
    fn a_process_that_answers_nothing_is_an_error() {
        // The test program knows no such word, and ends.
        assert!(Worker::start(&["--no-such-word".into()]).is_err());
    }
}
