use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use rustix::io::Errno;
use scupper::Bucket;

use crate::ending::{Interrupt, keep_ends_known, prepare_for_signals};
use crate::failure::{Failure, bare, complain};
use crate::throttle::args::Args;
use crate::throttle::jobs::event::{Event, Order};
use crate::throttle::jobs::feeder::Feeder;
use crate::throttle::jobs::verdict::Verdict;
use crate::throttle::stage::{Phase, Stage};

/// Runs the program once for each line.
pub(in crate::throttle) fn run(args: &Args, program: &OsStr, bucket: Bucket) -> Result<ExitCode, Failure> {
    let setup = |error: io::Error| Failure::Work(format!("cannot set up: {error}"));
    let stage = Arc::new(Stage::default());
    let interrupted = Arc::clone(&stage);
    let interrupt = prepare_for_signals(move || interrupted.stop_after_line(Stage::PATIENCE)).map_err(setup)?;
    keep_ends_known().map_err(setup)?;

    // Nobody sends ahead: while a message cannot be written, no input is read.
    let (tell, events) = sync_channel(0);
    let (free, slots) = channel();
    for _ in 0..args.jobs.unwrap_or(1) {
        // The other end is right here.
        let _ = free.send(());
    }
    let feeder = Feeder { bucket, files: args.files.clone(), slots, events: tell.clone() };
    thread::Builder::new().name("feeder".into()).spawn(move || feeder.feed()).map_err(setup)?;

    let arguments = args.command.get(1..).unwrap_or_default();
    let (running, free, verdict) = (0, Some(free), Verdict::default());
    Ok(Runner { program, arguments, tell, free, running, verdict, stage: &stage, interrupt: &interrupt }.run(&events))
}

/// Starts runs of a program, and hears how they end.
#[derive(Debug)]
struct Runner<'a> {
    program: &'a OsStr,
    arguments: &'a [OsString],
    tell: SyncSender<Event>,
    /// Takes slots that became free, until nothing more is to be started.
    free: Option<Sender<()>>,
    running: usize,
    verdict: Verdict,
    stage: &'a Stage,
    interrupt: &'a Interrupt,
}

impl Runner<'_> {
    fn run(mut self, events: &Receiver<Event>) -> ExitCode {
        while self.running > 0 || self.free.is_some() {
            let Ok(event) = events.recv() else { break };
            // A run that the same Ctrl-C ended is no reason to say so.
            self.interrupt.hold();
            match event {
                Event::Ended(ended) => self.note_end(ended),
                // It was on its way when all stopped.
                _ if self.free.is_none() => {}
                Event::Start(order) => self.start(&order),
                Event::Unusable(message) => self.pass_over(&message),
                Event::InputOver => self.free = None,
                Event::Limiter(error) => {
                    complain(&error.to_string());
                    self.stop(1);
                }
            }
        }
        self.interrupt.hold_for_what_is_on_its_way();
        ExitCode::from(&self.verdict)
    }

    fn start(&mut self, order: &Order) {
        let Err(error) = self.launch(&order.argument) else {
            self.running += 1;
            return;
        };
        let message = format!("{}: {}", self.program.display(), bare(&error));
        if error.kind() == ErrorKind::ArgumentListTooLong {
            self.pass_over(&format!("{}: {message}", order.place));
            return self.free_slot();
        }
        complain(&message);
        self.stop(match error.kind() {
            ErrorKind::NotFound => 127,
            _ if lacks_resources(&error) => 1,
            _ => 126,
        });
    }

    fn launch(&self, argument: &OsStr) -> io::Result<()> {
        // First of all, so that there is no run that nobody could wait for.
        let wait = waiting_thread(self.tell.clone())?;
        let mut command = Command::new(self.program);
        command.args(self.arguments).arg(argument).stdin(Stdio::null());
        self.interrupt.hold();
        self.stage.enter(Phase::Writing);
        let spawned = command.spawn();
        self.stage.enter(Phase::Reading);
        wait.send(spawned?).map_err(io::Error::other)
    }

    fn note_end(&mut self, ended: io::Result<ExitStatus>) {
        self.running -= 1;
        let program = self.program.display();
        match ended {
            Ok(status) => {
                if let Some(why) = self.verdict.note(status) {
                    // Few are told, so it may take a while.
                    self.interrupt.hold_for_what_is_on_its_way();
                    let more = if self.free.take().is_some() { "; starting no more" } else { "" };
                    complain(&format!("{program}: {why}{more}"));
                }
            }
            Err(error) => self.pass_over(&format!("{program}: cannot learn how it ended: {}", bare(&error))),
        }
        self.free_slot();
    }

    fn pass_over(&mut self, message: &str) {
        complain(message);
        self.verdict.unusable();
    }

    fn stop(&mut self, status: u8) {
        self.free = None;
        self.verdict.stop(status);
    }

    fn free_slot(&self) {
        if let Some(free) = &self.free {
            // The feeder may be through with its lines.
            let _ = free.send(());
        }
    }
}

/// A thread that waits for the child it is given, and tells how it ended.
fn waiting_thread(tell: SyncSender<Event>) -> io::Result<Sender<Child>> {
    let (give, given) = channel::<Child>();
    thread::Builder::new().name("waiting".into()).spawn(move || {
        if let Ok(mut child) = given.recv() {
            // Nobody listens once the process ends.
            let _ = tell.send(Event::Ended(child.wait()));
        }
    })?;
    Ok(give)
}

/// Whether the system, and not the program, is why it cannot be run.
fn lacks_resources(error: &io::Error) -> bool {
    let lacking = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    Errno::from_io_error(error).is_some_and(|errno| lacking.contains(&errno))
}
