//! The thread of a file's own: it waits for other processes, and looks for idle rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::fork::Section;
use crate::store::sqlite::bell::Bell;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::file::{Attempt, File, turn_away};
use crate::store::sqlite::job::Job;
use crate::store::sqlite::opened::Opened;
use crate::store::sqlite::queue::Taken;
use crate::store::sqlite::sweep::{Walked, Way};
use crate::sync::{Arc, lock, thread};
use crate::time::Timestamp;

/// What the helper does next.
enum Next {
    GoOn,
    Wait(Option<Duration>),
    End,
}

impl File {
    /// Another process is done in some tens of microseconds…
    const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
    /// …or it has been stopped in the middle of it.
    const LONGEST_PAUSE: Duration = Duration::from_millis(10);
    const STAYS_AWAKE: Duration = Duration::from_micros(100);
    /// So many rows are looked at in one transaction: others do not wait long for its end.
    const ROWS: usize = 256;
    /// Looking for idle rows takes at most this part of a processor's time.
    const PART: u32 = 10;

    /// The helper's life. It ends with the last store on the file.
    pub(super) fn help(self: &Arc<Self>, bell: &Bell) {
        let mut pause = Self::SHORTEST_PAUSE;
        let (mut looking, mut idle_since) = (Duration::ZERO, None);
        loop {
            match self.attempt(true) {
                Attempt::Blocked => {
                    self.turn_away_the_late();
                    thread::sleep(pause);
                    pause = Self::LONGEST_PAUSE.min(pause * 3 / 2);
                    continue;
                }
                Attempt::Done => idle_since = Some(Instant::now()),
                Attempt::Nothing => {}
            }
            pause = Self::SHORTEST_PAUSE;
            // Whoever was answered is about to ask again: to be called for that costs both more than to stay awake.
            let is_awake = idle_since.is_some_and(|since| since.elapsed() < Self::STAYS_AWAKE);
            match self.look_for_idle_rows(&mut looking, is_awake) {
                Next::GoOn if is_awake => thread::yield_now(),
                Next::GoOn => {}
                Next::Wait(at_most) => bell.wait(at_most),
                Next::End => return,
            }
        }
    }

    /// Answers those who have waited for another process for as long as they may.
    fn turn_away_the_late(&self) {
        let why = "another process has the file of the store, and kept it for as long as the store's timeout; ask again later";
        let section = Section::enter();
        let mut queue = lock(&self.queue);
        let (late, others): (Vec<Job>, Vec<Job>) = queue.jobs.drain(..).partition(|job| job.patience().is_zero());
        queue.jobs.extend(others);
        drop(queue);
        drop(section);
        turn_away(late, why);
    }

    /// Looks at some rows, if it is time for that and nobody wants the file.
    fn look_for_idle_rows(&self, looking: &mut Duration, is_awake: bool) -> Next {
        let _section = Section::enter();
        let mut opened = match self.take_to_look(is_awake) {
            Ok(opened) => opened,
            Err(next) => return next,
        };
        let start = Instant::now();
        // The connection must be given back, whatever happens.
        let swept = catch_unwind(AssertUnwindSafe(|| {
            let swept = opened.sweep(Self::ROWS);
            ((!opened.is_suspect).then_some(opened), swept)
        }));
        *looking += start.elapsed();
        let (opened, swept) = swept.unwrap_or_else(|_| {
            let what = "looking for idle rows panicked";
            (None, Err(Failure::Unknown(Error::new(ErrorKind::Unknown, what))))
        });
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        queue.sweep_at = None;
        if let Some(pause) = Self::pause_after(&swept, looking) {
            queue.sweep_in(pause);
        }
        Next::GoOn
    }

    /// Takes the connection to look for idle rows, or says what to do instead.
    fn take_to_look(&self, is_awake: bool) -> Result<Box<Opened>, Next> {
        let mut queue = lock(&self.queue);
        if !queue.jobs.is_empty() && queue.is_free() {
            return Err(Next::GoOn);
        }
        if queue.is_closing {
            queue.bell = None;
            return Err(Next::End);
        }
        let pause = queue.sweep_at.map(|at| at.saturating_duration_since(Instant::now()));
        if pause.is_none_or(|pause| !pause.is_zero()) {
            queue.is_helper_asleep = !is_awake;
            return Err(if is_awake { Next::GoOn } else { Next::Wait(pause) });
        }
        match queue.take() {
            Some(Taken(Some(opened))) => Ok(opened),
            Some(Taken(None)) => {
                // They are looked for again once the file is open again.
                queue.give_back(None);
                queue.sweep_at = None;
                Err(Next::GoOn)
            }
            None => {
                queue.is_helper_asleep = true;
                Err(Next::Wait(Some(Self::LONGEST_PAUSE)))
            }
        }
    }

    /// How long until rows are looked at again, after a look that ended so; none if none is left that can leave.
    fn pause_after(swept: &Result<(Walked, Timestamp), Failure>, looking: &mut Duration) -> Option<Duration> {
        match swept {
            Ok((walked, time)) => match walked.way {
                // Others come first.
                Way::GoesOn => Some(Duration::ZERO),
                Way::Ends { earliest } => {
                    let rest = (*looking * Self::PART).max(Self::SWEEP_PAUSE);
                    *looking = Duration::ZERO;
                    let ahead = |idle_from: i64| idle_from.unsigned_abs().saturating_sub(time.as_micros());
                    earliest.map(|earliest| Duration::from_micros(ahead(earliest)).saturating_add(rest))
                }
            },
            Err(Failure::Busy) => Some(Self::LONGEST_PAUSE),
            Err(_) => Some(Self::SWEEP_PAUSE),
        }
    }
}
