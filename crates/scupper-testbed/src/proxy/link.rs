//! One connection through a proxy.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::proxy::control::{Control, Verdict};
use crate::proxy::rule::{Answer, Rule};

const BUFFER: usize = 64 * 1024;

/// How much of what was sent before is searched for the beginning of a word.
const MEMORY: usize = 1024;

/// The two ends of a connection.
#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    server: TcpStream,
    rule: Mutex<Rule>,
}

impl Link {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> io::Result<Self> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok(Self { client, server, rule: Mutex::default() })
    }

    /// Carries bytes both ways until either end closes, or a fault does.
    pub(super) fn carry(&self, control: &Control) {
        let (sender, receiver) = channel();
        thread::scope(|threads| {
            threads.spawn(move || self.take_answers(&sender));
            threads.spawn(move || self.give_answers(&receiver, control));
            self.pass_requests(control);
        });
    }

    pub(super) fn close(&self) {
        // Either may have been closed from its other end.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    pub(super) fn rule(&self) -> Rule {
        *self.lock()
    }

    pub(super) fn follow(&self, rule: Rule) {
        *self.lock() = rule;
    }

    fn pass_requests(&self, control: &Control) {
        let (mut seen, mut buffer) = (Vec::new(), vec![0; BUFFER]);
        while let Some(length) = read(&self.client, &mut buffer) {
            let (sent, old) = (&buffer[..length], seen.len());
            seen.extend_from_slice(sent);
            let verdict = control.judge(self, &seen, old);
            if verdict == Verdict::Close {
                return self.close();
            }
            // Counted first: an answer that has come shows a count that is right.
            control.count_sent(length);
            if !write(&self.server, sent) {
                return self.close();
            }
            if verdict == Verdict::PassAsLast {
                break;
            }
            seen.drain(..seen.len().saturating_sub(MEMORY));
        }
        // The server may still answer what it has been sent.
        let _ = self.server.shutdown(Shutdown::Write);
    }

    fn take_answers(&self, to: &Sender<Answer>) {
        let mut buffer = vec![0; BUFFER];
        while let Some(length) = read(&self.server, &mut buffer) {
            let answer = Answer { bytes: buffer[..length].to_vec(), delayed: self.rule().delay_from_now() };
            if to.send(answer).is_err() {
                return;
            }
        }
    }

    fn give_answers(&self, from: &Receiver<Answer>, control: &Control) {
        for Answer { bytes, delayed } in from {
            let rule = control.release(self, delayed);
            let passing = rule.passing(bytes.len());
            control.count_received(passing);
            if !write(&self.client, &bytes[..passing]) {
                break;
            }
            if let Rule::First { bytes, era } = rule {
                self.follow(Rule::First { bytes: bytes - passing, era });
                if bytes == passing {
                    control.count_strike(era);
                    break;
                }
            }
        }
        if let Rule::Swallow { era } = self.rule() {
            control.count_strike(era);
        }
        self.close();
    }

    fn lock(&self) -> MutexGuard<'_, Rule> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes came; `None` when no more will.
fn read(mut from: &TcpStream, buffer: &mut [u8]) -> Option<usize> {
    from.read(buffer).ok().filter(|&length| length > 0)
}

fn write(mut to: &TcpStream, bytes: &[u8]) -> bool {
    to.write_all(bytes).is_ok()
}
