use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the thread that copies lines or starts runs is, so that another one can choose when to end the process.
#[derive(Debug, Default)]
pub(super) struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Somebody waits for a phase; without, a change needs no call into the system.
    awaited: bool,
    /// The process is about to end: nothing begins any more.
    ending: bool,
}

/// What the copying thread is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// It reads, or is between two lines.
    #[default]
    Reading,
    /// It has something to write, and waits for its permit.
    Waiting,
    /// It writes, is in the middle of a line, or starts a run.
    Writing,
}

impl Stage {
    /// How long what has begun may take to its end after an interrupt, and wiping the display as well.
    pub(super) const PATIENCE: Duration = Duration::from_millis(200);

    /// The copying thread goes on to the next phase. Does not return if the process is about to end.
    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = if state.ending { Phase::Reading } else { phase };
        if state.awaited {
            self.changed.notify_all();
        }
        while state.ending {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Stops the copying thread at the end of its line; leaves it where it is if that takes longer than `patience`.
    pub(super) fn stop_after_line(&self, patience: Duration) {
        let mut state = self.lock();
        (state.awaited, state.ending) = (true, true);
        let writes = |state: &mut State| state.phase == Phase::Writing;
        drop(self.changed.wait_timeout_while(state, patience, writes));
    }

    /// Stops the copying thread when it waits for a permit, however long it takes until it does.
    pub(super) fn stop_when_waiting(&self) {
        let mut state = self.lock();
        state.awaited = true;
        let elsewhere = |state: &mut State| state.phase != Phase::Waiting;
        let mut state = self.changed.wait_while(state, elsewhere).unwrap_or_else(PoisonError::into_inner);
        state.ending = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;

    use super::*;

    const FOREVER: Duration = Duration::from_hours(1);

    #[test]
    fn a_thread_that_reads_or_waits_is_stopped_at_once() {
        for phase in [Phase::Reading, Phase::Waiting] {
            let stage = Stage::default();
            stage.enter(phase);
            stage.stop_after_line(FOREVER);
        }
    }

    #[test]
    fn a_thread_that_writes_ends_its_line_and_begins_no_other() {
        let stage = Arc::new(Stage::default());
        stage.enter(Phase::Writing);
        let (say, said) = channel();
        let copying = Arc::clone(&stage);
        thread::spawn(move || {
            while !copying.lock().ending {
                thread::yield_now();
            }
            say.send("line ended").unwrap();
            copying.enter(Phase::Reading);
            say.send("went on").unwrap();
        });
        stage.stop_after_line(FOREVER);
        assert_eq!(said.recv(), Ok("line ended"));
        assert_eq!(said.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn patience_with_a_line_that_does_not_end_is_bounded() {
        let stage = Stage::default();
        stage.enter(Phase::Writing);
        stage.stop_after_line(Duration::from_millis(1));
    }

    #[test]
    fn whoever_needs_a_waiting_thread_gets_it_in_that_phase() {
        let stage = Arc::new(Stage::default());
        let copying = Arc::clone(&stage);
        thread::spawn(move || {
            while !copying.lock().awaited {
                thread::yield_now();
            }
            copying.enter(Phase::Writing);
            copying.enter(Phase::Waiting);
        });
        stage.stop_when_waiting();
        let found = stage.lock();
        assert!(found.ending && found.phase == Phase::Waiting);
    }
}
