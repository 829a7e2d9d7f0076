use std::fs::File;
use std::io::{self, BufReader, ErrorKind, IsTerminal, StdoutLock};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use scupper::Bucket;

use crate::ending::{die_of_closed_output, prepare_for_signals, when_nobody_reads_stdout};
use crate::failure::{Failure, bare, complain};
use crate::row::Row;
use crate::throttle::args::{Args, is_stdin};
use crate::throttle::copier::{Copier, Stopped};
use crate::throttle::jobs;
use crate::throttle::progress::Progress;
use crate::throttle::stage::Stage;

/// Does what the arguments say.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let usage = |message: String| Failure::Usage { command: "throttle", message };
    args.check().map_err(usage)?;
    let bucket = args.place.bucket(&args.limits)?;
    match args.command.first() {
        Some(program) => jobs::run(args, program, bucket),
        None => copy(args, &bucket),
    }
}

fn copy(args: &Args, bucket: &Bucket) -> Result<ExitCode, Failure> {
    let setup = |error: io::Error| Failure::Work(format!("cannot set up: {error}"));
    let progress = if shows_progress(args) {
        Progress::on_stderr(args.weight_by, io::stdout().is_terminal()).map_err(setup)?
    } else {
        Progress::none()
    };
    let stage = Arc::new(Stage::default());
    prepare_endings(&stage, &progress).map_err(setup)?;

    let (weight_by, output) = (args.weight_by, io::stdout().lock());
    let mut copier = Copier { bucket, weight_by, output, stage: &stage, progress: &progress };
    let done = copy_all(&mut copier, args);
    progress.end();
    done
}

fn copy_all(copier: &mut Copier<'_, StdoutLock<'_>>, args: &Args) -> Result<ExitCode, Failure> {
    let mut status = ExitCode::SUCCESS;
    for path in &args.files {
        match copy_file(copier, path) {
            Ok(()) => {}
            Err(Stopped::Input(error)) => {
                copier.progress.aside(|| complain(&format!("{}: {}", path.display(), bare(&error))));
                status = ExitCode::FAILURE;
            }
            Err(Stopped::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
                copier.progress.end();
                die_of_closed_output();
            }
            Err(Stopped::Output(error)) => {
                return Err(Failure::Work(format!("cannot write to stdout: {}", bare(&error))));
            }
            Err(Stopped::Limiter(error)) => return Err(Failure::Work(error.to_string())),
        }
    }
    Ok(status)
}

fn copy_file(copier: &mut Copier<'_, StdoutLock<'_>>, path: &Path) -> Result<(), Stopped> {
    if is_stdin(path) {
        return copier.copy(io::stdin().lock());
    }
    let file = File::open(path).map_err(Stopped::Input)?;
    copier.copy(BufReader::with_capacity(Copier::<StdoutLock<'_>>::LONGEST, file))
}

/// What is typed on the terminal would end up behind what is drawn there.
fn shows_progress(args: &Args) -> bool {
    let typed = io::stdin().is_terminal() && args.files.iter().any(|path| is_stdin(path));
    !args.quiet && !typed && Row::can_be_drawn()
}

/// From now on an interrupt, and a closed output while a line waits for its permit, end the process by a signal.
fn prepare_endings(stage: &Arc<Stage>, progress: &Progress) -> io::Result<()> {
    let (interrupted, shown) = (Arc::clone(stage), progress.clone());
    prepare_for_signals(move || {
        interrupted.stop_after_line(Stage::PATIENCE);
        end(&shown);
    })?;
    let (closed, shown) = (Arc::clone(stage), progress.clone());
    // While it reads, closing the output changes nothing: it may be that there is nothing left to write.
    when_nobody_reads_stdout(move || {
        closed.stop_when_waiting();
        end(&shown);
        die_of_closed_output();
    })
}

/// Wipes the display, unless its terminal takes nothing.
fn end(progress: &Progress) {
    let (wiped, end) = channel();
    let progress = progress.clone();
    let wiping = thread::Builder::new().spawn(move || {
        progress.end();
        // Nobody listens any more if it took too long.
        let _ = wiped.send(());
    });
    if wiping.is_ok() {
        // Too late or not, the process ends now.
        let _ = end.recv_timeout(Stage::PATIENCE);
    }
}
